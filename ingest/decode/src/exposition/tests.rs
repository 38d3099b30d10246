#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::Read as _;

use grid_model::{AttrValue, Labels};
use proptest::prelude::*;

use super::*;
use crate::testing::{self, NOW, ctx, shared_data};

fn om(text: &str) -> Decoded {
    let mut out = Out::default();
    let mut exposition = Exposition::new(Format::OpenMetrics);
    exposition.feed_into(text.as_bytes(), &ctx(), &mut out);
    exposition.finish_into(&ctx(), &mut out);
    out.finish(&ctx())
}

fn prometheus(text: &str) -> Decoded {
    decode(text.as_bytes(), Format::Prometheus, &ctx()).unwrap()
}

/// `NAME{labels} value [start] @time` per sample.
fn show(decoded: &Decoded) -> String {
    let mut out = String::new();
    for s in testing::samples(decoded) {
        let labels: Vec<_> =
            s.labels.iter().filter(|(k, _)| *k != "__name__").map(|(k, v)| format!("{k}={v:?}")).collect();
        let value = f64::from_bits(s.value.unwrap());
        write!(out, "{}{{{}}} {value}", s.labels.metric(), labels.join(",")).unwrap();
        if let Some(start) = s.start {
            write!(out, " since {start}").unwrap();
        }
        if s.time != NOW.nanos() {
            write!(out, " @{}", s.time).unwrap();
        }
        out.push('\n');
    }
    for e in testing::exemplars(decoded) {
        let trace = if e.trace_id.is_empty() { String::new() } else { format!(" trace {}", e.trace_id) };
        writeln!(out, "exemplar {} {:?}{trace} @{}", e.value.unwrap(), e.attributes, e.time.nanos()).unwrap();
    }
    for m in testing::metadata(decoded) {
        writeln!(out, "{} is {} {:?} {:?}", m.metric, m.kind, m.help, m.unit).unwrap();
    }
    for r in &decoded.rejects.first {
        writeln!(out, "line {}: {}", r.position, r.reason).unwrap();
    }
    out
}

fn check(decoded: &Decoded, expected: expect_test::Expect) {
    expected.assert_eq(&show(decoded));
}

