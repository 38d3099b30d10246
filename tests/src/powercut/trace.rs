//! Reading a trace, and the driver's own records in it.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};

#[path = "../../faultfs/src/format.rs"]
#[allow(dead_code, unreachable_pub, reason = "shared with the shim, which uses the rest")]
mod format;

use format::{HEADER_BYTES, Header, MAGIC, kind};

/// One thing that happened. Paths are relative to the watched folder.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "documented once, in tests/faultfs/src/format.rs")]
pub enum Event<'t> {
    Create { inode: u64, path: &'t str },
    Write { inode: u64, at: u64, data: &'t [u8] },
    SetLen { inode: u64, len: u64 },
    SyncBegin { inode: u64, token: u64 },
    SyncEnd { token: u64 },
    SyncFailed { inode: u64 },
    Rename { from: &'t str, to: &'t str },
    Link { from: &'t str, to: &'t str },
    Unlink { path: &'t str },
    Mkdir { inode: u64, path: &'t str },
    Rmdir { path: &'t str },
    Mark(Mark),
    Fault(&'t str),
}

impl fmt::Debug for Event<'_> {
    /// For people: bytes by their number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { inode, path } => write!(f, "create {path} as {inode}"),
            Self::Write { inode, at, data } => write!(f, "write {} bytes at {at} of {inode}", data.len()),
            Self::SetLen { inode, len } => write!(f, "set length {len} of {inode}"),
            Self::SyncBegin { inode, .. } => write!(f, "begin sync of {inode}"),
            Self::SyncEnd { .. } => write!(f, "end sync"),
            Self::SyncFailed { inode } => write!(f, "fail sync of {inode}"),
            Self::Rename { from, to } => write!(f, "rename {from} to {to}"),
            Self::Link { from, to } => write!(f, "link {from} as {to}"),
            Self::Unlink { path } => write!(f, "unlink {path}"),
            Self::Mkdir { inode, path } => write!(f, "mkdir {path} as {inode}"),
            Self::Rmdir { path } => write!(f, "rmdir {path}"),
            Self::Mark(mark) => write!(f, "{mark:?}"),
            Self::Fault(rule) => write!(f, "fault {rule}"),
        }
    }
}

/// How far a request of the driver has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is about to be sent.
    Sent(u64),
    /// Its success was received.
    Acknowledged(u64),
}

/// Splits a trace into its events. A record cut off at the end is an error: the shim writes each in one piece.
pub fn parse(bytes: &[u8]) -> anyhow::Result<Vec<Event<'_>>> {
    let mut events = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let (event, after) = read(rest).with_context(|| format!("record {} at byte {at}", events.len()))?;
        events.push(event);
        rest = after;
    }
    Ok(events)
}

fn read(bytes: &[u8]) -> anyhow::Result<(Event<'_>, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES).context("the header is cut off")?;
    let u32_at = |i: usize| header[i..i + 4].try_into().map(u32::from_le_bytes);
    let u64_at = |i: usize| header[i..i + 8].try_into().map(u64::from_le_bytes);
    ensure!(u32_at(0)? == MAGIC, "no record begins here");
    let (path, rest) = rest.split_at_checked(u32_at(32)? as usize).context("the path is cut off")?;
    let (second, rest) = rest.split_at_checked(u32_at(36)? as usize).context("the second path is cut off")?;
    let (data, rest) = rest.split_at_checked(usize::try_from(u64_at(40)?)?).context("the data is cut off")?;
    let (path, second) = (std::str::from_utf8(path)?, std::str::from_utf8(second)?);
    let (inode, at, token) = (u64_at(8)?, u64_at(16)?, u64_at(24)?);
    let event = match u32_at(4)? {
        kind::CREATE => Event::Create { inode, path },
        kind::WRITE => Event::Write { inode, at, data },
        kind::SET_LEN => Event::SetLen { inode, len: at },
        kind::SYNC_BEGIN => Event::SyncBegin { inode, token },
        kind::SYNC_END => Event::SyncEnd { token },
        kind::SYNC_FAILED => Event::SyncFailed { inode },
        kind::RENAME => Event::Rename { from: path, to: second },
        kind::LINK => Event::Link { from: path, to: second },
        kind::UNLINK => Event::Unlink { path },
        kind::MKDIR => Event::Mkdir { inode, path },
        kind::RMDIR => Event::Rmdir { path },
        kind::MARK if at == 0 => Event::Mark(Mark::Sent(token)),
        kind::MARK => Event::Mark(Mark::Acknowledged(token)),
        kind::FAULT => Event::Fault(std::str::from_utf8(data)?),
        other => anyhow::bail!("kind {other} is unknown"),
    };
    Ok((event, rest))
}

/// The driver's hand in a trace. Its records stand in one order with those of the server: the kernel appends each write as a whole.
#[derive(Debug)]
pub struct Marker(File);

impl Marker {
    /// Opens a trace, or begins it.
    pub fn open(trace: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(trace).context("open the trace")?;
        Ok(Self(file))
    }

    /// Notes how far a request has come.
    pub fn note(&self, mark: Mark) -> anyhow::Result<()> {
        let (at, token) = match mark {
            Mark::Sent(id) => (0, id),
            Mark::Acknowledged(id) => (1, id),
        };
        let header = Header { kind: kind::MARK, inode: 0, at, token, path_bytes: 0, second_bytes: 0, data_bytes: 0 };
        let written = (&self.0).write(&header.encode()).context("append to the trace")?;
        ensure!(written == HEADER_BYTES, "{written} bytes of a record were appended");
        Ok(())
    }
}
