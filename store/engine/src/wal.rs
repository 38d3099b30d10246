//! The write-ahead log: what was acknowledged and does not yet rest in Parquet.
//!
//! Format (docs/formats/wal.md): segments `wal/NNNNNNNNNNNNNNNN.wal`, each a 16-byte header and records. A record is a 24-byte
//! header (length, sequence, CRC-32C of the payload, CRC-32C of the header) and a payload: the rows of one request, so that
//! a request is replayed whole or not at all.

pub mod record;
pub mod segment;
pub mod replay;
