//! Listeners and the scraper: bytes from sockets and files, through the guard's caps and the pure decoders of [`decode`], to the
//! store.
//!
//! Entry points: [`http_router`] and [`grpc_router`], which serve what an [`Ingest`] takes, [`FileImporter`], and [`scrape::Scraper`].
//!
//! Architecture invariants:
//! - Nothing is acknowledged before [`grid_store::Store::append`] has returned.
//! - The good part of a request is written, the bad part is counted and told to the sender.
//! - Overload is 503 with Retry-After; 429 is for a tenant's quota alone.
//! - Foreign bytes are inflated by the guard only; large ones are decoded off the threads that serve sockets.

pub mod accept;
pub mod listen;
pub mod reply;
pub mod files;
pub mod documents;
pub mod metrics;
pub mod scrape;
pub mod replicas;
mod metadata_seen;

pub use accept::{Accepted, Ingest, IngestOptions};
pub use files::{Chunk, FileError, FileImporter, FileReport, Progress, Signal, decode_file};
pub use grid_decode as decode;
pub use grid_scrape_config as scrape_config;
pub use listen::{grpc_router, http_router};
pub use metrics::{IngestMetrics, Protocol};
pub use replicas::ReplicaOptions;
pub use scrape::{ScrapeStatus, Scraper};
