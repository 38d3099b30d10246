//! `samples`: one sample of one series. Labels are not here: they rest in `series`, once.
//!
//! A batch or file without any distribution leaves the column [`HISTOGRAM`] out ([`number_schema`]): its nineteen null
//! children would cost more than the numbers. Readers fill it with nulls.
//!
//! A compacted file stores most numbers as decimals, [`MANTISSA`], [`BASE`] and [`SCALE`] ([`crate::decimal_float`]); [`restore`] gives
//! back the same bits. As appended, and to every reader of Grid, a number is one column, [`VALUE`].

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{
    ArrayBuilder, Float64Builder, Int32Builder, ListBuilder, StringBuilder, StructBuilder, TimestampNanosecondBuilder,
    UInt32Builder, UInt64Builder,
};
use arrow_array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};

use super::column::{UTC, text, timestamp};
use crate::decimal_float;
use crate::histogram::{Counts, Histogram, HistogramKind, Span};
use crate::series::SeriesId;
use crate::time::Timestamp;

/// Name of the metric; only in files, by which they are sorted.
pub const METRIC: &str = "metric";
/// [`SeriesId`], `u64`.
pub const SERIES_ID: &str = "series_id";
/// When the sample was taken.
pub const TIME: &str = "time";
/// Since when a cumulative value counts, if the client said so.
pub const START_TIME: &str = "start_time";
/// The number; null for a distribution. A stale marker keeps its NaN's bits.
pub const VALUE: &str = "value";
/// The exact integer where `value` cannot hold it (OTLP `as_int` beyond 2^53).
pub const VALUE_INT: &str = "value_int";
/// Only in files: the whole number of a value stored as a decimal; null where [`VALUE`] holds the value itself.
pub const MANTISSA: &str = "value_mantissa";
/// Only in files: what is to be added to [`MANTISSA`] first; null for nothing. The same for neighbouring rows of a series.
pub const BASE: &str = "value_base";
/// Only in files: what makes the value out of [`MANTISSA`] and [`BASE`]: divide by it if it is 1 or more, else multiply by it without
/// its sign.
pub const SCALE: &str = "value_scale";
/// The distribution; null for a number. See [`Histogram`].
pub const HISTOGRAM: &str = "histogram";

/// Fields of the struct column [`HISTOGRAM`].
pub fn histogram_fields() -> Fields {
    let list =
        |name: &str, item: DataType| Field::new(name, DataType::List(Arc::new(Field::new("item", item, true))), true);
    let span = DataType::Struct(span_fields());
    let quantile = DataType::Struct(quantile_fields());
    Fields::from(vec![
        text("kind", false),
        Field::new("count", DataType::UInt64, false),
        Field::new("count_float", DataType::Float64, true),
        Field::new("sum", DataType::Float64, true),
        Field::new("min", DataType::Float64, true),
        Field::new("max", DataType::Float64, true),
        Field::new("schema", DataType::Int32, true),
        Field::new("zero_threshold", DataType::Float64, true),
        Field::new("zero_count", DataType::UInt64, false),
        Field::new("zero_count_float", DataType::Float64, true),
        list("positive_spans", span.clone()),
        list("positive_counts", DataType::UInt64),
        list("positive_counts_float", DataType::Float64),
        list("negative_spans", span),
        list("negative_counts", DataType::UInt64),
        list("negative_counts_float", DataType::Float64),
        list("bounds", DataType::Float64),
        list("quantiles", quantile),
        Field::new("reset_hint", DataType::Int32, false),
    ])
}

fn span_fields() -> Fields {
    Fields::from(vec![Field::new("offset", DataType::Int32, false), Field::new("length", DataType::UInt32, false)])
}

fn quantile_fields() -> Fields {
    Fields::from(vec![Field::new("quantile", DataType::Float64, false), Field::new("value", DataType::Float64, false)])
}

/// The schema as appended, distributions included.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields(false, true))));
    Arc::clone(&SCHEMA)
}

/// The schema of a batch without distributions.
pub fn number_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields(false, false))));
    Arc::clone(&SCHEMA)
}

