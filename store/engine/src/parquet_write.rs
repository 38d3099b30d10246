//! Rows as Parquet: which encoding each column gets, and why. See docs/formats/parquet.md.

use std::collections::HashSet;
use std::io::Write;

use arrow::array::{ArrayRef, AsArray as _, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema};
use grid_model::Table;
use grid_model::table::{charges, exemplars, logs, samples, series, spans};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use crate::decimals::{self, Mantissas};

/// Rows of a row group: the unit that a scan skips or reads.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows of a page: what a point lookup decodes at least.
const PAGE_ROWS: usize = 8 * 1024;
/// Encoded bytes of a page of compacted samples, of a file with at least so many rows: small pages compress worse, and of a small file all is
/// unpacked in a millisecond anyway.
const PAGE_BYTES: usize = 16 * 1024;
const PAGED_FROM: usize = 4 * ROW_GROUP_ROWS;

/// Encoded bytes of a row group: one of very long rows ends early, because the writer holds a row group in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// How long a file will rest, which decides what its encoding may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Until its window is compacted.
    Short,
    /// For good, as far as is known.
    Long,
}

impl Rest {
    /// By the level of the file.
    pub fn of_level(level: u8) -> Self {
        if level > 0 { Self::Long } else { Self::Short }
    }
}

/// A sorted batch as the bytes of a Parquet file.
pub fn encode(table: Table, sorted: &RecordBatch, rest: Rest) -> Result<Vec<u8>, ParquetError> {
    let sorted = if table == Table::Series { &without_absent(sorted)? } else { sorted };
    let mut writer = ParquetWriter::new(table, sorted, sorted.num_rows(), rest, Vec::new())?;
    writer.write(sorted)?;
    writer.finish()
}

/// A Parquet file in the making: sorted batches go in one after the other, row groups come out at `W` as they fill.
///
/// The Arrow schema is not embedded: a reader sees plain Parquet types (text, not dictionaries), whoever it is.
pub struct ParquetWriter<W: Write + Send> {
    inner: ArrowWriter<W>,
    table: Table,
    rest: Rest,
    mantissas: Mantissas,
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A file of about `rows` rows that begins with the rows of `first`, which are still to be written.
    pub fn new(table: Table, first: &RecordBatch, rows: usize, rest: Rest, sink: W) -> Result<Self, ParquetError> {
        let (mantissas, encoding) = match (table, rest) {
            (Table::Samples, Rest::Long) => mantissas_of(first)?,
            _ => (Mantissas::Plain, Encoding::PLAIN),
        };
        let first = stored(table, rest, mantissas, first)?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties(table, &first, rows, rest, encoding)?)
            .with_skip_arrow_metadata(true);
        Ok(Self { inner: ArrowWriter::try_new_with_options(sink, first.schema(), options)?, table, rest, mantissas })
    }

    /// Appends rows that sort behind those before.
    pub fn write(&mut self, sorted: &RecordBatch) -> Result<(), ParquetError> {
        self.inner.write(&stored(self.table, self.rest, self.mantissas, sorted)?)
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

/// Rows in the columns of their file.
fn stored(table: Table, rest: Rest, mantissas: Mantissas, rows: &RecordBatch) -> Result<RecordBatch, ParquetError> {
    Ok(match (table, rest) {
        (Table::Samples, Rest::Long) => decimals::split(rows, mantissas)?,
        (Table::Samples, Rest::Short) => decimals::unsplit(rows)?,
        _ => rows.clone(),
    })
}

/// The batch without nullable columns that are null throughout: series of Prometheus clients have none of OTLP's seventeen, which would
/// cost as much as their labels. Readers fill them with nulls.
fn without_absent(batch: &RecordBatch) -> Result<RecordBatch, ParquetError> {
    let present = |i: &usize| {
        let column = batch.column(*i);
        !batch.schema().field(*i).is_nullable() || column.null_count() < column.len()
    };
    Ok(batch.project(&(0..batch.num_columns()).filter(present).collect::<Vec<_>>())?)
}

/// How mantissas take the fewest bytes, with their bases, on the first row group's rows. Series of many rows want the chain; of few
/// rows each base is too dear, and bytes of a kind compress well with those of the series before.
fn mantissas_of(first: &RecordBatch) -> Result<(Mantissas, Encoding), ParquetError> {
    let head = first.slice(0, first.num_rows().min(ROW_GROUP_ROWS));
    let mut best: Option<(usize, Mantissas, Encoding)> = None;
    for (form, encodings) in [
        (Mantissas::Plain, &[Encoding::BYTE_STREAM_SPLIT, Encoding::DELTA_BINARY_PACKED][..]),
        (Mantissas::Chained, &[Encoding::DELTA_BINARY_PACKED][..]),
    ] {
        let rows = decimals::split(&head, form)?;
        let (Some(mantissas), Some(bases)) =
            (rows.column_by_name(samples::MANTISSA), rows.column_by_name(samples::BASE))
        else {
            break;
        };
        let of_bases = if form == Mantissas::Chained { encoded_bytes(bases, None)? } else { 0 };
        for encoding in encodings {
            let bytes = encoded_bytes(mantissas, Some(*encoding))? + of_bases;
            if best.is_none_or(|(least, ..)| bytes < least) {
                best = Some((bytes, form, *encoding));
            }
        }
    }
    Ok(best.map_or((Mantissas::Plain, Encoding::DELTA_BINARY_PACKED), |(_, form, encoding)| (form, encoding)))
}

/// Of some encodings of a column, `None` being a dictionary, the one that takes the fewest bytes on the first row group's rows.
fn smallest<const N: usize>(
    batch: &RecordBatch,
    name: &str,
    encodings: [Option<Encoding>; N],
) -> Result<Option<Encoding>, ParquetError> {
    let Some(column) = batch.column_by_name(name) else { return Ok(Some(Encoding::PLAIN)) };
    let head = column.slice(0, column.len().min(ROW_GROUP_ROWS));
    let mut best: Option<(usize, Option<Encoding>)> = None;
    for encoding in encodings {
        let bytes = encoded_bytes(&head, encoding)?;
        if best.is_none_or(|(least, _)| bytes < least) {
            best = Some((bytes, encoding));
        }
    }
    Ok(best.map_or(Some(Encoding::PLAIN), |(_, encoding)| encoding))
}

/// Bytes of a column in an encoding, or in a dictionary.
fn encoded_bytes(column: &ArrayRef, encoding: Option<Encoding>) -> Result<usize, ParquetError> {
    let schema = Schema::new(vec![Field::new("x", column.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(schema.into(), vec![ArrayRef::clone(column)])?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3).unwrap_or_default()))
        .set_dictionary_enabled(encoding.is_none())
        .set_data_page_row_count_limit(ROW_GROUP_ROWS)
        .set_statistics_enabled(EnabledStatistics::None);
    let properties = encoding.into_iter().fold(properties, WriterPropertiesBuilder::set_encoding).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?.len())
}

