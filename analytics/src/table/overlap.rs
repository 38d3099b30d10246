//! Where sources of samples overlap in time: only there may two of them hold the same series and time.
//!
//! Neighbouring flushes nearly always overlap a little, because clocks and senders are late. Merging such files whole would
//! chain everything since the last compaction into one slow merge; so only the overlapping times are merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Literal};
use grid_model::Timestamp;
use grid_model::table::column::UTC;
use grid_store::FileEntry;

use crate::limits::SOURCES_MERGED_MAX;

/// First and last nanosecond, both inside.
pub(crate) type Interval = (i64, i64);

/// First and last sequence of a file's writes, the same for all files of one flush; none for the buffer.
type Sequences = Option<(u64, u64)>;

/// Where files rest in relation to each other and to the buffer.
#[derive(Debug)]
pub(crate) struct Split {
    /// Files that share no time with another source.
    pub free: Vec<Arc<FileEntry>>,
    /// What has to be merged.
    pub clusters: Vec<Cluster>,
    /// Files of clusters that also have rows at times that no other source has.
    pub partly: Vec<Arc<FileEntry>>,
    /// The times of all clusters: at least two sources may have rows; ascending, disjoint.
    pub shared: Vec<Interval>,
}

/// Times that are merged at once, and the sources that have rows at them.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Files, oldest write first.
    pub files: Vec<Member>,
    /// Whether the buffer is one of the sources; it is younger than every file.
    pub buffer: bool,
    /// Some of the shared times; ascending, disjoint.
    pub intervals: Vec<Interval>,
}

/// A file of a cluster.
#[derive(Debug)]
pub(crate) struct Member {
    /// The file.
    pub file: Arc<FileEntry>,
    /// Whether all of its rows are merged here, because most lie within the intervals.
    pub whole: bool,
}

/// Tells files that overlap no other source from those that do. Files of one flush or compaction hold no sample twice (numbers and
/// distributions rest apart), so they count as one source.
///
/// Flushes that each overlap the next are a chain as long as compaction is behind. It is cut into clusters of at most
/// [`SOURCES_MERGED_MAX`] files, each with some of the shared times, so that what a merge holds does not grow with the chain; more files than that are
/// in one cluster only if they all share one time.
pub(crate) fn split(files: Vec<Arc<FileEntry>>, buffer: Option<(Timestamp, Timestamp)>) -> Split {
    let span_of = |f: &FileEntry| (f.min_time.0, f.max_time.0);
    let buffer = buffer.map(|(min, max)| (min.0, max.0));
    let sources =
        files.iter().map(|f| (span_of(f), Some((f.min_seq, f.max_seq)))).chain(buffer.map(|span| (span, None)));
    let shared = shared_times(sources.collect());

    // A source's times hang together, so the intervals that it touches are neighbours.
    let touched = |span: Interval| {
        let first = shared.partition_point(|(_, to)| *to < span.0);
        let after = shared.partition_point(|(from, _)| *from <= span.1);
        first..after.max(first)
    };
    let buffered = buffer.map_or(0..0, touched);
    let mut touching: Vec<Vec<usize>> = vec![Vec::new(); shared.len()];
    for (n, file) in files.iter().enumerate() {
        touching[touched(span_of(file))].iter_mut().for_each(|of| of.push(n));
    }
    let mut clusters: Vec<(BTreeSet<usize>, Cluster)> = Vec::new();
    for (i, (interval, of)) in shared.iter().zip(&touching).enumerate() {
        let with_buffer = buffered.contains(&i);
        let last = clusters.last_mut().filter(|(members, cluster)| {
            let known = of.iter().filter(|n| members.contains(n)).count();
            let linked = known > 0 || with_buffer && cluster.buffer;
            linked && members.len() + of.len() - known <= SOURCES_MERGED_MAX
        });
        match last {
            Some((members, cluster)) => {
                members.extend(of);
                cluster.buffer |= with_buffer;
                cluster.intervals.push(*interval);
            }
            None => {
                let cluster = Cluster { files: Vec::new(), buffer: with_buffer, intervals: vec![*interval] };
                clusters.push((of.iter().copied().collect(), cluster));
            }
        }
    }
    let mut clusters_of = vec![0; files.len()];
    clusters.iter().flat_map(|(members, _)| members).for_each(|n| clusters_of[*n] += 1);
    let mut this = Split { free: Vec::new(), clusters: Vec::new(), partly: Vec::new(), shared: Vec::new() };
    for (members, mut cluster) in clusters {
        for n in members {
            let file = Arc::clone(&files[n]);
            let whole = clusters_of[n] == 1 && covered(&file, &cluster.intervals) * 2 > length(&file);
            cluster.files.push(Member { file, whole });
        }
        cluster.files.sort_by_key(|m| (m.file.max_seq, m.file.id));
        this.clusters.push(cluster);
    }
    let wholes: BTreeSet<i64> =
        this.clusters.iter().flat_map(|c| &c.files).filter(|m| m.whole).map(|m| m.file.id).collect();
    for (file, clusters) in files.into_iter().zip(clusters_of) {
        match clusters {
            0 => this.free.push(file),
            _ if !wholes.contains(&file.id) && covered(&file, &shared) < length(&file) => this.partly.push(file),
            _ => {}
        }
    }
    this.shared = shared;
    this
}

