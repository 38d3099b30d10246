//! Every bound of the store, in one place.

use std::time::Duration;

/// Requests that may wait for the WAL; one more is refused.
pub const APPEND_QUEUE: usize = 4096;
/// Bytes that one group commit may gather before it syncs.
pub const GROUP_BYTES_MAX: usize = 32 << 20;
/// Bytes of one WAL record; a larger request is refused.
pub const RECORD_BYTES_MAX: usize = 256 << 20;
/// Bytes after which a WAL segment is closed and a new one begun.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// Windows into which one flush splits a table's rows; rows spread wider rest in one file until compaction splits it.
pub const FLUSH_WINDOWS_MAX: usize = 64;
/// Bytes of Parquet that one compaction reads: how much room on the disk it may need, and how long it may take.
pub const COMPACT_BYTES_MAX: u64 = 2 << 30;
/// Files that one compaction reads at once: each costs memory for a page of every column.
pub const COMPACT_FILES_MAX: usize = 32;
/// Bytes of memory of one compaction or rewriting: [`MERGE_READ_BYTES`], [`MERGE_WRITE_BYTES`], and what the decoders and the text
/// index hold beside.
pub const MERGE_BYTES_MAX: usize = 256 << 20;
/// Bytes of decoded rows that a merge holds.
pub const MERGE_READ_BYTES: usize = 64 << 20;
/// Bytes of encoded rows that wait for the end of their row groups, over all files that a merge has open.
pub const MERGE_WRITE_BYTES: usize = 64 << 20;
/// Rows of a compacted file; the next file takes the rest.
pub const FILE_ROWS_MAX: u64 = 16_000_000;
/// Decoded bytes of the rows of a compacted file. For logs it bounds their text index too, which is built in memory.
pub const FILE_RAW_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a document (rules, budgets) that a person writes.
pub const DOCUMENT_BYTES_MAX: usize = 1 << 20;
/// Bytes of a document's name.
pub const DOCUMENT_NAME_BYTES_MAX: usize = 256;
/// Documents of one kind that a tenant may have, deleted ones included.
pub const DOCUMENTS_PER_KIND_MAX: i64 = 10_000;
/// Versions of a document that are kept; the oldest go first.
pub const DOCUMENT_VERSIONS_KEPT: i64 = 1_000;

/// The bounds that a user may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of buffered rows at which a flush starts.
    pub flush_bytes: usize,
    /// Bytes of buffered rows (active and being flushed) at which appends are refused.
    pub buffer_bytes_max: usize,
    /// Age of the oldest buffered row at which a flush starts.
    pub flush_interval: Duration,
    /// Series that one tenant may have.
    pub series_per_tenant_max: usize,
    /// Tenants that may have rows; a write of one more is refused.
    pub tenants_max: usize,
    /// Memory of the series indexes of all tenants, about; series beyond it are not taken.
    pub series_bytes_max: usize,
    /// Free bytes of the data directory's disk below which writes are refused, so that flushes, deletes and the catalog still
    /// find room.
    pub free_bytes_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flush_bytes: 32 << 20,
            buffer_bytes_max: 128 << 20,
            flush_interval: Duration::from_secs(300),
            series_per_tenant_max: 5_000_000,
            tenants_max: 10_000,
            series_bytes_max: 1 << 30,
            free_bytes_min: 256 << 20,
        }
    }
}

const _: () = assert!(GROUP_BYTES_MAX as u64 <= SEGMENT_BYTES);
const _: () = assert!(MERGE_READ_BYTES + MERGE_WRITE_BYTES <= MERGE_BYTES_MAX / 2);
