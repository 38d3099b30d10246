#![allow(clippy::unwrap_used)]
use super::*;
use arrow::array::{
    BinaryArray, Decimal128Array, Float64Array, Int64Array, StringArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Schema};
use expect_test::expect;
use grid_model::AttrValue;
use grid_model::table::column::{append_attributes, attribute_map, map_builder, timestamp};

fn sample() -> RecordBatch {
    let mut maps = map_builder();
    append_attributes(&mut maps, &[("a\"b".into(), "x".into()), ("n".into(), AttrValue::Int(200))]);
    append_attributes(&mut maps, &[]);
    let schema = Schema::new(vec![
        timestamp("time", true),
        Field::new("cost", DataType::Decimal128(38, 18), true),
        Field::new("value", DataType::Float64, true),
        Field::new("id", DataType::UInt64, true),
        Field::new("n", DataType::Int64, true),
        Field::new("body", DataType::Utf8, true),
        Field::new("raw", DataType::Binary, true),
        attribute_map("attributes"),
    ]);
    let cost = Decimal128Array::from(vec![Some(-1_682_308_697_400_000_000), None]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(
                TimestampNanosecondArray::from(vec![Some(1_764_547_200_123_000_000), Some(-1)]).with_timezone("UTC"),
            ),
            Arc::new(cost.with_precision_and_scale(38, 18).unwrap()),
            Arc::new(Float64Array::from(vec![f64::NAN, 1e21])),
            Arc::new(UInt64Array::from(vec![u64::MAX, 7])),
            Arc::new(Int64Array::from(vec![Some(-5), None])),
            Arc::new(StringArray::from(vec![Some("a,\"b\"\n"), Some("")])),
            Arc::new(BinaryArray::from(vec![Some(b"\x00\xff".as_slice()), None])),
            Arc::new(maps.finish()),
        ],
    )
    .unwrap()
}

fn rendered(format: Format, error: Option<&QueryError>) -> String {
    let batch = sample();
    let mut r = Renderer::new(format, batch.schema()).unwrap();
    let mut out = r.head();
    out.extend(r.batch(&batch.slice(0, 1)).unwrap());
    out.extend(r.batch(&batch.slice(1, 1)).unwrap());
    out.extend(r.tail(error).unwrap());
    String::from_utf8(out).unwrap()
}

#[test]
fn json() {
    let text = rendered(Format::Json, None);
    let back: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(back["rows"].as_array().unwrap().len(), 2);
    expect![[r#"{"columns":[{"name":"time","type":"timestamp"},{"name":"cost","type":"decimal(38,18)"},{"name":"value","type":"double"},{"name":"id","type":"uint64"},{"name":"n","type":"int64"},{"name":"body","type":"text"},{"name":"raw","type":"bytes"},{"name":"attributes","type":"attributes"}],"rows":[{"time":"2025-12-01T00:00:00.123Z","cost":"-1.6823086974","value":"NaN","id":"18446744073709551615","n":-5,"body":"a,\"b\"\n","raw":"AP8=","attributes":{"a\"b":"x","n":200}},{"time":"1969-12-31T23:59:59.999999999Z","cost":null,"value":1e21,"id":7,"n":null,"body":"","raw":null,"attributes":{}}]}"#]]
    .assert_eq(&text);
    let broken = rendered(Format::Json, Some(&QueryError::TooManyRows(1)));
    let back: Value = serde_json::from_str(&broken).unwrap();
    assert_eq!(back["error"]["code"], "GRID-0411");
}

#[test]
fn ndjson_and_csv() {
    assert_eq!(rendered(Format::Ndjson, None).lines().count(), 2);
    expect![[r#"
        time,cost,value,id,n,body,raw,attributes
        2025-12-01T00:00:00.123Z,-1.6823086974,NaN,18446744073709551615,-5,"a,""b""
        ",AP8=,"{""a\""b"":""x"",""n"":200}"
        1969-12-31T23:59:59.999999999Z,,1e21,7,,"",,{}
    "#]]
    .assert_eq(&rendered(Format::Csv, None).replace('\r', ""));
}

#[test]
fn arrow_and_parquet_read_back() {
    let batch = sample();
    let bytes = |format| {
        let mut r = Renderer::new(format, batch.schema()).unwrap();
        let mut out = r.head();
        out.extend(r.batch(&batch).unwrap());
        out.extend(r.tail(None).unwrap());
        out
    };
    let mut reader = arrow::ipc::reader::StreamReader::try_new(io::Cursor::new(bytes(Format::Arrow)), None).unwrap();
    assert_eq!(reader.next().unwrap().unwrap(), batch);
    let parquet = Bytes::from(bytes(Format::Parquet));
    let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(parquet, 100).unwrap();
    assert_eq!(reader.map(|b| b.unwrap().num_rows()).sum::<usize>(), 2);
}

#[test]
fn accept_headers() {
    for (accept, format) in [
        ("", Some(Format::Json)),
        ("*/*", Some(Format::Json)),
        ("text/csv", Some(Format::Csv)),
        ("text/html, application/json;q=0.5, text/csv;q=0.9", Some(Format::Csv)),
        ("application/vnd.apache.arrow.stream, application/json", Some(Format::Arrow)),
        ("image/png", None),
        ("text/csv;q=0, application/json", Some(Format::Json)),
    ] {
        assert_eq!(Format::of_accept(accept), format, "{accept}");
    }
}