/// The times at which two different sources have rows; ascending, disjoint.
fn shared_times(sources: Vec<(Interval, Sequences)>) -> Vec<Interval> {
    // Starts come before ends of the same instant, because both ends of an interval lie inside it.
    let mut events: Vec<(i64, bool, Sequences)> = Vec::with_capacity(sources.len() * 2);
    for ((from, to), source) in sources {
        events.push((from, false, source));
        events.push((to, true, source));
    }
    events.sort_unstable();
    let mut active: BTreeMap<Sequences, usize> = BTreeMap::new();
    let mut shared: Vec<Interval> = Vec::new();
    let mut since = None;
    for (at, ends, source) in events {
        if ends {
            if let Some(count) = active.get_mut(&source) {
                *count -= 1;
                if *count == 0 {
                    active.remove(&source);
                }
            }
            if active.len() < 2
                && let Some(from) = since.take()
            {
                match shared.last_mut() {
                    Some(last) if from <= last.1.saturating_add(1) => last.1 = at,
                    _ => shared.push((from, at)),
                }
            }
        } else {
            *active.entry(source).or_default() += 1;
            if active.len() >= 2 {
                since.get_or_insert(at);
            }
        }
    }
    shared
}

/// How many of a file's nanoseconds lie within the intervals. A file of which most do is not worth reading twice.
fn covered(file: &FileEntry, intervals: &[Interval]) -> i128 {
    let (min, max) = (i128::from(file.min_time.0), i128::from(file.max_time.0));
    intervals.iter().map(|(from, to)| (i128::from(*to).min(max) - i128::from(*from).max(min) + 1).max(0)).sum()
}

/// How many nanoseconds a file spans.
fn length(file: &FileEntry) -> i128 {
    i128::from(file.max_time.0) - i128::from(file.min_time.0) + 1
}

/// Whether a time lies within the intervals.
pub(crate) fn contains(intervals: &[Interval], time: i64) -> bool {
    let next = intervals.partition_point(|(_, to)| *to < time);
    intervals.get(next).is_some_and(|(from, _)| *from <= time)
}

/// All times that the intervals leave out.
pub(crate) fn complement(intervals: &[Interval]) -> Vec<Interval> {
    let mut out = Vec::with_capacity(intervals.len() + 1);
    let mut from = Some(i64::MIN);
    for (start, end) in intervals {
        if let Some(from) = from.filter(|f| f < start) {
            out.push((from, start - 1));
        }
        from = end.checked_add(1);
    }
    out.extend(from.map(|from| (from, i64::MAX)));
    out
}

