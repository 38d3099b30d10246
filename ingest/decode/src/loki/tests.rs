#![allow(clippy::unwrap_used)]

use std::io::Read as _;

use proptest::prelude::*;

use super::*;
use crate::testing::{self, LogBack, NOW, ctx, shared_data};

fn json(text: &str) -> Decoded {
    decode_json(text.as_bytes(), &ctx()).unwrap()
}

#[test]
fn a_push_with_everything() {
    let decoded = json(
        r#"{"streams":[
            {"stream":{"app":"api","env":"prod","level":"warn","n":1},"values":[
                ["1767225600000000001","line \"one\"",{"trace_id":"A6A3A4506513270E269E0D37F2A74DE4","span_id":"00f067aa0ba902b7","n":7}],
                [1767225600000000002,"two",{"detected_level":"ERROR","traceID":"short"}],
                ["2026-01-01T00:00:00.000000003Z","", null]
            ]},
            {"labels":"{job=\"old\"}","entries":[{"ts":"2026-01-01T00:00:01+00:00","line":"legacy"}]},
            {"stream":{"x":"y"},"values":[["0","bare"]]}
        ],"unknown":1}"#,
    );
    assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
    assert_eq!(decoded.counts.logs, 5);
    let logs = testing::logs(&decoded);
    let labels = Labels::of(&[("app", "api"), ("env", "prod"), ("level", "warn"), ("n", "1")]);
    assert_eq!(
        logs[0],
        LogBack {
            time: NOW.nanos() + 1,
            severity: "warn".into(),
            severity_number: 13,
            service: "api".into(),
            body: "line \"one\"".into(),
            labels,
            trace_id: "a6a3a4506513270e269e0d37f2a74de4".into(),
            span_id: "00f067aa0ba902b7".into(),
            attributes: vec![
                ("trace_id".into(), "A6A3A4506513270E269E0D37F2A74DE4".into()),
                ("span_id".into(), "00f067aa0ba902b7".into()),
                ("n".into(), AttrValue::Int(7)),
            ],
        }
    );
    assert_eq!((logs[1].severity.as_str(), logs[1].severity_number, logs[1].trace_id.as_str()), ("ERROR", 17, ""));
    assert_eq!((logs[2].time, logs[2].body.as_str()), (NOW.nanos() + 3, ""));
    assert_eq!((logs[3].service.as_str(), logs[3].time), ("old", NOW.nanos() + 1_000_000_000));
    assert_eq!((logs[4].service.as_str(), logs[4].time), ("unknown_service", 0));
}

