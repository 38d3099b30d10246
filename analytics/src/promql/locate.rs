//! Which rows of a file hold the chosen series: footers say which row groups can, the list of their series says which rows do.

use std::ops::Range;
use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use grid_model::TimeRange;
use grid_model::table::samples::{HISTOGRAM, METRIC, TIME};
use grid_store::FileEntry;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::statistics::Statistics;

use super::choose::Chosen;
use super::local::LocalFile;
use super::merge::Run;
use crate::table::Source;
use crate::table::series_rows::SeriesRows;

/// How many series are looked for one by one.
const FEW: usize = 8;

/// A file with the row groups that may hold chosen series.
pub(super) struct Candidate {
    pub file: Arc<FileEntry>,
    metadata: Arc<ParquetMetaData>,
    groups: Vec<Group>,
    /// Whether any of the groups holds histograms.
    pub histograms: bool,
}

struct Group {
    index: usize,
    /// Which of the chosen metrics it may hold.
    metrics: Range<usize>,
}

/// A run of a chosen series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// Which of the chosen series.
    pub rank: u32,
    /// Which of [`Located::groups`].
    pub group: u32,
    /// Which of its runs.
    pub run: u32,
}

/// The runs of chosen series in a file, those of one series after those of another.
#[derive(Debug, Clone, Default)]
pub(super) struct Located {
    /// Row groups that may hold some, ascending, with the runs in them.
    pub groups: Vec<(usize, Arc<SeriesRows>)>,
    pub pieces: Vec<Piece>,
    /// How many rows that are.
    pub rows: u64,
}

/// Rows of a file as a scan is told them.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// Row group and rows of it, ascending, apart from each other.
    rows: Vec<(usize, Range<u32>)>,
    /// What these rows are, in their order.
    pub runs: Vec<Run>,
}

/// Positions of columns in a file.
struct Columns {
    metric: Option<usize>,
    time: Option<usize>,
    /// Any column within the histogram tells: all are null where it is.
    histogram: Option<usize>,
}

impl Candidate {
    /// Reads the footer of a file; `None` if nothing in it can be of the chosen series and times.
    pub(super) async fn of(
        source: &Source,
        state: &dyn Session,
        file: Arc<FileEntry>,
        chosen: &Chosen,
        range: TimeRange,
    ) -> Result<Option<Self>> {
        let metadata = source.file_metadata(state, &file).await?;
        let schema = metadata.file_metadata().schema_descr();
        let (mut columns, mut at) = (Columns { metric: None, time: None, histogram: None }, 0..);
        for (column, i) in schema.columns().iter().zip(&mut at) {
            match column.path().parts() {
                [name] if name == METRIC => columns.metric = Some(i),
                [name] if name == TIME => columns.time = Some(i),
                [name, kind] if name == HISTOGRAM && kind == "kind" => columns.histogram = Some(i),
                _ => {}
            }
        }
        let mut this = Self { file, metadata: Arc::clone(&metadata), groups: Vec::new(), histograms: false };
        for (index, group) in metadata.row_groups().iter().enumerate() {
            let metrics = chosen.metrics_between(bounds_of_metric(group, columns.metric));
            if metrics.is_empty() || !may_be_within(group, columns.time, range) {
                continue;
            }
            let nulls = columns.histogram.and_then(|i| group.column(i).statistics()?.null_count_opt());
            this.histograms |= columns.histogram.is_some() && nulls != u64::try_from(group.num_rows()).ok();
            this.groups.push(Group { index, metrics });
        }
        Ok((!this.groups.is_empty()).then_some(this))
    }

