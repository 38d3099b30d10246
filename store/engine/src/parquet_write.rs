//! Rows as Parquet: which encoding each column gets, and why. See docs/formats/parquet.md.

use std::io::Write;

use arrow::array::RecordBatch;
use grid_model::Table;
use grid_model::table::{exemplars, logs, samples, series, spans};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

/// Rows of a row group: the unit that a scan skips or reads.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows of a page: what a point lookup decodes at least.
const PAGE_ROWS: usize = 8 * 1024;

/// Encoded bytes of a row group: one of very long rows ends early, because the writer holds a row group in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// A sorted batch as the bytes of a Parquet file.
pub fn encode(table: Table, sorted: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let mut writer = ParquetWriter::new(table, sorted, sorted.num_rows(), Vec::new())?;
    writer.write(sorted)?;
    writer.finish()
}

/// A Parquet file in the making: sorted batches go in one after the other, row groups come out at `W` as they fill.
///
/// The Arrow schema is not embedded: a reader sees plain Parquet types (text, not dictionaries), whoever it is.
pub struct ParquetWriter<W: Write + Send> {
    inner: ArrowWriter<W>,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A file of about `rows` rows that begins with the rows of `first`, which are still to be written.
    pub fn new(table: Table, first: &RecordBatch, rows: usize, sink: W) -> Result<Self, ParquetError> {
        let options = ArrowWriterOptions::new().with_properties(properties(table, rows)).with_skip_arrow_metadata(true);
        Ok(Self { inner: ArrowWriter::try_new_with_options(sink, first.schema(), options)? })
    }

    /// Appends rows that sort behind those before.
    pub fn write(&mut self, sorted: &RecordBatch) -> Result<(), ParquetError> {
        self.inner.write(sorted)
    }

    /// Bytes that wait in memory for the end of their row group.
    pub fn held_bytes(&self) -> usize {
        self.inner.memory_size()
    }

    /// Ends the row group now, to give its memory back.
    pub fn end_row_group(&mut self) -> Result<(), ParquetError> {
        self.inner.flush()
    }

    /// Writes the footer.
    pub fn finish(self) -> Result<W, ParquetError> {
        self.inner.into_inner()
    }
}

fn properties(table: Table, rows: usize) -> WriterProperties {
    let column = |name: &str| ColumnPath::from(name);
    let mut b = WriterProperties::builder()
        .set_created_by(concat!("grid ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(64))
        .set_column_index_truncate_length(Some(64));
    for name in table.sort_columns().iter().copied().chain([table.time_column()]) {
        b = b.set_column_statistics_enabled(column(name), EnabledStatistics::Page);
    }
    // Times and ids are sorted or nearly so: deltas are small, a dictionary would hold every value.
    let plain = |b: WriterPropertiesBuilder, name: &str, encoding: Encoding| {
        b.set_column_dictionary_enabled(column(name), false).set_column_encoding(column(name), encoding)
    };
    b = plain(b, table.time_column(), Encoding::DELTA_BINARY_PACKED);
    match table {
        Table::Samples => {
            b = plain(b, samples::SERIES_ID, Encoding::DELTA_BINARY_PACKED);
            // Neighbouring floats of a series share their high bytes; split into streams, zstd sees the runs.
            b = plain(b, samples::VALUE, Encoding::BYTE_STREAM_SPLIT);
        }
        Table::Series => b = plain(b, series::SERIES_ID, Encoding::PLAIN),
        Table::Exemplars => b = with_bloom(b, exemplars::TRACE_ID, rows),
        Table::Logs => {
            b = with_bloom(b, logs::TRACE_ID, rows);
            b = b.set_column_dictionary_enabled(column(logs::BODY), false);
        }
        Table::Spans => {
            b = with_bloom(b, spans::TRACE_ID, rows);
            b = b.set_column_dictionary_enabled(column(spans::SPAN_ID), false);
            b = plain(b, spans::DURATION_NS, Encoding::DELTA_BINARY_PACKED);
        }
        Table::Metadata | Table::Charges => {}
    }
    b.build()
}

/// A Bloom filter, so that a lookup by id opens only the row groups that can hold it. Ids are random: no dictionary.
fn with_bloom(b: WriterPropertiesBuilder, name: &str, rows: usize) -> WriterPropertiesBuilder {
    let column = ColumnPath::from(name);
    b.set_column_dictionary_enabled(column.clone(), false)
        .set_column_bloom_filter_enabled(column.clone(), true)
        .set_column_bloom_filter_fpp(column.clone(), 0.01)
        .set_column_bloom_filter_max_ndv(column, rows.clamp(1, ROW_GROUP_ROWS) as u64)
}