fn properties(
    table: Table,
    first: &RecordBatch,
    rows: usize,
    rest: Rest,
    mantissas: Encoding,
) -> Result<WriterProperties, ParquetError> {
    let column = |name: &str| ColumnPath::from(name);
    let level = match (table, rest) {
        (Table::Samples, Rest::Long) => 12,
        (Table::Series, _) => 9,
        _ => 3,
    };
    let mut b = WriterProperties::builder()
        .set_created_by(concat!("grid ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(level).unwrap_or_default()))
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
    if table != Table::Series {
        b = plain(b, table.time_column(), Encoding::DELTA_BINARY_PACKED);
    }
    match table {
        Table::Samples => {
            // Neighbouring floats of a series share their high bytes; split into streams, zstd sees the runs.
            b = plain(b, samples::VALUE, Encoding::BYTE_STREAM_SPLIT);
            // Ids are hashes in runs: zstd copies what a delta only shortens.
            b = plain(b, samples::SERIES_ID, Encoding::PLAIN);
            if rest == Rest::Long {
                let measured = |b: WriterPropertiesBuilder, name: &str, encoding: Option<Encoding>| match encoding {
                    Some(encoding) => plain(b, name, encoding),
                    None => b.set_column_dictionary_enabled(column(name), true),
                };
                b = plain(b, samples::MANTISSA, mantissas);
                // Measured, not guessed: a common clock wants copies, a ragged one deltas.
                let (deltas, copies) = (Encoding::DELTA_BINARY_PACKED, Encoding::PLAIN);
                let time = [Some(deltas), Some(copies), Some(Encoding::BYTE_STREAM_SPLIT)];
                b = measured(b, samples::TIME, smallest(first, samples::TIME, time)?);
                // Long runs want a dictionary, short ones are copied.
                b = measured(b, samples::SERIES_ID, smallest(first, samples::SERIES_ID, [None, Some(copies)])?);
                // A page of a sorted column with few values is tiny; its header is not. So pages of all rows, but of columns that
                // take room: who wants one series must not unpack a hundred.
                b = b.set_data_page_row_count_limit(ROW_GROUP_ROWS);
                for name in [samples::VALUE, samples::MANTISSA].into_iter().filter(|_| rows >= PAGED_FROM) {
                    b = b.set_column_data_page_size_limit(column(name), PAGE_BYTES);
                }
            }
        }
        Table::Series => {
            b = plain(b, series::SERIES_ID, Encoding::PLAIN);
            // Sorted names share their beginnings.
            b = plain(b, series::METRIC, Encoding::DELTA_BYTE_ARRAY);
            // Labels repeat in the order of their neighbours, which zstd sees and a dictionary hides.
            for part in ["key", "value"] {
                let path = ColumnPath::from(vec![series::LABELS.to_owned(), "entries".to_owned(), part.to_owned()]);
                b = b.set_column_dictionary_enabled(path, false);
            }
        }
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
        Table::Charges => {
            b = plain(b, charges::SOURCE_ROW, Encoding::DELTA_BINARY_PACKED);
            b = without_statistics(b, first.schema_ref());
            for (field, values) in first.schema_ref().fields().iter().zip(first.columns()) {
                if values.as_primitive_opt::<Decimal128Type>().is_some_and(mostly_distinct) {
                    b = b.set_column_dictionary_enabled(column(field.name()), false);
                }
            }
        }
        Table::Metadata
        | Table::Prices
        | Table::Allocations
        | Table::Anomalies
        | Table::Forecasts
        | Table::Patterns
        | Table::Recommendations => {}
    }
    Ok(b.build())
}

/// Columns of a bill whose least and greatest value can rule out a row group, beside times: it has few of them, often one.
const CHARGES_RULED_OUT_BY: [charges::Column; 8] = [
    charges::Column::BillingAccountId,
    charges::Column::SubAccountId,
    charges::Column::InvoiceId,
    charges::Column::BillingCurrency,
    charges::Column::ServiceProviderName,
    charges::Column::ServiceName,
    charges::Column::ChargeCategory,
    charges::Column::RegionId,
];

/// No statistics of the other texts and amounts of a bill: they are in no order, and comparing each value with the least and the greatest was a
/// twentieth of an import.
fn without_statistics(b: WriterPropertiesBuilder, schema: &Schema) -> WriterPropertiesBuilder {
    let kept = |name: &str| CHARGES_RULED_OUT_BY.iter().any(|c| c.name() == name) || name == charges::IMPORT_ID;
    let none =
        |b: WriterPropertiesBuilder, path: ColumnPath| b.set_column_statistics_enabled(path, EnabledStatistics::None);
    schema.fields().iter().filter(|field| !kept(field.name())).fold(b, |b, field| match field.data_type() {
        DataType::Utf8 | DataType::Decimal128(..) => none(b, ColumnPath::from(field.name().as_str())),
        DataType::Map(..) => ["key", "value"].into_iter().fold(b, |b, part| {
            none(b, ColumnPath::from(vec![field.name().to_owned(), "entries".to_owned(), part.to_owned()]))
        }),
        _ => b,
    })
}

/// Whether a dictionary of a bill's amounts would be as long as the column: costs seldom repeat, prices do.
fn mostly_distinct(amounts: &Decimal128Array) -> bool {
    const SAMPLE: usize = 1024;
    let sample: Vec<i128> = amounts.iter().flatten().take(SAMPLE).collect();
    sample.iter().collect::<HashSet<_>>().len() * 2 > sample.len()
}

/// A Bloom filter, so that a lookup by id opens only the row groups that can hold it. Ids are random: no dictionary.
fn with_bloom(b: WriterPropertiesBuilder, name: &str, rows: usize) -> WriterPropertiesBuilder {
    let column = ColumnPath::from(name);
    b.set_column_dictionary_enabled(column.clone(), false)
        .set_column_bloom_filter_enabled(column.clone(), true)
        .set_column_bloom_filter_fpp(column.clone(), 0.01)
        .set_column_bloom_filter_max_ndv(column, rows.clamp(1, ROW_GROUP_ROWS) as u64)
}