    /// The runs of the chosen series.
    pub(super) async fn locate(&self, source: &Source, state: &dyn Session, chosen: &Chosen) -> Result<Located> {
        let groups: Vec<usize> = self.groups.iter().map(|g| g.index).collect();
        let all = source.series_rows(state, &self.file, &self.metadata, &groups).await?;
        let mut found = Located::default();
        for (slot, (group, series)) in self.groups.iter().zip(&all).enumerate() {
            let ranks = chosen.ranks_of(group.metrics.clone());
            if ranks.len() <= FEW {
                found.find_few(slot, series, ranks.filter_map(|rank| Some((rank, chosen.id_at(rank)?))));
                continue;
            }
            let mut start = 0;
            // Mostly the next chosen series is what comes next.
            let mut expected = None;
            for (run, (id, end)) in series.ids.iter().zip(&series.ends).enumerate() {
                let rank = match expected {
                    Some(rank) if chosen.id_at(rank) == Some(*id) => Some(rank),
                    _ => chosen.rank_among(group.metrics.clone(), *id),
                };
                if let Some(rank) = rank {
                    found.pieces.push(Piece { rank, group: slot as u32, run: run as u32 });
                    found.rows += u64::from(end - start);
                    expected = rank.checked_add(1);
                }
                start = *end;
            }
        }
        if found.pieces.windows(2).any(|w| w[0].rank > w[1].rank) {
            return internal_err!("{} is not sorted by series", self.file.path);
        }
        found.groups = groups.into_iter().zip(all).collect();
        Ok(found)
    }

    /// The file on a local disk, if all that is to be known of its numbers to read it in place is known.
    pub(super) fn open(&self, source: &Source, located: &Located) -> Result<Option<Arc<LocalFile>>> {
        let known = located.groups.iter().all(|(_, series)| series.numbers.is_some());
        let Some(root) = source.store.objects().local_dir().filter(|_| known && !self.histograms) else {
            return Ok(None);
        };
        let file = std::fs::File::open(root.join(&self.file.path))?;
        let opened = LocalFile::new(file, Arc::clone(&self.metadata), located.groups.clone())?;
        Ok(Some(Arc::new(opened)))
    }

    /// How to read only these rows.
    pub(super) fn access(&self, located: &Selected) -> ParquetAccessPlan {
        let mut access = ParquetAccessPlan::new_none(self.metadata.num_row_groups());
        for of_group in located.rows.chunk_by(|a, b| a.0 == b.0) {
            let Some((group, _)) = of_group.first() else { continue };
            let all = self.metadata.row_group(*group).num_rows();
            let (mut selectors, mut at) = (Vec::with_capacity(of_group.len() * 2 + 1), 0_usize);
            for (_, rows) in of_group {
                let (start, end) = (rows.start as usize, rows.end as usize);
                if start > at {
                    selectors.push(RowSelector::skip(start - at));
                }
                selectors.push(RowSelector::select(end - start));
                at = end;
            }
            if let [only] = selectors.as_slice()
                && i64::try_from(only.row_count).ok() == Some(all)
            {
                access.set(*group, RowGroupAccess::Scan);
                continue;
            }
            if let Some(rest) = usize::try_from(all).ok().and_then(|all| all.checked_sub(at)).filter(|rest| *rest > 0) {
                selectors.push(RowSelector::skip(rest));
            }
            access.set(*group, RowGroupAccess::Selection(RowSelection::from(selectors)));
        }
        access
    }
}

impl Located {
    /// Adds the runs of a few series of a row group. To look for one number among many is much faster than to look up every one of them.
    fn find_few(&mut self, slot: usize, series: &SeriesRows, few: impl Iterator<Item = (u32, u64)>) {
        for (rank, id) in few {
            let Some(first) = series.ids.iter().position(|other| *other == id) else { continue };
            let runs = series.ids[first..].iter().take_while(|other| **other == id).count();
            self.pieces.extend((first..first + runs).map(|run| Piece { rank, group: slot as u32, run: run as u32 }));
            let start = first.checked_sub(1).map_or(0, |before| series.ends[before]);
            self.rows += u64::from(series.ends[first + runs - 1] - start);
        }
    }

    /// Cuts off what is of ranks below `rank`.
    pub(super) fn take_below(&mut self, rank: u32) -> Vec<Piece> {
        let at = self.pieces.partition_point(|piece| piece.rank < rank);
        let rest = self.pieces.split_off(at);
        std::mem::replace(&mut self.pieces, rest)
    }