/// The schema in files: [`METRIC`] in front, [`MANTISSA`], [`BASE`] and [`SCALE`] behind [`VALUE`]. Files of former versions lack
/// [`BASE`], which is as if it were null.
pub fn file_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| Arc::new(Schema::new(fields(true, true))));
    Arc::clone(&SCHEMA)
}

/// The values of rows as they rest in a file: where `value` is null and there is a mantissa, the decimal that it stands for.
/// All columns have the same length. `base` is null where there is none; `None` if the file has no such column.
pub fn restore(
    value: &Float64Array,
    mantissa: &Int64Array,
    base: Option<&Int64Array>,
    scale: &Float64Array,
) -> Float64Array {
    if mantissa.null_count() == mantissa.len() {
        return value.clone();
    }
    let scaled = mantissa.values().iter().zip(scale.values());
    match base.filter(|base| base.null_count() < base.len()) {
        None => merged(value, mantissa, scaled.map(|(m, s)| decimal_float::restore(*m, *s))),
        // Bases are only where mantissas are, so as many nulls are the same nulls, and what lies under them does not matter.
        Some(base) if base.null_count() == mantissa.null_count() => {
            let based = scaled.zip(base.values());
            merged(value, mantissa, based.map(|((m, s), b)| decimal_float::restore(m.wrapping_add(*b), *s)))
        }
        Some(base) => {
            let based = scaled.zip(base.iter());
            merged(value, mantissa, based.map(|((m, s), b)| decimal_float::restore(m.wrapping_add(b.unwrap_or(0)), *s)))
        }
    }
}

/// The decimals where there is a mantissa, the values elsewhere.
fn merged(value: &Float64Array, mantissa: &Int64Array, decimals: impl Iterator<Item = f64>) -> Float64Array {
    if value.null_count() == value.len() {
        return Float64Array::new(decimals.collect(), mantissa.nulls().cloned());
    }
    let merged = decimals.enumerate().map(|(i, decimal)| if mantissa.is_valid(i) { decimal } else { value.value(i) });
    let known = (0..value.len()).map(|i| value.is_valid(i) || mantissa.is_valid(i));
    Float64Array::new(merged.collect(), Some(NullBuffer::from_iter(known)).filter(|n| n.null_count() > 0))
}

fn fields(files: bool, histogram: bool) -> Vec<Field> {
    let mut fields = vec![
        Field::new(SERIES_ID, DataType::UInt64, false),
        timestamp(TIME, false),
        timestamp(START_TIME, true),
        Field::new(VALUE, DataType::Float64, true),
        Field::new(VALUE_INT, DataType::Int64, true),
    ];
    if files {
        fields.insert(0, text(METRIC, false));
        let at = fields.iter().position(|f| f.name() == VALUE_INT).unwrap_or(fields.len());
        fields.insert(at, Field::new(SCALE, DataType::Float64, true));
        fields.insert(at, Field::new(BASE, DataType::Int64, true));
        fields.insert(at, Field::new(MANTISSA, DataType::Int64, true));
    }
    if histogram {
        fields.push(Field::new(HISTOGRAM, DataType::Struct(histogram_fields()), true));
    }
    fields
}

/// What one sample holds.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A float.
    Float(f64),
    /// An integer; kept exactly.
    Int(i64),
    /// A distribution.
    Histogram(Box<Histogram>),
}

/// Builds a batch row by row: of [`number_schema`] if no row is a distribution, else of [`schema`].
#[derive(Default)]
pub struct SamplesBuilder {
    series_id: Vec<u64>,
    time: Vec<i64>,
    start_time: TimestampNanosecondBuilder,
    value: Float64Builder,
    /// Rows whose integer does not fit a float, ascending.
    value_int: Vec<(usize, i64)>,
    /// Rows that are distributions, ascending.
    histogram: Vec<(usize, Histogram)>,
}

