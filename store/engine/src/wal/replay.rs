//! Reading the log back at start.

use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;

use super::record::{self, Record};
use super::segment::{self, SegmentNumber};
use crate::error::StoreError;

/// What a start found in the log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Segments read.
    pub segments: usize,
    /// Records replayed.
    pub records: u64,
    /// Rows replayed.
    pub rows: u64,
    /// Ends of segments that did not read as records and were dropped.
    pub torn: Vec<Torn>,
}

/// The unreadable end of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Offset of the first dropped byte behind the segment's header.
    pub offset: u64,
    /// How many bytes were dropped.
    pub bytes: u64,
    /// What was wrong with them.
    pub reason: String,
    /// Whether this was the newest segment, where a torn end is what a crash leaves of a write that was never acknowledged.
    /// Elsewhere it means damage: rows that were acknowledged may be gone.
    pub newest: bool,
}

/// Replays every segment after `flushed` in order. A segment is read up to its first torn record; what follows is dropped and
/// reported, and in the newest segment cut away, so that the next start does not meet it again.
pub fn replay(
    dir: &Path,
    flushed: Option<SegmentNumber>,
    mut apply: impl FnMut(Record),
) -> Result<(Recovery, SegmentNumber), StoreError> {
    let all = segment::list(dir)?;
    let last = all.last().copied();
    let mut recovery = Recovery::default();
    for number in all.iter().copied().filter(|n| flushed.is_none_or(|f| *n > f)) {
        let path = segment::path(dir, number);
        recovery.segments += 1;
        let newest = Some(number) == last;
        let Some(body) = segment::read_body(&path)? else {
            let bytes = std::fs::metadata(&path).map(|m| m.len()).unwrap_or_default();
            recovery.torn.push(Torn { path, offset: 0, bytes, reason: "the segment has no header".into(), newest });
            continue;
        };
        let body = Buffer::from_vec(body);
        let mut at = 0;
        while at < body.len() {
            match record::read(&body.slice(at)) {
                Ok((record, taken)) => {
                    recovery.records += 1;
                    recovery.rows += record.batches.iter().map(|(_, b)| b.num_rows() as u64).sum::<u64>();
                    apply(record);
                    at += taken;
                }
                Err(e) => {
                    let torn = Torn {
                        path: path.clone(),
                        offset: at as u64,
                        bytes: (body.len() - at) as u64,
                        reason: e.to_string(),
                        newest,
                    };
                    recovery.torn.push(torn);
                    if newest {
                        segment::truncate(&path, at as u64)?;
                    }
                    break;
                }
            }
        }
    }
    Ok((recovery, last.unwrap_or(0).max(flushed.unwrap_or(0)) + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::wal::record::tests::log_batch;
    use crate::wal::segment::Segment;
    use grid_model::{Table, TenantId};

    fn write(segment: &mut Segment, seq: u64, line: &str) {
        let batches = [(Table::Logs, log_batch(&[line]))];
        let payload = record::encode_payload(&TenantId::default_tenant(), &batches).unwrap();
        let mut bytes = record::header(seq, &payload, crc32c::crc32c(&payload)).to_vec();
        bytes.extend(payload);
        segment.append_synced(&bytes).unwrap();
    }

    #[test]
    fn replay_stops_at_a_torn_record_and_says_so_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = Segment::create(dir.path(), 1).unwrap();
        write(&mut first, 1, "a");
        let mut second = Segment::create(dir.path(), 2).unwrap();
        write(&mut second, 2, "b");
        write(&mut second, 3, "c");
        let full = second.bytes;
        let file = std::fs::OpenOptions::new().write(true).open(&second.path).unwrap();
        file.set_len(full - 5).unwrap();

        let mut seqs = Vec::new();
        let (recovery, next) = replay(dir.path(), None, |r| seqs.push(r.seq)).unwrap();
        assert_eq!((seqs.as_slice(), next, recovery.torn.len()), ([1, 2].as_slice(), 3, 1));
        assert!(recovery.torn[0].newest && recovery.torn[0].bytes > 0);
        let (again, _) = replay(dir.path(), Some(1), |_| ()).unwrap();
        assert_eq!((again.records, again.torn.len()), (1, 0));
    }
}
