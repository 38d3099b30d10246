//! The trace file: records, one after the other, in the order in which things happened. Compiled into both the shim, which
//! appends, and the tests' model of a disk, which reads (`tests/src/powercut/trace.rs`).
//!
//! A record is [`HEADER_BYTES`] of little-endian integers, then a path, a second path and data of the lengths that they
//! name. Paths are relative to the root and have no slash at either end.
//!
//! | offset | type | what |
//! |---|---|---|
//! | 0 | u32 | [`MAGIC`] |
//! | 4 | u32 | kind, one of [`kind`] |
//! | 8 | u64 | inode |
//! | 16 | u64 | offset or length within the file |
//! | 24 | u64 | token that joins the begin and the end of a sync |
//! | 32 | u32, u32 | bytes of the first and of the second path |
//! | 40 | u64 | bytes of data |

/// First bytes of every record.
pub(crate) const MAGIC: u32 = 0x6661_7573;
/// Length of a record without paths and data.
pub(crate) const HEADER_BYTES: usize = 48;

/// What happened.
pub(crate) mod kind {
    /// A file came to be: inode, path.
    pub(crate) const CREATE: u32 = 1;
    /// Bytes were written: inode, offset, data.
    pub(crate) const WRITE: u32 = 2;
    /// A file got a length: inode, length.
    pub(crate) const SET_LEN: u32 = 3;
    /// A sync of a file or folder was asked for: inode, token. It covers what stands before this record.
    pub(crate) const SYNC_BEGIN: u32 = 4;
    /// That sync returned well: token.
    pub(crate) const SYNC_END: u32 = 5;
    /// A sync failed: inode. What it should have covered may never reach the disk, not even by a later sync.
    pub(crate) const SYNC_FAILED: u32 = 6;
    /// A rename: both paths.
    pub(crate) const RENAME: u32 = 7;
    /// A hard link: both paths.
    pub(crate) const LINK: u32 = 8;
    /// A file's name was removed: path.
    pub(crate) const UNLINK: u32 = 9;
    /// A folder came to be: inode, path.
    pub(crate) const MKDIR: u32 = 10;
    /// A folder was removed: path.
    pub(crate) const RMDIR: u32 = 11;
    /// The driver of the workload notes something: data. Appended by the driver, not by the shim.
    #[allow(dead_code, reason = "one of the two that share this file does not write it")]
    pub(crate) const MARK: u32 = 12;
    /// A fault was injected: data names it. For the reader of a trace only.
    pub(crate) const FAULT: u32 = 13;
}

/// The header of a record.
pub(crate) struct Header {
    pub(crate) kind: u32,
    pub(crate) inode: u64,
    pub(crate) at: u64,
    pub(crate) token: u64,
    pub(crate) path_bytes: u32,
    pub(crate) second_bytes: u32,
    pub(crate) data_bytes: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4..8].copy_from_slice(&self.kind.to_le_bytes());
        out[8..16].copy_from_slice(&self.inode.to_le_bytes());
        out[16..24].copy_from_slice(&self.at.to_le_bytes());
        out[24..32].copy_from_slice(&self.token.to_le_bytes());
        out[32..36].copy_from_slice(&self.path_bytes.to_le_bytes());
        out[36..40].copy_from_slice(&self.second_bytes.to_le_bytes());
        out[40..48].copy_from_slice(&self.data_bytes.to_le_bytes());
        out
    }
}