impl SamplesBuilder {
    /// An empty builder with room for `rows` rows.
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            series_id: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
            start_time: TimestampNanosecondBuilder::with_capacity(rows),
            value: Float64Builder::with_capacity(rows),
            ..Self::default()
        }
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.series_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends one sample.
    pub fn push(&mut self, series: SeriesId, time: Timestamp, start: Option<Timestamp>, value: SampleValue) {
        match value {
            SampleValue::Float(v) => self.push_float(series, time, start, v),
            SampleValue::Int(i) => {
                if (i as f64) as i128 != i128::from(i) {
                    self.value_int.push((self.len(), i));
                }
                self.push_float(series, time, start, i as f64);
            }
            SampleValue::Histogram(h) => {
                self.histogram.push((self.len(), *h));
                self.push_head(series, time, start);
                self.value.append_null();
            }
        }
    }

    /// Appends one float sample: the hot path.
    pub fn push_float(&mut self, series: SeriesId, time: Timestamp, start: Option<Timestamp>, value: f64) {
        self.push_head(series, time, start);
        self.value.append_value(value);
    }

    fn push_head(&mut self, series: SeriesId, time: Timestamp, start: Option<Timestamp>) {
        self.series_id.push(series.0);
        self.time.push(time.nanos());
        self.start_time.append_option(start.map(Timestamp::nanos));
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> RecordBatch {
        let Self { series_id, time, mut start_time, mut value, value_int, histogram } = std::mem::take(self);
        let rows = series_id.len();
        let value_int: Int64Array =
            if value_int.is_empty() { Int64Array::new_null(rows) } else { scatter(rows, value_int).collect() };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(UInt64Array::from(series_id)),
            Arc::new(TimestampNanosecondArray::from(time).with_timezone(UTC)),
            Arc::new(start_time.finish().with_timezone(UTC)),
            Arc::new(value.finish()),
            Arc::new(value_int),
        ];
        let schema = if histogram.is_empty() {
            number_schema()
        } else {
            let mut builder = histogram_builder();
            scatter(rows, histogram).for_each(|h| append_histogram(&mut builder, h.as_ref()));
            columns.push(Arc::new(builder.finish()));
            schema()
        };
        RecordBatch::try_new(schema, columns).expect("columns match the schema of samples")
    }
}

/// Spreads items known by row over `rows` rows.
fn scatter<T>(rows: usize, items: Vec<(usize, T)>) -> impl Iterator<Item = Option<T>> {
    let mut items = items.into_iter().peekable();
    (0..rows).map(move |row| items.next_if(|(at, _)| *at == row).map(|(_, item)| item))
}

type StructListBuilder = ListBuilder<StructBuilder>;

fn histogram_builder() -> StructBuilder {
    let structs = |fields: Fields, columns: Vec<Box<dyn ArrayBuilder>>| {
        let item = Arc::new(Field::new("item", DataType::Struct(fields.clone()), true));
        Box::new(ListBuilder::new(StructBuilder::new(fields, columns)).with_field(item)) as Box<dyn ArrayBuilder>
    };
    let spans = || structs(span_fields(), vec![Box::new(Int32Builder::new()), Box::new(UInt32Builder::new())]);
    let ints = || Box::new(ListBuilder::new(UInt64Builder::new())) as Box<dyn ArrayBuilder>;
    let floats = || Box::new(ListBuilder::new(Float64Builder::new())) as Box<dyn ArrayBuilder>;
    let float = || Box::new(Float64Builder::new()) as Box<dyn ArrayBuilder>;
    let columns: Vec<Box<dyn ArrayBuilder>> = vec![
        Box::new(StringBuilder::new()),
        Box::new(UInt64Builder::new()),
        float(),
        float(),
        float(),
        float(),
        Box::new(Int32Builder::new()),
        float(),
        Box::new(UInt64Builder::new()),
        float(),
        spans(),
        ints(),
        floats(),
        spans(),
        ints(),
        floats(),
        floats(),
        structs(quantile_fields(), vec![Box::new(Float64Builder::new()), Box::new(Float64Builder::new())]),
        Box::new(Int32Builder::new()),
    ];
    StructBuilder::new(histogram_fields(), columns)
}