#[test]
fn bad_entries_are_rejected_and_the_rest_is_kept() {
    let long = "x".repeat(1024 * 1024 + 1);
    let many: Vec<_> = (0..300).map(|i| format!("\"k{i}\":\"v\"")).collect();
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let cases = [
        (r#"["x","l"]"#.to_owned(), "time in nanoseconds"),
        (r#"["99999999999999999999","l"]"#.to_owned(), "time in nanoseconds"),
        (r#"["9223372036854775807","l"]"#.to_owned(), "in the future"),
        (r#"[1e300,"l"]"#.to_owned(), "time in nanoseconds"),
        (r#"["1"]"#.to_owned(), "invalid length 1"),
        (r#"["1",7]"#.to_owned(), "expected a string"),
        (r#"["1","l",[]]"#.to_owned(), "expected an object"),
        (r#""l""#.to_owned(), "expected [\"time"),
        (r#"{"ts":"1"}"#.to_owned(), "missing field `line`"),
        (format!("[\"1\",\"{long}\"]"), "body has 1048577 bytes"),
        (format!("[\"1\",\"l\",{{{}}}]", many.join(",")), "300 attributes"),
        (format!("[\"1\",\"l\",{{\"k\":\"{}\"}}]", &long[..70_000]), "value of attribute \"k\""),
        (format!("[\"1\",\"l\",{{\"{}\":1}}]", &long[..2000]), "attribute name"),
        (format!("[\"1\",\"l\",{{\"k\":{deep}}}]"), "nests deeper than 32"),
    ];
    for (entry, reason) in cases {
        let decoded = json(&format!(r#"{{"streams":[{{"stream":{{"a":"b"}},"values":[["1","good"],{entry}]}}]}}"#));
        assert_eq!((decoded.counts.logs, decoded.rejects.count), (1, 1), "{reason}");
        assert_eq!(decoded.rejects.first[0].position, 2);
        assert!(decoded.rejects.first[0].reason.contains(reason), "{}", decoded.rejects.summary());
    }
    let long = &long[..5000];
    for (stream, reason) in [
        (r#""stream":{}"#.to_owned(), "no label"),
        (r#""stream":{"a":""}"#.to_owned(), "no label"),
        (r#""stream":[]"#.to_owned(), "not an object"),
        (r#""other":1"#.to_owned(), "neither"),
        (r#""labels":"{a}""#.to_owned(), "expected ="),
        (r#""stream":{"a":"1","a":"2"}"#.to_owned(), "occurs twice"),
        (format!(r#""stream":{{"a":"{long}"}}"#), "more than 4096"),
        (format!(r#""stream":{{"{long}":"b"}}"#), "more than 1024"),
    ] {
        let decoded = json(&format!(r#"{{"streams":[{{{stream},"values":[["1","a"],["2","b"]]}}]}}"#));
        assert_eq!((decoded.counts.logs, decoded.rejects.count), (0, 2), "{reason}");
        assert!(decoded.rejects.first[0].reason.contains(reason), "{}", decoded.rejects.summary());
    }
}

#[test]
fn what_is_not_a_push_fails_as_a_whole() {
    for bad in ["", "[]", "{\"streams\":7}", "{\"streams\":[7]}", "{\"streams\":[{\"stream\":{}"] {
        assert!(decode_json(bad.as_bytes(), &ctx()).is_err(), "{bad}");
    }
    for empty in ["{}", "{\"streams\":null}", "{\"streams\":[]}"] {
        assert!(json(empty).write.is_empty());
    }
    assert!(decode_proto(b"\x0a\x7f", &ctx()).is_err());
    assert!(decode_proto(b"", &ctx()).unwrap().write.is_empty());
}

/// A bad byte in one line must not lose the others.
#[test]
fn lines_that_are_not_utf8_are_kept() {
    let body = [b"{\"streams\":[{\"stream\":{\"a\":\"b\"},\"values\":[[\"1\",\"ok \xff\"]]}]}".as_slice()].concat();
    assert_eq!(testing::logs(&decode_json(&body, &ctx()).unwrap())[0].body, "ok \u{fffd}");
}

/// Labels are repeated in every row: a small push must not fill the memory with them.
#[test]
fn labels_cannot_blow_a_push_up() {
    let labels: Vec<_> = (0..100).map(|i| (format!("l{i}"), "v".repeat(4000))).collect();
    let entry = PushEntry { time: NOW, ..PushEntry::default() };
    let stream = PushStream { labels: Labels::new(labels).unwrap(), entries: vec![entry; 10_000] };
    let decoded = decode_proto(&encode_proto(&[stream]), &ctx()).unwrap();
    assert!(decoded.rejects.count > 9000, "{}", decoded.rejects.count);
    assert!(decoded.rejects.summary().contains("send fewer per request"));
}

#[test]
fn the_recorded_push_is_taken_whole() {
    let Some(path) = shared_data("loki/push_dataset.json.gz") else { return };
    let mut body = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut body).unwrap();
    let decoded = decode_json(&body, &ctx()).unwrap();
    assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
    assert_eq!(decoded.counts.logs, 5110);
    let logs = testing::logs(&decoded);
    let streams: std::collections::HashSet<_> = logs.iter().map(|l| l.labels.hash64()).collect();
    assert_eq!(streams.len(), 10);
    let push: serde_json::Value = serde_json::from_slice(&body).unwrap();
    let sent = push["streams"].as_array().unwrap().iter().flat_map(|s| s["values"].as_array().unwrap());
    for (sent, got) in sent.zip(&logs) {
        assert_eq!(sent[0].as_str().unwrap(), got.time.to_string());
        assert_eq!(sent[1].as_str().unwrap(), got.body);
        let metadata = sent.get(2).and_then(|m| m.as_object()).map_or(0, serde_json::Map::len);
        assert_eq!(metadata, got.attributes.len());
    }
}

fn any_stream() -> impl Strategy<Value = PushStream> {
    let labels = prop::collection::btree_map("[a-z_]{1,5}", ".{1,6}", 1..4);
    let entry = (0i64..=1_767_225_600_000_000_000, ".{0,10}", prop::collection::vec(("[a-z]{1,4}", ".{0,5}"), 0..3));
    let entry = entry.prop_map(|(time, line, metadata)| PushEntry { time: Timestamp(time), line, metadata });
    (labels, prop::collection::vec(entry, 0..4)).prop_map(|(labels, entries)| PushStream {
        labels: Labels::new(labels.into_iter().collect()).unwrap(),
        entries,
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(streams in prop::collection::vec(any_stream(), 0..4)) {
        let text = encode_json(&streams);
        for decoded in [decode_json(text.as_bytes(), &ctx()), decode_proto(&encode_proto(&streams), &ctx())] {
            let decoded = decoded.unwrap();
            prop_assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
            let got: Vec<_> =
                testing::logs(&decoded).into_iter().map(|l| (l.labels, l.time, l.body, l.attributes)).collect();
            let want: Vec<_> = streams
                .iter()
                .flat_map(|s| s.entries.iter().map(|e| {
                    let metadata = e.metadata.iter().map(|(k, v)| (k.clone(), AttrValue::from(v.as_str()))).collect();
                    (s.labels.clone(), e.time.nanos(), e.line.clone(), metadata)
                }))
                .collect();
            prop_assert_eq!(got, want);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode_proto(&bytes, &ctx());
        let _ = decode_json(&bytes, &ctx());
    }

    #[test]
    fn no_damage_makes_it_panic(streams in prop::collection::vec(any_stream(), 1..3), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode_proto(&streams);
        let i = at.index(bytes.len());
        bytes[i] = byte;
        let _ = decode_proto(&bytes, &ctx());
        let mut bytes = encode_json(&streams).into_bytes();
        let i = at.index(bytes.len());
        bytes[i] = byte;
        let _ = decode_json(&bytes, &ctx());
    }
}
