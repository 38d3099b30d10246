//! Every input that fuzzing kept must still decode without a panic; and where the corpora's first inputs come from.
//!
//! `GRID_WRITE_FUZZ_SEEDS=1 cargo test --test fuzz_corpus` writes the seeds anew; fuzzing then adds to them.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use grid_decode::bill::{BillFormat, BillOptions, BillReader, Declared};
use grid_decode::exposition::protobuf::ProtobufOptions;
use grid_decode::exposition::{self, Format};
use grid_decode::loki::{self, PushEntry, PushStream};
use grid_decode::otlp::OtlpOptions;
use grid_decode::price::{self, PriceFormat, PriceOptions};
use grid_decode::remote_write::{self, WireExemplar, WireSeries};
use grid_decode::{DecodeContext, Limits, lines, otlp_logs, otlp_metrics, otlp_traces};
use grid_model::attr::AttrValue;
use grid_model::histogram::{Counts, HistogramKind, STALE_NAN_BITS, Span};
use grid_model::series::{MetricKind, OtlpIdentity, SeriesDef, def_of_key};
use grid_model::table::logs::LogOrigin;
use grid_model::table::metadata::MetadataRow;
use grid_model::{Histogram, Labels, Timestamp};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1 as metrics;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as OtlpSpan, Status, span};
use prost::Message;

const NOW: Timestamp = Timestamp(1_767_225_600_000_000_000);