fn append_histogram(b: &mut StructBuilder, h: Option<&Histogram>) {
    fn at<T: ArrayBuilder>(b: &mut StructBuilder, i: usize) -> &mut T {
        b.field_builder::<T>(i).expect("builder of the field's type")
    }
    let Some(h) = h else {
        at::<StringBuilder>(b, 0).append_value("");
        at::<UInt64Builder>(b, 1).append_value(0);
        for i in [2, 3, 4, 5, 7, 9] {
            at::<Float64Builder>(b, i).append_null();
        }
        at::<Int32Builder>(b, 6).append_null();
        at::<UInt64Builder>(b, 8).append_value(0);
        for i in [10, 13, 17] {
            at::<StructListBuilder>(b, i).append_null();
        }
        for i in [11, 14] {
            at::<ListBuilder<UInt64Builder>>(b, i).append_null();
        }
        for i in [12, 15, 16] {
            at::<ListBuilder<Float64Builder>>(b, i).append_null();
        }
        at::<Int32Builder>(b, 18).append_value(0);
        b.append_null();
        return;
    };
    at::<StringBuilder>(b, 0).append_value(h.kind.as_str());
    at::<UInt64Builder>(b, 1).append_value(h.count);
    for (i, v) in
        [(2, h.count_float), (3, h.sum), (4, h.min), (5, h.max), (7, h.zero_threshold), (9, h.zero_count_float)]
    {
        at::<Float64Builder>(b, i).append_option(v);
    }
    at::<Int32Builder>(b, 6).append_option(h.schema);
    at::<UInt64Builder>(b, 8).append_value(h.zero_count);
    for (first, spans, counts) in
        [(10, &h.positive_spans, &h.positive_counts), (13, &h.negative_spans, &h.negative_counts)]
    {
        let list = at::<StructListBuilder>(b, first);
        for span in spans {
            at::<Int32Builder>(list.values(), 0).append_value(span.offset);
            at::<UInt32Builder>(list.values(), 1).append_value(span.length);
            list.values().append(true);
        }
        list.append(true);
        match counts {
            Counts::Int(c) => {
                let list = at::<ListBuilder<UInt64Builder>>(b, first + 1);
                list.values().append_slice(c);
                list.append(true);
                at::<ListBuilder<Float64Builder>>(b, first + 2).append_null();
            }
            Counts::Float(c) => {
                at::<ListBuilder<UInt64Builder>>(b, first + 1).append_null();
                let list = at::<ListBuilder<Float64Builder>>(b, first + 2);
                list.values().append_slice(c);
                list.append(true);
            }
        }
    }
    let bounds = at::<ListBuilder<Float64Builder>>(b, 16);
    bounds.values().append_slice(&h.bounds);
    bounds.append(true);
    let quantiles = at::<StructListBuilder>(b, 17);
    for (q, v) in &h.quantiles {
        at::<Float64Builder>(quantiles.values(), 0).append_value(*q);
        at::<Float64Builder>(quantiles.values(), 1).append_value(*v);
        quantiles.values().append(true);
    }
    quantiles.append(true);
    at::<Int32Builder>(b, 18).append_value(h.reset_hint);
    b.append(true);
}

