//! Bytes in, rows out: one file per wire format, each a pure function from bytes to rows and rejects.
//!
//! Entry points: the `decode` function of each module. All answer a [`Decoded`]: parsing never fails as a whole unless the
//! bytes are not of the format at all ([`DecodeError`]); the good part is kept, the bad part counted with reasons.
//!
//! Architecture invariants:
//! - No IO, no clock, no async: `now` is an input.
//! - No input makes a decoder panic, allocate beyond a small multiple of the input, or recurse without bound; each decoder
//!   is a fuzz target.

pub mod limits;
pub mod decoded;
pub mod remote_write;
pub mod exposition;
pub mod loki;
pub mod lines;
pub mod points;
pub mod severity;
pub mod otlp;
pub mod otlp_metrics;
pub mod otlp_logs;
pub mod otlp_traces;
pub mod otlp_encode;
pub mod bill;
pub mod focus;
pub mod cur;
pub mod azure;
pub mod gcp;
pub mod price;

mod growth;
mod label_pairs;
mod log_rows;
mod parse_time;
mod split_lines;
mod trace_ids;
mod wire;
#[cfg(test)]
mod testing;

pub use decoded::{DecodeContext, DecodeError, Decoded};
pub use label_pairs::canonical_key;
pub use limits::Limits;