type Decoder = fn(&[u8], &DecodeContext<'_>);
type Seeds = fn() -> Vec<Vec<u8>>;

/// Name, decoder and seeds of every fuzz target.
const TARGETS: &[(&str, Decoder, Seeds)] = &[
    ("remote_write_v1", |b, c| drop(remote_write::decode_v1(b, c)), remote_write_v1),
    ("remote_write_v2", |b, c| drop(remote_write::decode_v2(b, c)), remote_write_v2),
    ("loki_json", |b, c| drop(loki::decode_json(b, c)), loki_json),
    ("loki_proto", |b, c| drop(loki::decode_proto(b, c)), loki_proto),
    ("exposition_prometheus", |b, c| drop(exposition::decode(b, Format::Prometheus, c)), exposition_prometheus),
    ("exposition_openmetrics", |b, c| drop(exposition::decode(b, Format::OpenMetrics, c)), exposition_openmetrics),
    (
        "exposition_protobuf",
        |b, c| {
            let options = ProtobufOptions { native_histograms: true, classic_histograms: true };
            drop(exposition::protobuf::decode_page(b, options, c));
        },
        exposition_protobuf,
    ),
    ("log_lines", |b, c| drop(lines::decode(b, &LogOrigin::default(), c)), log_lines),
    (
        "otlp_metrics_proto",
        |b, c| drop(otlp_metrics::decode_protobuf(b, &OtlpOptions::default(), c)),
        || vec![otlp_metrics_request().encode_to_vec()],
    ),
    (
        "otlp_metrics_json",
        |b, c| drop(otlp_metrics::decode_json(b, &OtlpOptions::default(), c)),
        || vec![serde_json::to_vec(&otlp_metrics_request()).unwrap()],
    ),
    (
        "otlp_logs_proto",
        |b, c| drop(otlp_logs::decode_protobuf(b, &OtlpOptions::default(), c)),
        || vec![otlp_logs_request().encode_to_vec()],
    ),
    (
        "otlp_logs_json",
        |b, c| drop(otlp_logs::decode_json(b, &OtlpOptions::default(), c)),
        || vec![serde_json::to_vec(&otlp_logs_request()).unwrap()],
    ),
    (
        "otlp_traces_proto",
        |b, c| drop(otlp_traces::decode_protobuf(b, c)),
        || vec![otlp_traces_request().encode_to_vec()],
    ),
    (
        "otlp_traces_json",
        |b, c| drop(otlp_traces::decode_json(b, c)),
        || vec![serde_json::to_vec(&otlp_traces_request()).unwrap()],
    ),
    ("focus_csv", |b, _| read_bill(b, BillFormat::Focus), focus_csv),
    ("aws_cur", |b, _| read_bill(b, BillFormat::AwsCur), aws_cur),
    ("azure_csv", |b, _| read_bill(b, BillFormat::Azure), azure_csv),
    ("gcp_json", |b, _| read_bill(b, BillFormat::Gcp), gcp_json),
    ("bill_mapping", |b, _| read_mapped(b), bill_mapping),
    ("price_grid", |b, _| read_prices(b, PriceFormat::Own), price_grid),
    ("price_machine_csv", |b, _| read_prices(b, PriceFormat::MachineCsv), price_machine_csv),
    ("price_instances", |b, _| read_prices(b, PriceFormat::Instances), price_instances),
    ("price_reservations", |b, _| read_prices(b, PriceFormat::Reservations), price_reservations),
    ("price_karpenter", |b, _| read_prices(b, PriceFormat::Karpenter), price_karpenter),
    ("price_azure", |b, _| read_prices(b, PriceFormat::AzureRetail), price_azure),
    ("price_aws_offer", |b, _| read_prices(b, PriceFormat::AwsOffer), price_aws_offer),
    ("attr_json", |b, _| drop(std::str::from_utf8(b).map(AttrValue::from_json)), attr_json),
    ("series_key", |b, _| drop(def_of_key(b)), series_key),
];

fn read_bill(bytes: &[u8], format: BillFormat) {
    read_bill_by(bytes, BillOptions { format: Some(format), ..BillOptions::default() });
}

fn read_bill_by(bytes: &[u8], options: BillOptions) {
    let Ok(mut reader) = BillReader::text(Box::new(std::io::Cursor::new(bytes.to_vec())), options) else { return };
    while let Ok(Some(_)) = reader.next_batch() {}
    assert!(reader.finish().unreconciled().is_none());
}

/// A mapping file and a bill, three dashes between them.
fn read_mapped(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (mapping, bill) = text.split_once("\n---\n").unwrap_or((&text, ""));
    if let Ok(declared) = Declared::parse(mapping) {
        let mapping = Some(std::sync::Arc::new(declared));
        read_bill_by(bill.as_bytes(), BillOptions { mapping, ..BillOptions::default() });
    }
}

fn read_prices(bytes: &[u8], format: PriceFormat) {
    let options = PriceOptions { format: Some(format), ..PriceOptions::default() };
    let _ = price::decode(bytes, &options, &mut drop);
}

fn price_grid() -> Vec<Vec<u8>> {
    texts(&["provider,service,region,resource_type,vcpu,price,currency,term,tier_start,valid_from,attribute:os\n\
             aws,AmazonEC2,us-east-1,m5.large,2,0.096,USD,1y,0,2026-01-01,linux\n"])
}

fn price_machine_csv() -> Vec<Vec<u8>> {
    texts(&["region,instance_type,usd_per_hour\nus-east-1,m5.large,0.096000\ncn-north-1,m5.large,1.013\n"])
}

fn price_instances() -> Vec<Vec<u8>> {
    texts(&[
        r#"[{"instance_type":"m4.large","vCPU":2,"memory":8.0,"pricing":{"us-east-1":{"linux":{"ondemand":"0.1","reserved":{"yrTerm1Standard.noUpfront":"0.062"}},"ebs":"0.01"}}}]"#,
        r#"[{"servicecode":"AmazonRDS","instance_type":"db.t3.xlarge","vcpu":"4","memory":"16","pricing":{"us-east-1":{"2":{"ondemand":0.272},"MySQL":{"ondemand":2.72E-1},"20":{"reserved":{"yrTerm3.partialUpfront":0.2400152207001522}}}}}]"#,
    ])
}

fn price_reservations() -> Vec<Vec<u8>> {
    texts(&[r#"{"m1.small/us-west-1": 0.0189117199391172, "c5.large/us-west-1": 0.03984018264840183}"#])
}

fn price_karpenter() -> Vec<Vec<u8>> {
    texts(&[
        r#"[{"name":"c-1x","architecture":"arm64","operatingSystems":["linux"],"resources":{"cpu":"500m","memory":"2Gi"},"offerings":[{"Price":0.019,"Requirements":[{"key":"karpenter.sh/capacity-type","operator":"In","values":["spot"]}]}]}]"#,
    ])
}

fn price_azure() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"Items":[{"currencyCode":"USD","tierMinimumUnits":0.0,"unitPrice":876.0,"armRegionName":"westeurope","effectiveStartDate":"2026-01-01T00:00:00Z","meterId":"m","serviceName":"Virtual Machines","unitOfMeasure":"1 Hour","type":"Reservation","reservationTerm":"1 Year","armSkuName":"D2","savingsPlan":[{"unitPrice":0.07,"term":"3 Years"}]}],"NextPageLink":null}"#,
    ])
}

