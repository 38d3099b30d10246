#![allow(clippy::unwrap_used)]

use grid_model::histogram::{Counts, HistogramKind, STALE_NAN_BITS, Span};
use grid_model::table::metadata::MetadataRow;
use grid_model::{Histogram, Labels};
use proptest::prelude::*;

use super::*;
use crate::limits::Limits;
use crate::testing::{self, NOW, SampleBack, ctx, shared_data};
use crate::wire::Writer;

/// Every captured request is taken whole, with the counts of the manifest.
#[test]
fn captured_requests_count_as_the_manifest_says() {
    let Some(data) = shared_data("manifest_payloads.jsonl") else { return };
    let manifest = std::fs::read_to_string(&data).unwrap();
    let mut files = 0;
    for line in manifest.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = entry["file"].as_str().unwrap();
        if !file.starts_with("remote_write/") {
            continue;
        }
        files += 1;
        let body = std::fs::read(data.parent().unwrap().join(file)).unwrap();
        let body = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        let limits = Limits::default();
        // The capture ran on a clock of its own.
        let ctx = DecodeContext { now: Timestamp::from_secs(1_900_000_000).unwrap(), limits: &limits };
        let v2 = entry["symbols"].is_u64();
        let decoded = if v2 { decode_v2(&body, &ctx) } else { decode_v1(&body, &ctx) }.unwrap();
        assert!(decoded.rejects.is_empty(), "{file}: {}", decoded.rejects.summary());
        let expected = |key: &str| entry[key].as_u64().unwrap_or(0);
        let c = decoded.counts;
        assert_eq!(
            [c.samples, c.histograms, c.exemplars, c.metadata],
            ["samples", "histograms", "exemplars", if v2 { "with_metadata" } else { "metadata" }].map(expected),
            "{file}"
        );
        // Prometheus sends exemplars as series of their own, with the labels of their samples' series.
        assert_eq!(decoded.write.series.len() as u64, expected("series") - c.exemplars, "{file}");
        let back = testing::samples(&decoded);
        if !v2 {
            // The manifest counts every NaN as a stale marker.
            let nan = back.iter().filter(|s| s.value.is_some_and(|v| f64::from_bits(v).is_nan())).count();
            assert_eq!(nan as u64, expected("stale_markers"), "{file}");
        }
        if let Some(first) = entry["first_series"].as_object() {
            let first: Vec<_> = first.iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect();
            assert_eq!(back[0].labels, Labels::of(&first), "{file}");
        }
    }
    assert_eq!(files, 28, "files of the manifest");
}

fn up() -> Labels {
    Labels::of(&[("__name__", "up"), ("job", "a")])
}

fn native() -> Histogram {
    Histogram {
        kind: HistogramKind::Native,
        count: 12,
        sum: Some(3.5),
        schema: Some(3),
        zero_threshold: Some(1e-128),
        zero_count: 2,
        positive_spans: vec![Span { offset: -2, length: 2 }, Span { offset: 3, length: 1 }],
        positive_counts: Counts::Int(vec![4, 1, 3]),
        negative_spans: vec![Span { offset: 0, length: 1 }],
        negative_counts: Counts::Int(vec![2]),
        reset_hint: 2,
        ..Histogram::default()
    }
}

fn native_float() -> Histogram {
    Histogram {
        count: 0,
        count_float: Some(12.5),
        zero_count: 0,
        zero_count_float: Some(0.0),
        positive_counts: Counts::Float(vec![4.0, 1.5, 3.0]),
        negative_counts: Counts::Float(vec![2.0]),
        ..native()
    }
}

fn custom() -> Histogram {
    Histogram {
        count: 8,
        schema: Some(histogram::CUSTOM_SCHEMA),
        zero_threshold: Some(0.0),
        zero_count: 0,
        positive_spans: vec![Span { offset: 0, length: 1 }, Span { offset: 1, length: 2 }],
        negative_spans: vec![],
        negative_counts: Counts::Int(vec![]),
        bounds: vec![-1.0, 0.5, 10.0],
        reset_hint: 0,
        ..native()
    }
}

