//! Whole files back into batches, for compaction and rewriting. Queries read through DataFusion instead.

use arrow::array::RecordBatch;
use bytes::Bytes;
use grid_model::Table;
use grid_model::table::samples;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::decimals;
use crate::error::StoreError;
use crate::sort::conform;

/// Rows decoded at once.
const BATCH_ROWS: usize = 64 * 1024;

/// All rows of a file in the schema of its table as appended; for samples [`samples::number_schema`] if the file has no
/// distributions, and never `metric`, which the series index knows.
pub fn read_all(table: Table, bytes: Bytes) -> Result<Vec<RecordBatch>, StoreError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let mut schema = table.schema();
    if table == Table::Samples && reader.schema().index_of(samples::HISTOGRAM).is_err() {
        schema = samples::number_schema();
    }
    let mut out = Vec::new();
    for batch in reader.with_batch_size(BATCH_ROWS).build()? {
        let batch = batch?;
        let batch = if table == Table::Samples { decimals::join(&batch)? } else { batch };
        out.push(conform(&batch, &schema)?);
    }
    Ok(out)
}