fn price_aws_offer() -> Vec<Vec<u8>> {
    texts(&["\"FormatVersion\",\"v1.0\"\n\"Publication Date\",\"2026-01-05T00:00:00Z\"\n\
             SKU,OfferTermCode,TermType,StartingRange,EndingRange,Unit,PricePerUnit,Currency,LeaseContractLength,PurchaseOption,serviceCode,Memory\n\
             A,1,OnDemand,0,Inf,Hrs,0.096,USD,,,AmazonEC2,8 GiB\nA,2,Reserved,,,Quantity,263,USD,1yr,Partial Upfront,AmazonEC2,\n"])
}

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

#[test]
fn every_kept_input_still_decodes() {
    let limits = Limits::default();
    let context = DecodeContext { now: NOW, limits: &limits };
    let write = std::env::var_os("GRID_WRITE_FUZZ_SEEDS").is_some();
    for (target, decode, seeds) in TARGETS {
        for (i, seed) in seeds().iter().enumerate() {
            decode(seed, &context);
            if write {
                std::fs::create_dir_all(corpus(target)).unwrap();
                std::fs::write(corpus(target).join(format!("seed-{i}")), seed).unwrap();
            }
        }
        let mut inputs = 0;
        for input in std::fs::read_dir(corpus(target)).unwrap_or_else(|e| panic!("no corpus of {target}: {e}")) {
            decode(&std::fs::read(input.unwrap().path()).unwrap(), &context);
            inputs += 1;
        }
        assert!(inputs > 0, "the corpus of {target} is empty");
    }
}

/// Every target has its program, and every program is a target.
#[test]
fn the_list_of_targets_is_complete() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut found: Vec<String> = std::fs::read_dir(programs)
        .unwrap()
        .map(|e| e.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    // Those of PromQL, rules, SQL, estimates and the store have their seeds in the tests of their own crates.
    let elsewhere = |name: &str| {
        name.starts_with("promql_")
            || name.starts_with("estimate_")
            || ["sql_guard", "wal", "catalog", "rule_file"].contains(&name)
    };
    found.retain(|name| !elsewhere(name));
    let mut listed: Vec<String> = TARGETS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    found.sort();
    listed.sort();
    assert_eq!(found, listed);
}

fn wire_series() -> Vec<WireSeries> {
    let native = Histogram {
        kind: HistogramKind::Native,
        count: 10,
        sum: Some(3.5),
        schema: Some(2),
        zero_threshold: Some(1e-9),
        zero_count: 1,
        positive_spans: vec![Span { offset: -1, length: 2 }, Span { offset: 2, length: 1 }],
        positive_counts: Counts::Int(vec![4, 1, 3]),
        negative_spans: vec![Span { offset: 0, length: 1 }],
        negative_counts: Counts::Int(vec![1]),
        reset_hint: 1,
        ..Histogram::default()
    };
    let float = Histogram {
        count: 0,
        count_float: Some(1.5),
        zero_count: 0,
        zero_count_float: Some(0.5),
        positive_counts: Counts::Float(vec![0.5, 0.5, 0.0]),
        negative_counts: Counts::Float(vec![0.0]),
        ..native.clone()
    };
    let custom = Histogram {
        count: 8,
        schema: Some(-53),
        zero_count: 0,
        positive_spans: vec![Span { offset: 0, length: 3 }],
        negative_spans: vec![],
        negative_counts: Counts::Int(vec![]),
        bounds: vec![0.1, 1.0],
        ..native.clone()
    };
    let exemplar_labels = Labels::of(&[("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"), ("u", "1")]);
    let metadata = |kind: &str| MetadataRow {
        kind: kind.into(),
        help: "Help.".into(),
        unit: "s".into(),
        ..MetadataRow::default()
    };
    vec![
        WireSeries {
            labels: Labels::of(&[("__name__", "req_total"), ("job", "a")]),
            samples: vec![(1_767_225_600_000, 1.0, 1_767_225_000_000), (-1, f64::from_bits(STALE_NAN_BITS), 0)],
            exemplars: vec![WireExemplar { labels: exemplar_labels, value: 0.5, time_ms: 5 }],
            metadata: Some(metadata("counter")),
            created_ms: 7,
            ..WireSeries::default()
        },
        WireSeries {
            labels: Labels::of(&[("__name__", "lat"), ("job", "ü")]),
            histograms: vec![(1, native, 0), (2, float, 1), (3, custom, 0)],
            metadata: Some(metadata("histogram")),
            ..WireSeries::default()
        },
    ]
}