    /// The rows of some pieces.
    pub(super) fn select(&self, pieces: &[Piece]) -> Selected {
        let mut selected = Selected::default();
        for piece in pieces {
            let Some((group, series)) = self.groups.get(piece.group as usize) else { continue };
            let run = piece.run as usize;
            let start = run.checked_sub(1).map_or(0, |before| series.ends[before]);
            selected.push(piece.rank, *group, start..series.ends[run]);
        }
        selected
    }
}

impl Selected {
    fn push(&mut self, rank: u32, group: usize, rows: Range<u32>) {
        match self.runs.last_mut() {
            // Cut by the end of a row group, or by another form of its numbers.
            Some(run) if run.rank == rank => run.rows += rows.end - rows.start,
            _ => self.runs.push(Run { rank, rows: rows.end - rows.start }),
        }
        match self.rows.last_mut() {
            Some((last, before)) if *last == group && before.end == rows.start => before.end = rows.end,
            _ => self.rows.push((group, rows)),
        }
    }
}

/// The least and the greatest metric of a row group, or what is surely not within.
fn bounds_of_metric(group: &RowGroupMetaData, column: Option<usize>) -> Option<(&[u8], &[u8])> {
    let statistics = group.column(column?).statistics()?;
    Some((statistics.min_bytes_opt()?, statistics.max_bytes_opt()?))
}

fn may_be_within(group: &RowGroupMetaData, column: Option<usize>, range: TimeRange) -> bool {
    let Some(Statistics::Int64(statistics)) = column.and_then(|i| group.column(i).statistics()) else { return true };
    let before = statistics.max_opt().is_some_and(|max| *max < range.start.0);
    let after = statistics.min_opt().is_some_and(|min| *min >= range.end.0);
    !before && !after
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_series_are_found() {
        let series = SeriesRows { ids: vec![7, 7, 9, 3, 5], ends: vec![10, 14, 20, 21, 30], numbers: None };
        let check = |few: &[(u32, u64)], runs: &[(u32, u32)], rows: u64| {
            let mut found = Located::default();
            found.find_few(2, &series, few.iter().copied());
            let pieces: Vec<_> = runs.iter().map(|(rank, run)| Piece { rank: *rank, group: 2, run: *run }).collect();
            assert_eq!((found.pieces, found.rows), (pieces, rows), "{few:?}");
        };
        check(&[(0, 7), (1, 8), (2, 3)], &[(0, 0), (0, 1), (2, 3)], 15);
        check(&[(4, 5)], &[(4, 4)], 9);
        check(&[(4, 1)], &[], 0);
    }

    #[test]
    fn rows_are_cut_by_rank() {
        let series = |ends: &[u32]| {
            let ids = (0..ends.len() as u64).collect();
            Arc::new(SeriesRows { ids, ends: ends.to_vec(), numbers: None })
        };
        let groups = vec![(3, series(&[10, 20, 25])), (4, series(&[5, 9, 30, 31]))];
        let piece = |(rank, group, run)| Piece { rank, group, run };
        let pieces = [(1, 0, 1), (2, 0, 2), (2, 1, 0), (4, 1, 1), (7, 1, 3)].map(piece).to_vec();
        let mut all = Located { groups, pieces, rows: 0 };
        let mut selected = |below| {
            let pieces = all.take_below(below);
            all.select(&pieces)
        };
        let first = selected(2);
        assert_eq!((first.rows, first.runs), (vec![(3, 10..20)], vec![Run { rank: 1, rows: 10 }]));
        let second = selected(5);
        assert_eq!(second.rows, [(3, 20..25), (4, 0..9)]);
        assert_eq!(second.runs, [Run { rank: 2, rows: 10 }, Run { rank: 4, rows: 4 }]);
        assert_eq!(selected(u32::MAX).rows, [(4, 30..31)]);
        assert!(all.pieces.is_empty());
    }
}