fn stale() -> Histogram {
    Histogram {
        kind: HistogramKind::Native,
        sum: Some(f64::from_bits(STALE_NAN_BITS)),
        schema: Some(0),
        zero_threshold: Some(0.0),
        ..Histogram::default()
    }
}

#[test]
fn version_2_carries_everything() {
    let exemplar = |id: &str, ms| WireExemplar {
        labels: Labels::of(&[("trace_id", id), ("span_id", "00f067aa0ba902b7"), ("user", "u1")]),
        value: 0.25,
        time_ms: ms,
    };
    let sent = [
        WireSeries {
            labels: Labels::of(&[("__name__", "x_total"), ("job", "ä")]),
            samples: vec![(0, -0.0, 0), (1000, f64::from_bits(STALE_NAN_BITS), 500), (-5000, 1.5, 0)],
            exemplars: vec![exemplar("4bf92f3577b34da6a3ce929d0e0e4736", 7), exemplar("not hex", 0)],
            metadata: Some(MetadataRow {
                metric: "x_total".into(),
                kind: "counter".into(),
                help: "How many.".into(),
                unit: String::new(),
            }),
            created_ms: 42,
            ..WireSeries::default()
        },
        WireSeries {
            labels: Labels::of(&[("__name__", "h")]),
            histograms: vec![(1, native(), 0), (2, native_float(), 9), (3, custom(), 0), (4, stale(), 0)],
            ..WireSeries::default()
        },
        WireSeries {
            labels: Labels::of(&[("__name__", "only_metadata_count")]),
            metadata: Some(MetadataRow { kind: "summary".into(), help: "h".into(), ..MetadataRow::default() }),
            ..WireSeries::default()
        },
    ];
    let decoded = decode_v2(&encode_v2_series(&sent), &ctx()).unwrap();
    assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
    assert_eq!(decoded.write.series.len(), 2, "metadata alone make no series");
    let back = testing::samples(&decoded);
    let x = |ms: i64, start: i64, value: f64| SampleBack {
        labels: sent[0].labels.clone(),
        time: ms * 1_000_000,
        start: Some(start * 1_000_000),
        value: Some(value.to_bits()),
        histogram: None,
    };
    assert_eq!(&back[..3], [x(0, 42, -0.0), x(1000, 500, f64::from_bits(STALE_NAN_BITS)), x(-5000, 42, 1.5)]);
    for (row, (ms, h, start)) in back[3..].iter().zip(&sent[1].histograms) {
        assert_eq!(row.time, ms * 1_000_000);
        assert_eq!(row.start, (*start != 0).then_some(start * 1_000_000));
        let (got, want) = (row.histogram.clone().unwrap(), h.clone());
        assert_eq!(got.sum.map(f64::to_bits), want.sum.map(f64::to_bits));
        assert_eq!(Histogram { sum: None, ..got }, Histogram { sum: None, ..want });
    }
    let exemplars = testing::exemplars(&decoded);
    assert_eq!(exemplars[0].time, Timestamp(7_000_000));
    assert_eq!(exemplars[0].trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(exemplars[0].attributes, [("user".to_owned(), AttrValue::from("u1"))]);
    assert_eq!(exemplars[1].time, Timestamp(-5_000_000_000), "time of the last sample");
    assert_eq!((exemplars[1].trace_id.as_str(), exemplars[1].span_id.as_str()), ("", "00f067aa0ba902b7"));
    let metadata = testing::metadata(&decoded);
    assert_eq!(metadata[0].help, "How many.");
    assert_eq!(metadata[1].metric, "only_metadata");
    assert_eq!(decoded.counts.metadata, 2);
}

#[test]
fn version_1_carries_metadata_without_series() {
    let said = [
        MetadataRow { metric: "m".into(), kind: "gauge".into(), help: "h".into(), unit: "bytes".into() },
        MetadataRow { metric: "n".into(), kind: "unknown".into(), ..MetadataRow::default() },
    ];
    let decoded = decode_v1(&encode_v1_series(&[], &said), &ctx()).unwrap();
    assert_eq!(testing::metadata(&decoded), said);
    assert_eq!(decoded.counts.metadata, 2);
    assert!(decoded.write.series.is_empty());
}

/// A request of one series written by hand.
fn v1(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::default();
    w.message(1, write);
    w.out
}

fn label(w: &mut Writer, name: &[u8], value: &[u8]) {
    w.message(1, |w| {
        w.bytes(1, name);
        w.bytes(2, value);
    });
}

#[test]
fn bad_series_are_rejected_with_a_reason_and_the_rest_is_kept() {
    let sample = |w: &mut Writer, ms: i64| {
        w.message(2, |w| {
            w.double(1, 1.0);
            w.int(2, ms);
        });
    };
    let named = |w: &mut Writer| label(w, b"__name__", b"m");
    let long = vec![b'v'; 5000];
    let histogram = |w: &mut Writer, h: &Histogram| {
        let series = WireSeries { labels: up(), histograms: vec![(1, h.clone(), 0)], ..WireSeries::default() };
        w.out = encode_v1_series(&[series], &[]);
    };
    let spans = |spans: Vec<Span>| Histogram { positive_spans: spans, ..native() };
    let mut cases: Vec<(Vec<u8>, u64, &str)> = vec![
        (v1(|w| sample(w, 1)), 1, "no label __name__"),
        (
            v1(|w| {
                label(w, b"job", b"j");
                sample(w, 1);
                sample(w, 2)
            }),
            2,
            "series {job=\"j\"} has no label __name__",
        ),
        (
            v1(|w| {
                label(w, b"__name__", b"");
                sample(w, 1)
            }),
            1,
            "no label __name__",
        ),
        (
            v1(|w| {
                named(w);
                label(w, b"", b"x");
                sample(w, 1)
            }),
            1,
            "empty name",
        ),
        (
            v1(|w| {
                named(w);
                label(w, b"a", b"1");
                label(w, b"a", b"1");
                sample(w, 1)
            }),
            1,
            "\"a\" occurs twice",
        ),
        (
            v1(|w| {
                named(w);
                label(w, b"a", b"\xff");
                sample(w, 1)
            }),
            1,
            "value of label \"a\" is not UTF-8",
        ),
        (
            v1(|w| {
                named(w);
                label(w, b"\xff", b"1");
                sample(w, 1)
            }),
            1,
            "name is not UTF-8",
        ),
        (
            v1(|w| {
                named(w);
                label(w, b"a", &long);
                sample(w, 1)
            }),
            1,
            "more than 4096",
        ),
        (
            v1(|w| {
                named(w);
                label(w, &long, b"1");
                sample(w, 1)
            }),
            1,
            "more than 1024",
        ),
        (
            v1(|w| {
                named(w);
                (0..200).for_each(|i| label(w, format!("l{i}").as_bytes(), b"1"));
                sample(w, 1)
            }),
            1,
            "201 labels",
        ),
        (
            v1(|w| {
                named(w);
                sample(w, i64::MAX)
            }),
            1,
            "does not fit into nanoseconds",
        ),
        (
            v1(|w| {
                named(w);
                sample(w, i64::MIN)
            }),
            1,
            "does not fit into nanoseconds",
        ),
        (
            v1(|w| {
                named(w);
                sample(w, NOW.nanos() / 1_000_000 + 25 * 3_600_000)
            }),
            1,
            "24 h in the future",
        ),
    ];
    for (h, reason) in [
        (Histogram { count: 13, ..native() }, "counts 13 observations, but its buckets hold 12"),
        (Histogram { schema: Some(99), ..native() }, "unknown schema 99"),
        (spans(vec![Span { offset: 0, length: 2 }]), "spans hold 2 buckets, but 3 counts"),
        (spans(vec![Span { offset: 0, length: 2 }, Span { offset: -1, length: 1 }]), "negative offset -1"),
        (spans(vec![Span { offset: i32::MAX, length: 3 }]), "histogram spans reach"),
        (spans(vec![Span { offset: 0, length: u32::MAX }; 3]), "histogram spans reach"),
        (Histogram { positive_counts: Counts::Int(vec![0; 9000]), ..native() }, "more than 8192 buckets"),
        (Histogram { positive_counts: Counts::Float(vec![1.0; 3]), ..native() }, "whole count and fractional buckets"),
        (
            Histogram { positive_counts: Counts::Int(vec![1; 3]), ..native_float() },
            "fractional count and whole buckets",
        ),
        (
            Histogram { positive_counts: Counts::Float(vec![1.0, -2.0, 3.0]), ..native_float() },
            "negative bucket count -2",
        ),
        (Histogram { positive_counts: Counts::Int(vec![1, u64::MAX, 3]), ..native() }, "negative bucket count -1"),
        (Histogram { zero_count_float: Some(1.0), ..native() }, "fractional zero count"),
        (Histogram { bounds: vec![1.0, 1.0, 2.0], ..custom() }, "do not ascend"),
        (Histogram { bounds: vec![1.0, 2.0], ..custom() }, "but 2 custom bounds"),
        (Histogram { zero_count: 1, ..custom() }, "zero or negative buckets"),
    ] {
        let mut w = Writer::default();
        histogram(&mut w, &h);
        cases.push((w.out, 1, reason));
    }
    let good = encode_v1(&[(up(), vec![(5, 1.0)])]);
    for (bad, count, reason) in cases {
        // A good series before and after the bad one.
        let request = [good.clone(), bad, encode_v1(&[(up(), vec![(6, 2.0)])])].concat();
        let decoded = decode_v1(&request, &ctx()).unwrap();
        assert_eq!(decoded.counts.samples, 2, "{reason}");
        assert_eq!(decoded.rejects.count, count, "{reason}");
        let reject = &decoded.rejects.first[0];
        assert!(reject.reason.contains(reason), "{:?} is not about {reason:?}", reject.reason);
        assert_eq!(reject.position, 2);
    }
}

#[test]
fn nan_observations_are_in_no_bucket() {
    let h = Histogram { count: 20, sum: Some(f64::NAN), ..native() };
    let series = WireSeries { labels: up(), histograms: vec![(1, h, 0)], ..WireSeries::default() };
    assert!(decode_v1(&encode_v1_series(&[series], &[]), &ctx()).unwrap().rejects.is_empty());
}

#[test]
fn order_empty_values_and_repacking_do_not_make_another_series() {
    let sorted = decode_v1(&encode_v1(&[(up(), vec![(1, 1.0)])]), &ctx()).unwrap();
    let shuffled = v1(|w| {
        // Samples before labels, labels unsorted, one empty.
        w.message(2, |w| w.int(2, 1));
        label(w, b"job", b"a");
        label(w, b"gone", b"");
        label(w, b"__name__", b"up");
    });
    let shuffled = decode_v1(&shuffled, &ctx()).unwrap();
    let ids = |d: &Decoded| d.write.series.iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(ids(&sorted), ids(&shuffled));
    assert_eq!(ids(&sorted), [grid_model::SeriesDef::of_labels(up()).id()]);
}

#[test]
fn bad_references_of_version_2_are_rejected() {
    let request = |refs: &[u64], metadata_ref: u64| {
        let mut w = Writer::default();
        for s in ["", "__name__", "m", "a"] {
            w.bytes(4, s.as_bytes());
        }
        w.bytes(4, b"\xff");
        w.message(5, |w| {
            // Unpacked on purpose: both encodings are legal.
            refs.iter().for_each(|r| w.uint_always(1, *r));
            w.message(2, |w| w.int(2, 1));
            w.message(5, |w| w.uint(3, metadata_ref));
        });
        w.out
    };
    let cases: [(&[u64], u64, &str); 6] = [
        (&[1, 2], 0, ""),
        (&[1, 2, 3], 0, "not an even number"),
        (&[1, 9], 0, "symbol 9 is referenced, but the request has 5"),
        (&[1, u64::MAX], 0, "is referenced"),
        (&[1, 4], 0, "symbol 4 is not UTF-8"),
        (&[1, 2], 77, "symbol 77 is referenced"),
    ];
    for (refs, metadata_ref, reason) in cases {
        let decoded = decode_v2(&request(refs, metadata_ref), &ctx()).unwrap();
        assert_eq!(decoded.rejects.count, u64::from(!reason.is_empty()), "{refs:?}");
        assert!(decoded.rejects.summary().contains(reason), "{}", decoded.rejects.summary());
    }
}

/// A table of symbols must not let a small request fill the memory.
#[test]
fn symbols_cannot_blow_a_request_up() {
    let mut w = Writer::default();
    let long = "v".repeat(4096);
    for s in ["", "__name__", &long] {
        w.bytes(4, s.as_bytes());
    }
    (0..120).for_each(|i| w.bytes(4, format!("l{i}").as_bytes()));
    let refs: Vec<u64> = [1, 2].into_iter().chain((0..120).flat_map(|i| [i + 3, 2])).collect();
    for n in 0..1000 {
        w.message(5, |w| {
            w.packed_uints(1, refs.iter().copied().take(242 - 2 * (n % 100)));
            w.message(2, |w| w.int(2, 1));
        });
    }
    let decoded = decode_v2(&w.out, &ctx()).unwrap();
    assert!(decoded.rejects.count > 500);
    assert!(decoded.rejects.summary().contains("send fewer per request"));
}

#[test]
fn what_is_not_the_message_fails_as_a_whole() {
    let good = encode_v1(&[(up(), vec![(5, 1.0)])]);
    for bad in [&good[..good.len() - 1], b"not protobuf", b"\x0a\x05ab", b"\x08\x01", &[0xff; 12]] {
        assert!(decode_v1(bad, &ctx()).is_err(), "{bad:?}");
    }
    assert!(decode_v1(b"", &ctx()).unwrap().write.is_empty());
    assert!(decode_v2(b"", &ctx()).unwrap().write.is_empty());
}

fn any_labels() -> impl Strategy<Value = Labels> {
    prop::collection::btree_map("[a-zA-Z_]{1,4}", ".{1,6}", 0..5).prop_map(|map| {
        let mut pairs: Vec<_> = map.into_iter().collect();
        pairs.push(("__name__".to_owned(), "metric".to_owned()));
        Labels::new(pairs).unwrap()
    })
}

/// A side's spans and as many counts.
fn any_side(first_offset: std::ops::Range<i32>) -> impl Strategy<Value = (Vec<Span>, Vec<u32>)> {
    prop::collection::vec((0i32..5, prop::collection::vec(0u32..1000, 1..4)), 0..4).prop_flat_map(move |runs| {
        first_offset.clone().prop_map(move |first| {
            let span = |(i, (offset, counts)): (usize, &(i32, Vec<u32>))| Span {
                offset: if i == 0 { first } else { *offset },
                length: counts.len() as u32,
            };
            let counts = runs.iter().flat_map(|(_, counts)| counts.iter().copied()).collect();
            (runs.iter().enumerate().map(span).collect(), counts)
        })
    })
}

fn any_histogram() -> impl Strategy<Value = Histogram> {
    let parts = (any_side(-9..9), any_side(-9..9), 0u32..9, -4i32..9, any::<bool>(), -1e9..1e9f64, 0i32..4);
    parts.prop_map(|((spans, counts), (negative_spans, negative), zero, schema, is_float, sum, reset_hint)| {
        let side = |counts: &[u32]| match is_float {
            true => Counts::Float(counts.iter().map(|c| f64::from(*c) / 8.0).collect()),
            false => Counts::Int(counts.iter().map(|c| u64::from(*c)).collect()),
        };
        let total = counts.iter().chain(&negative).chain([&zero]).map(|c| u64::from(*c)).sum();
        Histogram {
            kind: HistogramKind::Native,
            count: if is_float { 0 } else { total },
            count_float: is_float.then_some(total as f64 / 8.0),
            sum: Some(sum),
            schema: Some(schema),
            zero_threshold: Some(1e-9),
            zero_count: if is_float { 0 } else { u64::from(zero) },
            zero_count_float: is_float.then_some(f64::from(zero) / 8.0),
            positive_spans: spans,
            positive_counts: side(&counts),
            negative_spans,
            negative_counts: side(&negative),
            reset_hint,
            ..Histogram::default()
        }
    })
}

proptest! {
    #[test]
    fn histograms_come_back(sent in prop::collection::vec(any_histogram(), 1..4)) {
        let series = [WireSeries {
            labels: up(),
            histograms: sent.iter().enumerate().map(|(i, h)| (i as i64, h.clone(), 0)).collect(),
            ..WireSeries::default()
        }];
        for decoded in [decode_v1(&encode_v1_series(&series, &[]), &ctx()), decode_v2(&encode_v2_series(&series), &ctx())] {
            let decoded = decoded.unwrap();
            prop_assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
            let got: Vec<_> = testing::samples(&decoded).into_iter().map(|s| s.histogram.unwrap()).collect();
            prop_assert_eq!(&got, &sent);
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(
        series in prop::collection::vec((any_labels(), prop::collection::vec((0i64..1_700_000_000_000, any::<u64>()), 1..4)), 0..6),
    ) {
        let sent: Vec<(Labels, Vec<(i64, f64)>)> =
            series.iter().map(|(l, s)| (l.clone(), s.iter().map(|(t, v)| (*t, f64::from_bits(*v))).collect())).collect();
        let v2: Vec<WireSeries> = sent
            .iter()
            .map(|(labels, s)| WireSeries {
                labels: labels.clone(),
                samples: s.iter().map(|(t, v)| (*t, *v, 0)).collect(),
                ..WireSeries::default()
            })
            .collect();
        let want: Vec<_> = sent
            .iter()
            .flat_map(|(l, s)| s.iter().map(|(t, v)| (l.clone(), t * 1_000_000, Some(v.to_bits()))))
            .collect();
        for decoded in [decode_v1(&encode_v1(&sent), &ctx()), decode_v2(&encode_v2_series(&v2), &ctx())] {
            let decoded = decoded.unwrap();
            prop_assert!(decoded.rejects.is_empty());
            let got: Vec<_> = testing::samples(&decoded).into_iter().map(|s| (s.labels, s.time, s.value)).collect();
            prop_assert_eq!(&got, &want);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_v1(&bytes, &ctx());
        let _ = decode_v2(&bytes, &ctx());
    }

    #[test]
    fn no_damage_makes_it_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let series = [WireSeries {
            labels: up(),
            samples: vec![(1, 1.0, 1)],
            histograms: vec![(1, native(), 0), (2, native_float(), 1), (3, custom(), 0)],
            exemplars: vec![WireExemplar { labels: Labels::of(&[("trace_id", "1ee220e024eb5b0a")]), value: 1.0, time_ms: 1 }],
            metadata: Some(MetadataRow { kind: "gauge".into(), help: "h".into(), ..MetadataRow::default() }),
            created_ms: 1,
        }];
        for (v2, mut bytes) in [(false, encode_v1_series(&series, &[])), (true, encode_v2_series(&series))] {
            let i = at.index(bytes.len());
            bytes[i] = byte;
            let _ = if v2 { decode_v2(&bytes, &ctx()) } else { decode_v1(&bytes, &ctx()) };
        }
    }
}