fn remote_write_v1() -> Vec<Vec<u8>> {
    let metadata = MetadataRow { metric: "req".into(), kind: "counter".into(), help: "h".into(), unit: String::new() };
    let simple = [(Labels::of(&[("__name__", "up")]), vec![(1, 1.0)])];
    vec![
        remote_write::encode_v1(&simple),
        remote_write::encode_v1_series(&wire_series(), std::slice::from_ref(&metadata)),
        remote_write::encode_v1_series(&[], &[metadata]),
    ]
}

fn remote_write_v2() -> Vec<Vec<u8>> {
    let all = wire_series();
    vec![remote_write::encode_v2_series(&all), remote_write::encode_v2_series(&all[..1])]
}

fn push_streams() -> Vec<PushStream> {
    let entry = |line: &str, metadata: &[(&str, &str)]| PushEntry {
        time: NOW,
        line: line.into(),
        metadata: metadata.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
    };
    vec![
        PushStream {
            labels: Labels::of(&[("app", "api"), ("level", "warn"), ("path", "a \"b\"\\\n")]),
            entries: vec![
                entry("hello", &[]),
                entry(
                    "with metadata",
                    &[("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"), ("detected_level", "error")],
                ),
            ],
        },
        PushStream { labels: Labels::of(&[("job", "x")]), entries: vec![entry("", &[])] },
    ]
}

fn loki_json() -> Vec<Vec<u8>> {
    vec![
        loki::encode_json(&push_streams()).into_bytes(),
        br#"{"streams":[{"labels":"{a=\"b\\u00e9\"}","entries":[{"ts":"2026-01-01T00:00:00Z","line":"l"}]}]}"#.to_vec(),
        br#"{"streams":[{"stream":{"a":1},"values":[[1767225600000000000,"l",{"n":[1,{"x":null}]}],["x",1]]}]}"#
            .to_vec(),
    ]
}

fn loki_proto() -> Vec<Vec<u8>> {
    vec![loki::encode_proto(&push_streams())]
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|t| t.as_bytes().to_vec()).collect()
}

fn exposition_prometheus() -> Vec<Vec<u8>> {
    texts(&[
        "# HELP up Whether\\nup.\n# TYPE up untyped\nup { job = \"a\\\"b\" , } 1 1767225600001\n\n# comment\nup NaN\n",
        "# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum -1e-3\nh_count 2\n{\"a.b\",\"c d\"=\"e\"} +Inf 0\r\n",
    ])
}

/// A counter with an exemplar, and a histogram with a classic and a native part.
fn exposition_protobuf() -> Vec<Vec<u8>> {
    let field = |number: u8, content: &[u8]| [&[number << 3 | 2, content.len() as u8], content].concat();
    let double = |number: u8, value: f64| [&[number << 3 | 1], &value.to_le_bytes()[..]].concat();
    let label = |name: &str, value: &str| [field(1, name.as_bytes()), field(2, value.as_bytes())].concat();
    let exemplar = [field(1, &label("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736")), double(2, 0.5)].concat();
    let counter = [double(1, 7.0), field(2, &exemplar), field(3, &[8, 100])].concat();
    let counter = [field(1, &label("a", "b")), field(3, &counter), vec![48, 1]].concat();
    let bucket = [vec![8, 2], double(2, 1.0)].concat();
    let histogram = [
        vec![8, 6],
        double(2, 3.25),
        field(3, &bucket),
        vec![40, 6],
        double(6, 0.001),
        vec![56, 1],
        field(12, &[8, 1, 16, 2]),
        field(13, &[4, 2]),
    ];
    let family = |name: &str, kind: u8, metric: &[u8]| {
        let message = [field(1, name.as_bytes()), vec![24, kind], field(4, metric)].concat();
        [&[message.len() as u8][..], &message].concat()
    };
    vec![family("c_total", 0, &counter), family("h", 4, &field(7, &histogram.concat()))]
}

