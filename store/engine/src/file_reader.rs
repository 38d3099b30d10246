//! A file's rows in bounded batches, for merging and rewriting: however large the file, and however long its rows, only about
//! so many bytes are decoded at once.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::TryStreamExt as _;
use grid_model::Table;
use grid_model::table::samples;
use object_store::ObjectStoreExt as _;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::PageIndexPolicy;

use crate::decimals;
use crate::error::StoreError;
use crate::sort::conform;
use crate::store::Shared;

/// Rows decoded at once, however short they are.
const BATCH_ROWS_MAX: usize = 32 * 1024;

/// Opens a file for reading. One that rests in a bucket is copied to the data directory first, under a name that is removed at
/// once, so that nothing is left of it, whatever happens.
pub(crate) async fn fetch(shared: &Arc<Shared>, path: &str) -> Result<File, StoreError> {
    if let Some(root) = shared.objects.local_dir() {
        let path = root.join(path);
        return File::open(&path).map_err(StoreError::io("open", &path));
    }
    let copy = shared.options.data_dir.join(format!("fetch-{}", shared.nonce()));
    let fail = |what| StoreError::io(what, &copy);
    let options = || std::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&copy);
    let mut file = options().map_err(fail("create"))?;
    std::fs::remove_file(&copy).map_err(fail("unlink"))?;
    let (store, _) = shared.objects.parts();
    let mut body = store.get(&shared.objects.object_path(path)).await?.into_stream();
    while let Some(bytes) = body.try_next().await? {
        file.write_all(&bytes).map_err(fail("write"))?;
    }
    Ok(file)
}

/// The schema in which rows of a file are merged: as appended, for samples with the metric's name in front, as a dictionary.
fn merge_schema(table: Table, has_histograms: bool) -> SchemaRef {
    if table != Table::Samples {
        return table.schema();
    }
    let rows = if has_histograms { samples::schema() } else { samples::number_schema() };
    let name = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields =
        std::iter::once(Arc::new(Field::new(samples::METRIC, name, false))).chain(rows.fields().iter().cloned());
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of one file, in its order.
pub(crate) struct FileReader {
    file: File,
    metadata: ArrowReaderMetadata,
    schema: SchemaRef,
    batch_bytes: usize,
    next_group: usize,
    reader: Option<ParquetRecordBatchReader>,
}

impl FileReader {
    /// Reads a file in batches of about `batch_bytes` decoded bytes.
    pub(crate) fn open(table: Table, file: File, batch_bytes: usize) -> Result<Self, StoreError> {
        let options = ArrowReaderOptions::new().with_offset_index_policy(PageIndexPolicy::Optional);
        let mut metadata = ArrowReaderMetadata::load(&file, options.clone())?;
        let schema = merge_schema(table, metadata.schema().index_of(samples::HISTOGRAM).is_ok());
        // Where a dictionary is wanted the reader keeps the file's own, instead of a text per row.
        let hinted: Vec<Arc<Field>> = metadata
            .schema()
            .fields()
            .iter()
            .map(|field| match schema.field_with_name(field.name()) {
                Ok(wanted) if matches!(wanted.data_type(), DataType::Dictionary(..)) => {
                    Arc::new(field.as_ref().clone().with_data_type(wanted.data_type().clone()))
                }
                _ => Arc::clone(field),
            })
            .collect();
        let hinted = Arc::new(Schema::new(hinted));
        metadata = ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options.with_schema(hinted))?;
        Ok(Self { file, metadata, schema, batch_bytes, next_group: 0, reader: None })
    }

    /// How many rows of a row group fit into a batch. Pages are bounded in bytes, so the longest rows of one are what counts: a
    /// batch exceeds its size by a page of each column at most.
    fn batch_rows(&self, group: usize) -> usize {
        let parquet = self.metadata.metadata();
        let offsets = parquet.offset_index().and_then(|all| all.get(group));
        let rows = parquet.row_group(group).num_rows().max(1);
        let mut row_bytes = 0;
        for (n, chunk) in parquet.row_group(group).columns().iter().enumerate() {
            // A value, or the offset of a text, per entry.
            row_bytes += 8 * chunk.num_values() / rows;
            if chunk.column_type() != PhysicalType::BYTE_ARRAY {
                continue;
            }
            let pages = offsets.and_then(|columns| columns.get(n));
            let longest = pages.and_then(|index| {
                let locations = index.page_locations();
                let ends = locations.iter().skip(1).map(|p| p.first_row_index).chain([rows]);
                let bytes = index.unencoded_byte_array_data_bytes()?.iter();
                locations
                    .iter()
                    .zip(ends)
                    .zip(bytes)
                    .map(|((page, end), b)| b / (end - page.first_row_index).max(1))
                    .max()
            });
            row_bytes += longest.unwrap_or_else(|| {
                chunk.unencoded_byte_array_data_bytes().unwrap_or_else(|| chunk.uncompressed_size()) / rows
            });
        }
        (self.batch_bytes / usize::try_from(row_bytes).unwrap_or(usize::MAX).max(1)).clamp(1, BATCH_ROWS_MAX)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, StoreError> {
        loop {
            if let Some(reader) = &mut self.reader
                && let Some(batch) = reader.next()
            {
                return Ok(Some(conform(&decimals::join(&batch?)?, &self.schema)?));
            }
            if self.next_group == self.metadata.metadata().num_row_groups() {
                return Ok(None);
            }
            let rows = self.batch_rows(self.next_group);
            let file = self.file.try_clone().map_err(|e| StoreError::Corrupt(format!("reopen a file: {e}")))?;
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            self.reader = Some(builder.with_batch_size(rows).with_row_groups(vec![self.next_group]).build()?);
            self.next_group += 1;
        }
    }
}

impl Iterator for FileReader {
    type Item = Result<RecordBatch, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