#[test]
fn openmetrics_with_everything() {
    let text = r##"# HELP req Requests \"quoted\" and\nbroken.
# TYPE req counter
# UNIT req 
req_total{code="200",path="a \\ \"b\"\n"} 17.0 1767225000.123456789 # {trace_id="4bf92f3577b34da6a3ce929d0e0e4736",u="1"} 0.5 1767225000.1
req_created{code="200",path="a \\ \"b\"\n"} 1767220000.25 1767225000.123456789
# TYPE lat_seconds histogram
# UNIT lat_seconds seconds
lat_seconds_bucket{le="0.5"} 1 # {trace_id="short"} 0.25
lat_seconds_bucket{le="+Inf"} 2
lat_seconds_count 2
lat_seconds_sum 1.5
lat_seconds_created 1.76722000025e+09
orphan_created 5
# TYPE s summary
s{quantile="0.5"} NaN
s_count 1
# TYPE "with.dots" gauge
{"with.dots","label.x"="y",plain="z"} -Inf 0
# EOF
"##;
    check(
        &om(text),
        expect_test::expect![[r#"
            req_total{code="200",path="a \\ \"b\"\n"} 17 since 1767220000250000000 @1767225000123456789
            lat_seconds_bucket{le="0.5"} 1 since 1767220000250000000
            lat_seconds_bucket{le="+Inf"} 2 since 1767220000250000000
            lat_seconds_count{} 2 since 1767220000250000000
            lat_seconds_sum{} 1.5 since 1767220000250000000
            orphan_created{} 5
            s{quantile="0.5"} NaN
            s_count{} 1
            with.dots{label.x="y",plain="z"} -inf @0
            exemplar 0.5 [("u", String("1"))] trace 4bf92f3577b34da6a3ce929d0e0e4736 @1767225000100000000
            exemplar 0.25 [("trace_id", String("short"))] @1767225600000000000
            req is counter "Requests \"quoted\" and\nbroken." ""
            lat_seconds is histogram "" "seconds"
            s is summary "" ""
            with.dots is gauge "" ""
        "#]],
    );
}

#[test]
fn prometheus_text_is_read_as_prometheus_reads_it() {
    let text = "\
# HELP up Whether\\nup.\r
#TYPE ignored gauge
# a comment, \"unclosed
# TYPE up untyped

\tup { job = \"a\" , } 1 1767225600001\r
up{job=\"b\"}2
up{job=\"b\"} 3 -5
up_created 7
up 0x1
up 1_0
up{job=\"a\",job=\"b\"} 1
up{job=\"a\",job=\"a\"} 4
up 1e400
up 1 1.5
up{job=\"a\"
up 5 6 7
-up 1
{\"utf8 name\",\"l b\"=\"\u{1f680}\"} +Inf
{a=\"b\"} 1
";
    check(
        &prometheus(text),
        expect_test::expect![[r#"
            up{job="a"} 1 @1767225600001000000
            up{job="b"} 2
            up{job="b"} 3 @-5000000
            up_created{} 7
            up{job="a"} 4
            utf8 name{l b="🚀"} inf
            up is unknown "Whether\nup." ""
            line 10: "0x1" is not a number
            line 11: "1_0" is not a number
            line 12: label "job" occurs twice
            line 14: "1e400" is not a number
            line 15: "1.5" is not a time in milliseconds
            line 16: no comma or closing brace at ""
            line 17: unexpected "7" at the end
            line 18: no metric name at the start of "-up 1"
            line 20: no metric name
        "#]],
    );
}

#[test]
fn limits_hold_per_line() {
    let future = (NOW.nanos() / 1_000_000_000 + 25 * 3600).to_string();
    let long = "v".repeat(5000);
    let text = format!("a 1 {future}\nb{{l=\"{long}\"}} 1\nc 1 9e99\nd 1\n# EOF\nmore\nand more\n");
    let decoded = om(&text);
    assert_eq!(decoded.counts.samples, 1);
    let reasons: Vec<_> = decoded.rejects.first.iter().map(|r| (r.position, r.reason.as_str())).collect();
    assert!(reasons[0].1.contains("24 h in the future"), "{reasons:?}");
    assert!(reasons[1].1.contains("more than 4096"), "{reasons:?}");
    assert!(reasons[2].1.contains("not a time in seconds"), "{reasons:?}");
    assert_eq!(reasons[3], (6, "text goes on after # EOF"));
    assert_eq!(reasons.len(), 4);
}

#[test]
fn what_is_no_exposition_fails_as_a_whole() {
    let e = decode(b"<html>\n<body>", Format::Prometheus, &ctx()).unwrap_err();
    assert_eq!(e.to_string(), "not a valid Prometheus text payload: line 1: no metric name at the start of \"<html>\"");
    assert!(decode(b"", Format::Prometheus, &ctx()).unwrap().write.is_empty());
}

/// A family longer than what may wait loses no sample.
#[test]
fn a_long_family_is_kept_whole() {
    let mut text = String::from("# TYPE c counter\n");
    for i in 0..40_000 {
        writeln!(text, "c_total{{i=\"{}\"}} {i} {i}", i % 7).unwrap();
    }
    text.push_str("# EOF\n");
    let decoded = om(&text);
    assert_eq!((decoded.counts.samples, decoded.write.series.len()), (40_000, 7));
    assert!(decoded.rejects.is_empty());
}

/// What Prometheus' lexer accepts although the OpenMetrics suite would have it refused: rules about values, order, types and
/// repetition, none of which make a line ambiguous.
const REFUSED_BY_SUITE_ONLY: &[&str] = &[
    "bad_clashing_names_1",
    "bad_counter_values_",
    "bad_exemplar_complex_chars",
    "bad_exemplars_on_unallowed_",
    "bad_grouping_or_ordering_",
    "bad_histograms_",
    "bad_info_and_stateset_values_1",
    "bad_invalid_labels_5",
    "bad_metadata_in_wrong_place_1",
    "bad_missing_or_extra_commas_2",
    "bad_missing_or_invalid_labels_for_a_type_",
    "bad_repeated_metadata_",
    "bad_stateset_info_values_",
    "bad_unit_6",
];
/// Cases under those names that Prometheus refuses: a comment without a space.
const REFUSED_ALL_THE_SAME: &[&str] = &["bad_histograms_5"];

#[test]
fn the_openmetrics_suite_is_read_as_prometheus_reads_it() {
    let Some(root) = shared_data("exposition/openmetrics") else { return };
    let mut accepted = 0;
    for case in std::fs::read_dir(root).unwrap() {
        let case = case.unwrap();
        let name = case.file_name().into_string().unwrap();
        let text = std::fs::read(case.path().join("metrics")).unwrap();
        let should = std::fs::read_to_string(case.path().join("test.json")).unwrap().contains("\"shouldParse\": true");
        let by_suite_only = REFUSED_BY_SUITE_ONLY.iter().any(|p| name.starts_with(p));
        let expected = should || (by_suite_only && !REFUSED_ALL_THE_SAME.contains(&name.as_str()));
        let decoded = om(&String::from_utf8_lossy(&text));
        assert_eq!(decoded.rejects.is_empty(), expected, "{name}: {}", decoded.rejects.summary());
        accepted += usize::from(!should && expected);
    }
    eprintln!("accepted {accepted} cases that only the suite refuses");
}

#[test]
fn real_pages_are_taken_whole() {
    let Some(root) = shared_data("exposition") else { return };
    for folder in ["live_captured", "prometheus_textparse"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let Some(stem) = name.strip_suffix(".txt") else { continue };
            let text = std::fs::read_to_string(&path).unwrap();
            // Not everything that was asked for OpenMetrics answered in it.
            let format = if stem.ends_with(".om") { Format::of_text(text.as_bytes()) } else { Format::Prometheus };
            let decoded = decode(text.as_bytes(), format, &ctx()).unwrap();
            assert!(decoded.rejects.is_empty(), "{name}: {}", decoded.rejects.summary());
            let lines = text.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty());
            let (created, samples): (Vec<_>, Vec<_>) = lines.partition(|l| {
                format == Format::OpenMetrics && l.split(['{', ' ']).next().unwrap().ends_with("_created")
            });
            assert_eq!(decoded.counts.samples, samples.len() as u64, "{name}");
            let started = testing::samples(&decoded).iter().filter(|s| s.start.is_some()).count();
            assert!(started >= created.len(), "{name}: {started} of {}", created.len());
            let types = text.lines().filter(|l| l.starts_with("# TYPE ")).count();
            assert!(decoded.counts.metadata as usize >= types, "{name}");
        }
    }
}

#[test]
fn data_sets_count_as_stated() {
    for (file, series, samples) in [("demo.om.gz", 375, 403_755), ("node_live.om.gz", 1612, 167_901)] {
        let Some(path) = shared_data(&format!("promql/datasets/{file}")) else { return };
        let mut gz = flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap());
        let limits = crate::Limits::default();
        let ctx = DecodeContext { now: Timestamp::from_secs(1_900_000_000).unwrap(), limits: &limits };
        let mut exposition = Exposition::new(Format::OpenMetrics);
        let mut chunk = vec![0; 300_000];
        let mut ids = std::collections::HashSet::new();
        let mut count = 0;
        let mut take = |decoded: Decoded| {
            assert!(decoded.rejects.is_empty(), "{file}: {}", decoded.rejects.summary());
            count += decoded.counts.samples;
            ids.extend(decoded.write.series.iter().map(|(id, _)| id));
        };
        loop {
            let n = gz.read(&mut chunk).unwrap();
            if n == 0 {
                break;
            }
            take(exposition.feed(&chunk[..n], &ctx));
        }
        take(exposition.finish(&ctx));
        assert_eq!((ids.len(), count), (series, samples), "{file}");
    }
}

/// A second opinion on what both can read.
#[test]
fn simple_text_is_read_as_by_prometheus_parse() {
    let text = "\
# HELP a Help of a.
# TYPE a gauge
a{x=\"1\",y=\"two\"} 1.5 1767225600000
a{x=\"2\"} -3e4
# TYPE b_total counter
b_total 17
c{z=\"q\"} +Inf 0
";
    let theirs = prometheus_parse::Scrape::parse(text.lines().map(|l| Ok(l.to_owned()))).unwrap();
    let ours = testing::samples(&prometheus(text));
    assert_eq!(ours.len(), theirs.samples.len());
    for sample in theirs.samples {
        use prometheus_parse::Value;
        let value = match sample.value {
            Value::Counter(v) | Value::Gauge(v) | Value::Untyped(v) => v,
            other => panic!("{other:?}"),
        };
        let mut pairs: Vec<_> = sample.labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        pairs.push(("__name__".to_owned(), sample.metric.clone()));
        let labels = Labels::new(pairs).unwrap();
        let found = ours.iter().find(|s| s.labels == labels).unwrap();
        assert_eq!(found.value, Some(value.to_bits()), "{labels:?}");
        if found.time != NOW.nanos() {
            assert_eq!(found.time, sample.timestamp.timestamp_nanos_opt().unwrap());
        }
    }
}

#[test]
fn seconds_are_exact_where_they_are_plain() {
    for (text, nanos) in [
        ("1767225600", 1_767_225_600_000_000_000),
        ("1795398412.689", 1_795_398_412_689_000_000),
        ("-0.5", -500_000_000),
        ("-1.1", -1_100_000_000),
        ("1.", 1_000_000_000),
        ("0.0000000019", 1),
        ("1.5e0", 1_500_000_000),
        ("+2", 2_000_000_000),
        ("1.767220000123456789e+09", 1_767_220_000_123_456_789),
        ("17672200001234567.89e-7", 1_767_220_000_123_456_789),
        ("1e-30", 0),
        ("0e99", 0),
    ] {
        assert_eq!(line::seconds(text), Ok(Timestamp(nanos)), "{text}");
    }
    for bad in ["", "-", ".", "1.1.1", "NaN", "Inf", "1z", "9223372037", "-9e99", "1e", "e1", "1e1.5", "1e99999999999"]
    {
        assert!(line::seconds(bad).is_err(), "{bad}");
    }
}

fn quote(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec(("[a-z_:]{1,5}", prop::collection::btree_map("[a-z]{1,3}", "[^\0\n]{1,6}|\n", 0..3), any::<f64>(), any::<u32>()), 0..20),
        chunk in 1usize..50,
    ) {
        for format in [Format::Prometheus, Format::OpenMetrics] {
            let mut text = String::new();
            let mut want = Vec::new();
            for (name, labels, value, seconds) in &rows {
                let shown: Vec<_> = labels.iter().map(|(k, v)| format!("{k}=\"{}\"", quote(v))).collect();
                let ms = if format == Format::Prometheus { "000" } else { "" };
                let seconds = seconds / 3;
                writeln!(text, "{name}{{{}}} {value:?} {seconds}{ms}", shown.join(",")).unwrap();
                let mut pairs: Vec<_> = labels.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                pairs.push(("__name__".to_owned(), name.clone()));
                want.push((Labels::new(pairs).unwrap(), i64::from(seconds) * 1_000_000_000, value.to_bits()));
            }
            if format == Format::OpenMetrics {
                text.push_str("# EOF\n");
            }
            let mut exposition = Exposition::new(format);
            let mut parts: Vec<Decoded> = text.as_bytes().chunks(chunk).map(|c| exposition.feed(c, &ctx())).collect();
            parts.push(exposition.finish(&ctx()));
            let got: Vec<_> = parts
                .iter()
                .inspect(|d| assert!(d.rejects.is_empty(), "{text}\n{}", d.rejects.summary()))
                .flat_map(testing::samples)
                .map(|s| (s.labels, s.time, s.value.unwrap()))
                .collect();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "([a-c_#{}=\",\\\\. 0-9\n\t]|# TYPE |# HELP |_created|_total|counter|é){0,60}") {
        let _ = om(&text);
        let _ = decode(text.as_bytes(), Format::Prometheus, &ctx());
    }
}

#[test]
fn exemplar_ids_in_other_spellings_stay_labels_too() {
    let decoded = om("a_total 1 # {traceID=\"1EE220e024eb5b0a\"} 1\n# EOF\n");
    let e = &testing::exemplars(&decoded)[0];
    assert_eq!(e.trace_id, "1ee220e024eb5b0a");
    assert_eq!(e.attributes, [("traceID".to_owned(), AttrValue::from("1EE220e024eb5b0a"))]);
}