fn exposition_openmetrics() -> Vec<Vec<u8>> {
    texts(&[
        "# TYPE req counter\n# UNIT req \n# HELP req Help.\nreq_total{a=\"b\"} 17.0 1767225000.5 # {trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"} 0.5 1.5\nreq_created{a=\"b\"} 1767220000.25 1767225000.5\n# EOF\n",
        "# TYPE lat_seconds histogram\n# UNIT lat_seconds seconds\nlat_seconds_bucket{le=\"+Inf\"} 2 # {} 1\nlat_seconds_count 2\nlat_seconds_sum 1.5\nlat_seconds_created 1e9\n# TYPE s summary\ns{quantile=\"0.5\"} NaN\n{\"x y\",z=\"\\\\\\n\"} 1\n# EOF",
    ])
}

fn log_lines() -> Vec<Vec<u8>> {
    texts(&[
        "2024-05-07T10:58:13.877Z [INFO]  a\n[2024-05-07 10:55:53,434] WARN b\n  at x\nE0507 11:59:44.523502    4727 k.go:187] \"x\"\n",
        "<165>1 2003-10-11T22:14:15.003Z host app\n<11>Dec 31 23:59:59 host su: failed\n10.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET\" 200\nts=2024-04-17T09:52:46Z level=debug x\n",
        "{\"level\":\"warn\",\"ts\":1767225600.5,\"msg\":\"m\",\"n\":1,\"o\":{\"a\":[true,null]},\"trace_id\":\"1ee220e024eb5b0a\"}\n{\"time\":\"2026-01-01T00:00:00Z\",\"level\":30}\n",
    ])
}

fn any_value(value: any_value::Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn key_value(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: any_value(value), ..KeyValue::default() }
}

fn attributes() -> Vec<KeyValue> {
    use any_value::Value::{
        ArrayValue as Array, BoolValue, BytesValue, DoubleValue, IntValue, KvlistValue, StringValue,
    };
    vec![
        key_value("service.name", StringValue("shop".into())),
        key_value("bool", BoolValue(true)),
        key_value("int", IntValue(-9_007_199_254_740_993)),
        key_value("double", DoubleValue(0.5)),
        key_value("bytes", BytesValue(vec![0, 255])),
        key_value("array", Array(ArrayValue { values: any_value(IntValue(1)).into_iter().collect() })),
        key_value("map", KvlistValue(KeyValueList { values: vec![key_value("k", StringValue("\0é".into()))] })),
    ]
}

fn resource() -> Option<Resource> {
    Some(Resource { attributes: attributes(), ..Resource::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope {
        name: "lib".into(),
        version: "1".into(),
        attributes: attributes(),
        ..InstrumentationScope::default()
    })
}

const NOW_NS: u64 = 1_767_225_600_000_000_000;

fn otlp_metrics_request() -> ExportMetricsServiceRequest {
    use metrics::exponential_histogram_data_point::Buckets;
    use metrics::metric::Data;
    use metrics::number_data_point::Value;
    let number = |value| metrics::NumberDataPoint {
        attributes: attributes(),
        start_time_unix_nano: 1,
        time_unix_nano: NOW_NS,
        value: Some(value),
        exemplars: vec![metrics::Exemplar {
            filtered_attributes: attributes(),
            time_unix_nano: NOW_NS,
            span_id: vec![1; 8],
            trace_id: vec![2; 16],
            value: Some(metrics::exemplar::Value::AsInt(3)),
        }],
        ..metrics::NumberDataPoint::default()
    };
    let histogram = metrics::HistogramDataPoint {
        time_unix_nano: NOW_NS,
        count: 3,
        sum: Some(1.5),
        bucket_counts: vec![1, 2],
        explicit_bounds: vec![0.5],
        min: Some(0.1),
        max: Some(1.0),
        ..metrics::HistogramDataPoint::default()
    };
    let exponential = metrics::ExponentialHistogramDataPoint {
        time_unix_nano: NOW_NS,
        count: 4,
        scale: 3,
        zero_count: 1,
        positive: Some(Buckets { offset: -2, bucket_counts: vec![1, 0, 1] }),
        negative: Some(Buckets { offset: 0, bucket_counts: vec![1] }),
        ..metrics::ExponentialHistogramDataPoint::default()
    };
    let summary = metrics::SummaryDataPoint {
        time_unix_nano: NOW_NS,
        count: 2,
        sum: 3.0,
        quantile_values: vec![metrics::summary_data_point::ValueAtQuantile { quantile: 0.5, value: 1.0 }],
        ..metrics::SummaryDataPoint::default()
    };
    let all = [
        Data::Gauge(metrics::Gauge { data_points: vec![number(Value::AsDouble(f64::INFINITY))] }),
        Data::Sum(metrics::Sum {
            data_points: vec![number(Value::AsInt(1 << 60))],
            aggregation_temporality: 2,
            is_monotonic: true,
        }),
        Data::Histogram(metrics::Histogram { data_points: vec![histogram], aggregation_temporality: 1 }),
        Data::ExponentialHistogram(metrics::ExponentialHistogram {
            data_points: vec![exponential],
            aggregation_temporality: 2,
        }),
        Data::Summary(metrics::Summary { data_points: vec![summary] }),
    ];
    let metrics = all
        .into_iter()
        .enumerate()
        .map(|(i, data)| metrics::Metric {
            name: format!("metric.{i}"),
            description: "What it is.".into(),
            unit: "By/s".into(),
            data: Some(data),
            ..metrics::Metric::default()
        })
        .collect();
    let scope_metrics = vec![metrics::ScopeMetrics { scope: scope(), metrics, ..metrics::ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![metrics::ResourceMetrics {
            resource: resource(),
            scope_metrics,
            ..metrics::ResourceMetrics::default()
        }],
    }
}

fn otlp_logs_request() -> ExportLogsServiceRequest {
    let record = LogRecord {
        time_unix_nano: NOW_NS,
        observed_time_unix_nano: NOW_NS,
        severity_number: 9,
        severity_text: "INFO".into(),
        body: any_value(any_value::Value::KvlistValue(KeyValueList { values: attributes() })),
        attributes: attributes(),
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        flags: 1,
        ..LogRecord::default()
    };
    let plain = LogRecord { body: any_value(any_value::Value::StringValue("hello".into())), ..LogRecord::default() };
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records: vec![record, plain], ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, ..ResourceLogs::default() }],
    }
}