/// Reads the distribution in row `i` of the column [`HISTOGRAM`]; `None` where it is null or the column's type differs.
pub fn read_histogram(column: &StructArray, i: usize) -> Option<Histogram> {
    if column.is_null(i) {
        return None;
    }
    let floats = |name: &str| column.column_by_name(name)?.as_any().downcast_ref::<Float64Array>();
    let float = |name: &str| floats(name).filter(|a| a.is_valid(i)).map(|a| a.value(i));
    let whole = |name: &str| Some(column.column_by_name(name)?.as_any().downcast_ref::<UInt64Array>()?.value(i));
    let ints = |name: &str| column.column_by_name(name)?.as_any().downcast_ref::<Int32Array>();
    let list = |name: &str| {
        let lists = column.column_by_name(name)?.as_any().downcast_ref::<ListArray>()?;
        lists.is_valid(i).then(|| lists.value(i))
    };
    let float_list = |name: &str| Some(list(name)?.as_any().downcast_ref::<Float64Array>()?.values().to_vec());
    let counts = |int_name: &str, float_name: &str| {
        let int = || Some(list(int_name)?.as_any().downcast_ref::<UInt64Array>()?.values().to_vec());
        int().map(Counts::Int).or_else(|| float_list(float_name).map(Counts::Float)).unwrap_or_default()
    };
    let spans = |name: &str| {
        let rows = list(name)?;
        let rows = rows.as_any().downcast_ref::<StructArray>()?;
        let offset = rows.column(0).as_any().downcast_ref::<Int32Array>()?;
        let length = rows.column(1).as_any().downcast_ref::<UInt32Array>()?;
        Some((0..rows.len()).map(|j| Span { offset: offset.value(j), length: length.value(j) }).collect())
    };
    let quantiles = || {
        let rows = list("quantiles")?;
        let rows = rows.as_any().downcast_ref::<StructArray>()?;
        let q = rows.column(0).as_any().downcast_ref::<Float64Array>()?;
        let v = rows.column(1).as_any().downcast_ref::<Float64Array>()?;
        Some((0..rows.len()).map(|j| (q.value(j), v.value(j))).collect())
    };
    let kinds = column.column_by_name("kind")?.as_any().downcast_ref::<StringArray>()?;
    Some(Histogram {
        kind: HistogramKind::parse(kinds.value(i))?,
        count: whole("count")?,
        count_float: float("count_float"),
        sum: float("sum"),
        min: float("min"),
        max: float("max"),
        schema: ints("schema").filter(|a| a.is_valid(i)).map(|a| a.value(i)),
        zero_threshold: float("zero_threshold"),
        zero_count: whole("zero_count")?,
        zero_count_float: float("zero_count_float"),
        positive_spans: spans("positive_spans").unwrap_or_default(),
        positive_counts: counts("positive_counts", "positive_counts_float"),
        negative_spans: spans("negative_spans").unwrap_or_default(),
        negative_counts: counts("negative_counts", "negative_counts_float"),
        bounds: float_list("bounds").unwrap_or_default(),
        quantiles: quantiles().unwrap_or_default(),
        reset_hint: ints("reset_hint").map_or(0, |a| a.value(i)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_distributions_come_back() {
        let native = Histogram {
            kind: HistogramKind::Native,
            count_float: Some(3.5),
            sum: Some(f64::NAN),
            schema: Some(-53),
            positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }],
            positive_counts: Counts::Float(vec![1.0, 0.5, 2.0]),
            bounds: vec![0.1, 1.0],
            reset_hint: 3,
            ..Histogram::default()
        };
        let explicit = Histogram {
            count: 6,
            min: Some(-0.0),
            max: Some(9.0),
            bounds: vec![1.0],
            positive_counts: Counts::Int(vec![5, 1]),
            quantiles: vec![(0.5, 1.0)],
            ..Histogram::default()
        };
        let mut b = SamplesBuilder::default();
        b.push(SeriesId(1), Timestamp(1), None, SampleValue::Float(-0.0));
        b.push(SeriesId(1), Timestamp(2), Some(Timestamp(0)), SampleValue::Int((1 << 53) + 1));
        b.push(SeriesId(2), Timestamp(3), None, SampleValue::Histogram(Box::new(native.clone())));
        b.push(SeriesId(2), Timestamp(4), None, SampleValue::Histogram(Box::new(explicit.clone())));
        b.push(SeriesId(2), Timestamp(5), None, SampleValue::Int(7));
        let batch = b.finish();
        let column = batch.column_by_name(HISTOGRAM).unwrap().as_any().downcast_ref::<StructArray>().unwrap();
        assert_eq!(read_histogram(column, 0), None);
        let back = read_histogram(column, 2).unwrap();
        assert!(back.sum.unwrap().is_nan());
        assert_eq!(Histogram { sum: None, ..back }, Histogram { sum: None, ..native });
        assert_eq!(read_histogram(column, 3).as_ref(), Some(&explicit));
        let ints = batch.column_by_name(VALUE_INT).unwrap().as_any().downcast_ref::<Int64Array>().unwrap();
        let ints: Vec<_> = ints.iter().collect();
        assert_eq!(ints, [None, Some((1 << 53) + 1), None, None, None]);
        assert!(b.is_empty());
    }
}