/// A condition that every time within the intervals meets, for statistics to be compared with: from the first to the last.
pub(crate) fn hull(time: &Arc<dyn PhysicalExpr>, intervals: &[Interval]) -> Result<Arc<dyn PhysicalExpr>> {
    let (Some(first), Some(last)) = (intervals.first(), intervals.last()) else {
        return internal_err!("a cluster without an overlap");
    };
    let compare = |op, ns: i64| -> Arc<dyn PhysicalExpr> {
        let bound = Literal::new(ScalarValue::TimestampNanosecond(Some(ns), Some(UTC.into())));
        Arc::new(BinaryExpr::new(Arc::clone(time), op, Arc::new(bound)))
    };
    let (from, to) = (compare(Operator::GtEq, first.0), compare(Operator::LtEq, last.1));
    Ok(Arc::new(BinaryExpr::new(from, Operator::And, to)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use grid_model::{Table, TenantId};
    use grid_store::catalog::NewFile;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn file(id: i64, min: i64, max: i64) -> Arc<FileEntry> {
        let file = NewFile {
            tenant: TenantId::default_tenant(),
            table: Table::Samples,
            path: id.to_string(),
            bytes: 1,
            rows: 1,
            min_time: Timestamp(min),
            max_time: Timestamp(max),
            min_seq: id as u64,
            max_seq: id as u64,
            level: 0,
            text_index: None,
            import_id: None,
        };
        Arc::new(FileEntry { id, file, generation: 1 })
    }

    #[test]
    fn neighbours_merge_only_where_they_overlap() {
        let files = vec![file(1, 0, 100), file(2, 95, 200), file(3, 201, 300), file(4, 250, 260), file(5, 400, 500)];
        let split = split(files, Some((Timestamp(190), Timestamp(200))));
        let ids = |files: &[Arc<FileEntry>]| files.iter().map(|f| f.id).collect::<Vec<_>>();
        assert_eq!((ids(&split.free), ids(&split.partly)), (vec![5], vec![1, 2, 3]));
        assert_eq!(split.shared, [(95, 100), (190, 200), (250, 260)]);
        let member = |m: &Member| (m.file.id, m.whole);
        let of: Vec<_> = split
            .clusters
            .iter()
            .map(|c| (c.files.iter().map(member).collect::<Vec<_>>(), c.buffer, c.intervals.clone()))
            .collect();
        assert_eq!(
            of,
            [
                (vec![(1, false), (2, false)], true, vec![(95, 100), (190, 200)]),
                (vec![(3, false), (4, true)], false, vec![(250, 260)]),
            ]
        );
    }

    #[test]
    fn a_long_chain_is_merged_in_pieces() {
        let n = SOURCES_MERGED_MAX as i64 * 3;
        let split = split((0..n).map(|i| file(i, i * 100, i * 100 + 105)).collect(), None);
        assert!(split.free.is_empty());
        assert_eq!(split.partly.len() as i64, n);
        assert!(split.clusters.iter().all(|c| c.files.len() <= SOURCES_MERGED_MAX));
        assert_eq!(split.clusters.len(), 4);
        assert_eq!(split.clusters.iter().map(|c| c.intervals.len()).sum::<usize>() as i64, n - 1);
    }

    #[test]
    fn files_of_one_flush_are_one_source() {
        let mut sibling = FileEntry::clone(&file(1, 50, 100));
        sibling.id = 9;
        let split = split(vec![file(1, 0, 100), Arc::new(sibling)], None);
        assert_eq!((split.free.len(), split.clusters.len()), (2, 0));
    }

    proptest! {
        #[test]
        fn exactly_the_shared_times_are_inside(
            spans in prop::collection::vec((0..60_i64, 0..25_i64, 0..5_i64), 1..8),
            buffer in prop::option::of((0..60_i64, 0..25_i64)),
        ) {
            let files: Vec<_> = spans
                .iter()
                .zip(100..)
                .map(|((at, len, seq), id)| {
                    let mut entry = FileEntry::clone(&file(*seq, *at, at + len));
                    entry.id = id;
                    Arc::new(entry)
                })
                .collect();
            let buffer = buffer.map(|(at, len)| (Timestamp(at), Timestamp(at + len)));
            let Split { free, clusters, partly, shared } = split(files.clone(), buffer);
            for t in 0..100_i64 {
                let holds = |f: &FileEntry| f.min_time.0 <= t && t <= f.max_time.0;
                let sources: BTreeSet<u64> = files.iter().filter(|f| holds(f)).map(|f| f.max_seq).collect();
                let buffered = buffer.is_some_and(|(a, b)| a.0 <= t && t <= b.0);
                let owners: Vec<_> = clusters.iter().filter(|c| contains(&c.intervals, t)).collect();
                prop_assert_eq!(owners.len(), usize::from(sources.len() + usize::from(buffered) > 1), "{}", t);
                prop_assert_eq!(owners.len(), usize::from(contains(&shared, t)));
                for c in &owners {
                    prop_assert!(!contains(&complement(&c.intervals), t));
                    prop_assert!(c.buffer || !buffered);
                    let members = c.files.iter().filter(|m| holds(&m.file)).count();
                    prop_assert_eq!(members, files.iter().filter(|f| holds(f)).count());
                }
                // However a file is read, each of its rows is read once.
                for file in files.iter().filter(|f| holds(f)) {
                    let is = |f: &Arc<FileEntry>| Arc::ptr_eq(f, file);
                    let alone = free.iter().filter(|f| is(f)).count()
                        + partly.iter().filter(|f| is(f) && !contains(&shared, t)).count();
                    let merged = clusters.iter().filter(|c| {
                        c.files.iter().any(|m| is(&m.file) && (m.whole || contains(&c.intervals, t)))
                    });
                    prop_assert_eq!(alone + merged.count(), 1, "{} at {}", file.id, t);
                }
            }
        }
    }
}