fn otlp_traces_request() -> ExportTraceServiceRequest {
    let span = OtlpSpan {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        parent_span_id: vec![3; 8],
        trace_state: "a=b".into(),
        name: "GET /".into(),
        kind: 2,
        start_time_unix_nano: NOW_NS - 5,
        end_time_unix_nano: NOW_NS,
        attributes: attributes(),
        events: vec![span::Event {
            time_unix_nano: NOW_NS,
            name: "e".into(),
            attributes: attributes(),
            ..span::Event::default()
        }],
        links: vec![span::Link {
            trace_id: vec![4; 16],
            span_id: vec![5; 8],
            attributes: attributes(),
            ..span::Link::default()
        }],
        status: Some(Status { message: "bad".into(), code: 2 }),
        ..OtlpSpan::default()
    };
    let scope_spans = vec![ScopeSpans { scope: scope(), spans: vec![span], ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, ..ResourceSpans::default() }],
    }
}

fn focus_csv() -> Vec<Vec<u8>> {
    texts(&[
        "BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ResourceId,Tags\n\
         1.25,1.0000000001,USD,acc,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2026-01-01T00:00:00Z,2026-01-02T00:00:00Z,Usage,Compute,i-1,\"{\"\"team\"\": \"\"a\"\"}\"\n\
         -2E-3,0,EUR,acc,2026-01-01 00:00:00,2026-02-01 00:00:00,2026-01-01,2026-01-02,Credit,,,null\n\
         x,0,USD,acc,,,,,,,,\n",
    ])
}

fn aws_cur() -> Vec<Vec<u8>> {
    texts(&[
        "identity/LineItemId,identity/TimeInterval,bill/PayerAccountId,bill/BillingPeriodStartDate,bill/BillingPeriodEndDate,lineItem/UsageAccountId,lineItem/LineItemType,lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/UsageType,lineItem/UsageAmount,lineItem/CurrencyCode,lineItem/UnblendedCost,lineItem/ResourceId,resourceTags/user:team\n\
         a,2026-01-01T00:00:00Z/2026-01-01T01:00:00Z,1,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2,Usage,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z,AmazonEC2,BoxUsage:m5.large,1.0,USD,0.0960000000,i-1,a\n\
         b,,1,2026-01-01T00:00:00Z,2026-02-01T00:00:00Z,2,Tax,2026-01-01T00:00:00Z,2026-01-01T01:00:00Z,AmazonEC2,,,USD,1e-7,,\n",
    ])
}

