//! A scan of files of which only chosen rows are read. DataFusion's protobuf of a scan leaves out which rows; above this node nobody can
//! ship the one without the other.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Result, internal_datafusion_err, internal_err, plan_err};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::DataSourceExec;
use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccess};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::wire;

/// Row groups that a file of a shipped plan may have.
const GROUPS_MAX: u32 = 1 << 20;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct PinnedExec {
    scan: Arc<dyn ExecutionPlan>,
}

impl PinnedExec {
    pub(super) fn above(scan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { scan })
    }

    /// Which rows of its files the scan reads.
    pub(super) fn to_wire(&self) -> Result<wire::Pinned> {
        let mut files = Vec::new();
        self.scan.apply(|node| {
            for file in config_of(node.as_ref()).iter().flat_map(|c| &c.file_groups).flat_map(FileGroup::files) {
                files.push(access_to_wire(file)?);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(wire::Pinned { files })
    }

    /// A scan that came without its rows, with them.
    pub(super) fn from_wire(pinned: wire::Pinned, scan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut files = pinned.files.into_iter();
        // Downwards, as they were listed.
        let scan = scan.transform_down(|node| {
            let Some(config) = config_of(node.as_ref()) else { return Ok(Transformed::no(node)) };
            let mut groups = Vec::with_capacity(config.file_groups.len());
            for group in &config.file_groups {
                let pin = |file: &PartitionedFile| match files.next() {
                    Some(access) => with_access(file.clone(), access),
                    None => {
                        plan_err!("a pinned scan does not say which rows of {} it reads", file.object_meta.location)
                    }
                };
                groups.push(FileGroup::new(group.files().iter().map(pin).collect::<Result<_>>()?));
            }
            let config = FileScanConfigBuilder::from(config.clone()).with_file_groups(groups).build();
            Ok(Transformed::yes(DataSourceExec::from_data_source(config) as Arc<dyn ExecutionPlan>))
        })?;
        if files.next().is_some() {
            return plan_err!("a pinned scan has fewer files than it says rows of");
        }
        Ok(Self::above(scan.data))
    }
}

fn config_of(node: &dyn ExecutionPlan) -> Option<&FileScanConfig> {
    node.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()
}

fn access_to_wire(file: &PartitionedFile) -> Result<wire::Access> {
    let Some(access) = file.extension::<ParquetAccessPlan>() else { return Ok(wire::Access::default()) };
    let small = |n: usize| u32::try_from(n).map_err(|_| internal_datafusion_err!("{n} rows or row groups in one file"));
    let mut read = Vec::new();
    for (index, group) in access.inner().iter().enumerate() {
        let rows = match group {
            RowGroupAccess::Skip => continue,
            RowGroupAccess::Scan => Vec::new(),
            RowGroupAccess::Selection(selection) => {
                let selectors: Vec<RowSelector> = selection.clone().into();
                let mut rows = Vec::with_capacity(selectors.len() + 1);
                for selector in selectors {
                    // Every second number is of rows that are read.
                    if selector.skip != rows.len().is_multiple_of(2) {
                        rows.push(0);
                    }
                    rows.push(small(selector.row_count)?);
                }
                rows
            }
        };
        read.push(wire::Group { index: small(index)?, rows });
    }
    Ok(wire::Access { groups: Some(small(access.len())?), read })
}

fn with_access(file: PartitionedFile, access: wire::Access) -> Result<PartitionedFile> {
    let Some(groups) = access.groups else { return Ok(file) };
    if groups > GROUPS_MAX {
        return plan_err!("{} cannot have {groups} row groups", file.object_meta.location);
    }
    let mut all = vec![RowGroupAccess::Skip; groups as usize];
    for group in access.read {
        let Some(of) = all.get_mut(group.index as usize) else {
            return plan_err!("{} has no row group {}", file.object_meta.location, group.index);
        };
        let selector = |(i, rows): (usize, u32)| match i.is_multiple_of(2) {
            true => RowSelector::skip(rows as usize),
            false => RowSelector::select(rows as usize),
        };
        *of = match group.rows.is_empty() {
            true => RowGroupAccess::Scan,
            false => {
                let selectors: Vec<RowSelector> = group.rows.into_iter().enumerate().map(selector).collect();
                RowGroupAccess::Selection(RowSelection::from(selectors))
            }
        };
    }
    Ok(file.with_extension(ParquetAccessPlan::new(all)))
}

impl DisplayAs for PinnedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GridPinnedScanExec")
    }
}

impl ExecutionPlan for PinnedExec {
    fn name(&self) -> &str {
        "GridPinnedScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.scan.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.scan]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.len()) {
            (Some(scan), 0) => Ok(Self::above(scan)),
            _ => internal_err!("GridPinnedScanExec has one child"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.scan.execute(partition, context)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_come_back_as_they_went() {
        let file = || PartitionedFile::new("samples/a.parquet", 100);
        let selected = |selectors: Vec<RowSelector>| RowGroupAccess::Selection(RowSelection::from(selectors));
        let (skip, select) = (RowSelector::skip, RowSelector::select);
        let access = vec![
            RowGroupAccess::Skip,
            RowGroupAccess::Scan,
            selected(vec![select(3), skip(2), select(1)]),
            selected(vec![skip(9), select(1), skip(90)]),
            RowGroupAccess::Skip,
        ];
        let wire = access_to_wire(&file().with_extension(ParquetAccessPlan::new(access.clone()))).unwrap();
        let back = with_access(file(), wire).unwrap();
        assert_eq!(back.extension::<ParquetAccessPlan>().unwrap().inner(), access.as_slice());
        let whole = with_access(file(), access_to_wire(&file()).unwrap()).unwrap();
        assert!(whole.extension::<ParquetAccessPlan>().is_none());
    }

    #[test]
    fn rows_of_groups_that_are_not_there_are_refused() {
        let file = || PartitionedFile::new("samples/a.parquet", 100);
        let read = vec![wire::Group { index: 2, rows: vec![] }];
        assert!(with_access(file(), wire::Access { groups: Some(2), read }).is_err());
        assert!(with_access(file(), wire::Access { groups: Some(u32::MAX), read: vec![] }).is_err());
    }
}
