//! Every input that fuzzing kept for the log and the catalog must still be read without a panic; and where those corpora's first inputs come from.
//!
//! `GRID_WRITE_FUZZ_SEEDS=1 cargo test --test fuzz_corpus` writes the seeds anew; fuzzing then adds to them.
#![allow(clippy::unwrap_used, clippy::cloned_ref_to_slice_refs)]

use std::path::{Path, PathBuf};

use arrow::buffer::Buffer;
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::table::samples::{SampleValue, SamplesBuilder};
use grid_model::table::series::SeriesBuilder;
use grid_model::table::spans::{SpanOrigin, SpanRow, SpansBuilder};
use grid_model::{AttrValue, Labels, SeriesDef, SeriesId, Table, TenantId, Timestamp};
use grid_store::wal::record::{encode_payload, header, read};

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
}

fn inputs(target: &str, seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if std::env::var_os("GRID_WRITE_FUZZ_SEEDS").is_some() {
        std::fs::create_dir_all(corpus(target)).unwrap();
        for (i, seed) in seeds.iter().enumerate() {
            std::fs::write(corpus(target).join(format!("seed-{i}")), seed).unwrap();
        }
    }
    let kept = std::fs::read_dir(corpus(target)).unwrap_or_else(|e| panic!("no corpus of {target}: {e}"));
    kept.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// Payloads of one batch of each kind that is written.
fn payloads() -> Vec<Vec<u8>> {
    let labels = Labels::of(&[("__name__", "up"), ("job", "a")]);
    let mut numbers = SamplesBuilder::default();
    (0..3).for_each(|i| numbers.push_float(SeriesId(7), Timestamp(i), None, i as f64));
    let mut mixed = SamplesBuilder::default();
    mixed.push(SeriesId(7), Timestamp(1), Some(Timestamp(0)), SampleValue::Histogram(Box::default()));
    let mut series = SeriesBuilder::default();
    let def = SeriesDef::of_labels(labels.clone());
    series.push(def.id(), Timestamp(5), &def);
    let mut logs = LogsBuilder::default();
    let origin = LogOrigin { labels, resource: vec![("host".into(), "h".into())], ..LogOrigin::default() };
    for line in ["a", "", "\u{fc}"] {
        let attributes = vec![("k".into(), AttrValue::Int(1))];
        logs.push(&origin, &LogRow { body: Some(AttrValue::from(line)), attributes, ..LogRow::default() });
    }
    let mut spans = SpansBuilder::default();
    spans.push(&SpanOrigin::default(), &SpanRow { name: "n".into(), ..SpanRow::default() });
    let tables = [
        (Table::Samples, numbers.finish()),
        (Table::Samples, mixed.finish()),
        (Table::Series, series.finish()),
        (Table::Logs, logs.finish()),
        (Table::Spans, spans.finish()),
    ];
    let tenant = TenantId::default_tenant();
    let mut all: Vec<Vec<u8>> = tables.iter().map(|t| encode_payload(&tenant, &[t.clone()]).unwrap()).collect();
    all.push(encode_payload(&tenant, &tables[..3]).unwrap());
    all
}

fn read_all(bytes: &[u8]) -> usize {
    let body = Buffer::from(bytes);
    let (mut at, mut records) = (0, 0);
    while let Ok((_, taken)) = read(&body.slice(at)) {
        at += taken;
        records += 1;
        if at >= body.len() {
            break;
        }
    }
    records
}

fn with_header(payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(1, payload, crc32c::crc32c(payload)).to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

#[test]
fn every_kept_input_of_the_log_is_still_read() {
    let mut seeds = payloads();
    for payload in &seeds {
        assert_eq!(read_all(&with_header(payload)), 1);
    }
    let segment: Vec<u8> = seeds.iter().take(2).flat_map(|payload| with_header(payload)).collect();
    assert_eq!(read_all(&segment), 2);
    seeds.push(segment);
    let all = inputs("wal", &seeds);
    assert!(!all.is_empty());
    for input in all {
        read_all(&input);
        read_all(&with_header(&input));
    }
}

/// What Arrow's reader would panic at.
#[test]
fn a_message_that_lies_about_its_buffers_is_no_record() {
    for payload in payloads() {
        let whole = with_header(&payload);
        assert_eq!(read_all(&whole), 1);
        // Each byte of the message in turn, with checksums that match what it says now.
        for at in 0..payload.len().min(900) {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut lie = payload.clone();
                lie[at] = value;
                read_all(&with_header(&lie));
            }
        }
    }
}

/// The first byte says whether bytes of the file or cells of rows are damaged; see `fuzz/src/store.rs`.
#[test]
fn the_catalog_has_first_inputs() {
    let seeds = [
        vec![0, 0, 16, 255],
        vec![0, 128],
        vec![0, 8, 0, 10, 8, 3, 0, 9, 1, 1],
        vec![1, 0, b'a', b'/', b'b'],
        vec![1, 16, b'[', b'{', b'}', b']'],
        vec![1, 3, 0, 255, 255, 255, 255, 255, 255, 255, 127],
        vec![1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 128],
    ];
    assert!(!inputs("catalog", &seeds).is_empty());
}