fn azure_csv() -> Vec<Vec<u8>> {
    texts(&[
        "SubscriptionId,Date,MeterCategory,MeterName,BillingAccountId,BillingCurrencyCode,BillingPeriodStartDate,BillingPeriodEndDate,ChargeType,PricingModel,CostInBillingCurrency,ReservationId,Quantity,UnitPrice,PayGPrice,UnitOfMeasure,ResourceId,Tags\n\
         s,9/2/2023,Virtual Machines,DS4,e,CAD,9/1/2023,9/30/2023,Usage,OnDemand,0.3,,3,0.1,0.2,1 Hour,/subscriptions/s/providers/Microsoft.Compute/virtualMachines/v,\"\"\"a\"\": \"\"b\"\"\"\n\
         s,02/09/2023,Storage,LRS,e,CAD,01/09/2023,30/09/2023,UnusedReservation,Reservation,5.6E-05,r,10,0.1,,10K,,\n",
        "SubscriptionGuid,UsageDateTime,MeterCategory,PreTaxCost,Currency,InstanceId\ns,2019-02-28,Bandwidth,1e-7,USD,/x/y\n",
    ])
}

fn gcp_json() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"billing_account_id":"01","service":{"id":"6F","description":"Compute Engine"},"sku":{"id":"D2"},"usage_start_time":"2024-01-05 08:00:00 UTC","usage_end_time":"2024-01-05 09:00:00 UTC","project":{"id":"p","labels":[{"key":"t","value":"w"}]},"labels":[{"key":"e","value":"p\u0000"}],"cost":0.1234567890123456789,"currency":"EUR","credits":[{"name":"C","amount":-5e-2,"id":"c","type":"COMMITTED_USAGE_DISCOUNT"}],"invoice":{"month":"202401"},"cost_type":"regular"}"#,
        r#"[{"billing_account_id":"01","service":{"id":"s"},"usage_start_time":"2024-01-01","usage_end_time":"2024-02-01","cost":"x","currency":"EUR"},
            {"new":{"deep":{"er":[1]}}}, nothing"#,
        "billing_account_id,service_description,usage_start_time,usage_end_time,cost,currency,credits_amount,labels\n\
         01,S,2024-01-01T00:00:00Z,2024-01-01T01:00:00Z,0.5,USD,-0.1,\"[{\"\"key\"\":\"\"a\"\",\"\"value\"\":null}]\"\n",
    ])
}

fn bill_mapping() -> Vec<Vec<u8>> {
    texts(&[
        "name = \"x\"\ncurrency = \"EUR\"\nnull = [\"-\"]\n[columns]\nBilledCost = { column = \"amount\", negate = true }\n\
         BillingAccountId = { constant = \"me\" }\nServiceName = { template = \"{what}/{{x}}\", default = \"?\" }\n\
         ChargePeriodStart = { column = \"day\", format = \"%d.%m.%y\" }\n\
         ChargePeriodEnd = { column = \"day\", format = \"%d.%m.%y\", next = \"month\" }\n\
         ChargeCategory = { column = \"what\", values = { a = \"Tax\" }, otherwise = \"Usage\" }\n\
         [tags]\nprefixes = [\"t/\"]\njson = \"more\"\n[[filters]]\ncolumn = \"what\"\ndrop = [\"z\"]\n---\n\
         amount,what,day,t/a,more\n-1.5,a,31.12.24,v,\"{\"\"k\"\":1}\"\n-,z,x,,\n2e-40,b,1.1.99,,none\n",
        "name = 1\n[columns]\nNo = { colum = 2 }\n[tags]\nx = 1\n[[filters]]\nkeep = 1\n",
    ])
}

fn attr_json() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"a":[1,-2.5e3,true,null,"x\u0000\n"],"bytesValue":"AQ=="}"#,
        r#"{"kvlistValue":{"doubleValue":"NaN"}}"#,
        r#"[{"doubleValue":"-Infinity"},{"bytesValue":"AP8="},18446744073709551615]"#,
    ])
}

fn series_key() -> Vec<Vec<u8>> {
    let labels = Labels::of(&[("__name__", "up"), ("job", "a")]);
    let otlp = SeriesDef {
        labels: labels.clone(),
        otlp: Some(OtlpIdentity {
            name: "up".into(),
            kind: MetricKind::Sum,
            monotonic: true,
            resource: vec![("host.name".into(), "a".into()), ("n".into(), AttrValue::Int(1))],
            attributes: vec![("x".into(), AttrValue::Array(vec![AttrValue::Bool(true), AttrValue::Null]))],
            ..OtlpIdentity::default()
        }),
    };
    vec![SeriesDef::of_labels(labels).key(), otlp.key()]
}
