#![allow(clippy::unwrap_used)]
//! The demo through the decoders of the real protocols: nothing is refused, and what was planted can be seen.

use std::collections::{BTreeMap, HashMap, HashSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, TimestampNanosecondType, UInt64Type};
use expect_test::expect;
use grid_decode::bill::{BillOptions, BillReader, BillSummary};
use grid_decode::{DecodeContext, Decoded, Limits, loki, otlp_logs, otlp_metrics, otlp_traces, remote_write};
use grid_model::series::def_of_key;
use grid_model::table::charges::{BILLED_COST, EFFECTIVE_COST};
use grid_model::{Amount, Currency, Labels, Table, Timestamp};

use super::facts::BillTotal;
use super::{DEFAULT_SEED, Demo, Payload};

/// 2026-11-23T10:30:00Z, a Monday.
const UNTIL: Timestamp = Timestamp(1_795_429_800_000_000_000);

fn demo(seed: u64, days: u32) -> Demo {
    Demo::new(seed, UNTIL, days)
}

fn decode(payload: &Payload) -> Option<Decoded> {
    let limits = Limits::default();
    let ctx = DecodeContext { now: UNTIL, limits: &limits };
    let options = grid_decode::otlp::OtlpOptions::default();
    let decoded = match payload {
        Payload::RemoteWrite(bytes) => {
            let bytes = snap::raw::Decoder::new().decompress_vec(bytes).unwrap();
            remote_write::decode_v1(&bytes, &ctx)
        }
        Payload::OtlpMetrics(bytes) => otlp_metrics::decode_protobuf(bytes, &options, &ctx),
        Payload::OtlpTraces(bytes) => otlp_traces::decode_protobuf(bytes, &ctx),
        Payload::OtlpLogs(bytes) => otlp_logs::decode_protobuf(bytes, &options, &ctx),
        Payload::LokiJson(bytes) => loki::decode_json(bytes, &ctx),
        Payload::Bill { .. } => return None,
    };
    Some(decoded.unwrap())
}

/// Everything that the decoders made of a demo.
#[derive(Default)]
struct Stored {
    labels: HashMap<u64, Labels>,
    /// `(time, value)` of float samples by series, stale markers left out.
    samples: HashMap<u64, Vec<(i64, f64)>>,
    rows: BTreeMap<Table, usize>,
    batches: Vec<(Table, RecordBatch)>,
    bills: Vec<(BillTotal, BillSummary)>,
}

impl Stored {
    fn of(demo: &Demo) -> Self {
        let mut stored = Self::default();
        let mut totals = demo.facts().bills.iter();
        for payload in demo.payloads() {
            if let Payload::Bill { file_name, bytes, restate, .. } = &payload {
                let total = totals.next().unwrap();
                assert_eq!((&total.file_name, total.restate), (file_name, *restate));
                stored.bills.push((total.clone(), read_bill(file_name, bytes, total)));
                continue;
            }
            let decoded = decode(&payload).unwrap();
            assert!(decoded.rejects.is_empty(), "{}", decoded.rejects.summary());
            stored.keep(decoded);
        }
        stored
    }

    fn keep(&mut self, decoded: Decoded) {
        for (id, key) in decoded.write.series.iter() {
            self.labels.entry(id.0).or_insert_with(|| def_of_key(key).unwrap().labels);
        }
        for (table, batch) in decoded.write.batches {
            *self.rows.entry(table).or_default() += batch.num_rows();
            if table != Table::Samples {
                self.batches.push((table, batch));
                continue;
            }
            let ids = batch.column_by_name("series_id").unwrap().as_primitive::<UInt64Type>();
            let times = batch.column_by_name("time").unwrap().as_primitive::<TimestampNanosecondType>();
            let values = batch.column_by_name("value").unwrap().as_primitive::<Float64Type>();
            for row in (0..batch.num_rows()).filter(|&row| values.is_valid(row) && !values.value(row).is_nan()) {
                self.samples.entry(ids.value(row)).or_default().push((times.value(row), values.value(row)));
            }
        }
    }

    /// Samples of the series of a metric whose labels are as asked.
    fn series(&self, metric: &str, labels: &[(&str, &str)]) -> Vec<&[(i64, f64)]> {
        let fits = |l: &Labels| l.metric() == metric && labels.iter().all(|(k, v)| l.get(k) == Some(*v));
        let ids = self.labels.iter().filter(|(_, l)| fits(l)).map(|(id, _)| id);
        ids.filter_map(|id| self.samples.get(id).map(Vec::as_slice)).collect()
    }

    fn text_of(&self, table: Table, column: &str) -> Vec<Option<String>> {
        let batches = self.batches.iter().filter(|(t, _)| *t == table);
        batches
            .flat_map(|(_, b)| b.column_by_name(column).unwrap().as_string::<i32>().iter())
            .map(|v| v.map(str::to_owned))
            .collect()
    }
}

fn sum(batch: &RecordBatch, column: &str) -> i128 {
    batch.column_by_name(column).unwrap().as_primitive::<Decimal128Type>().iter().flatten().sum()
}

/// Reads a bill and compares it with what was charged.
fn read_bill(name: &str, bytes: &[u8], total: &BillTotal) -> BillSummary {
    let options = BillOptions { file: name.to_owned(), ..BillOptions::default() };
    let mut reader = BillReader::bytes(bytes.to_vec().into(), options).unwrap();
    let (mut billed, mut effective) = (0, 0);
    while let Some(batch) = reader.next_batch().unwrap() {
        billed += sum(&batch, BILLED_COST);
        effective += sum(&batch, EFFECTIVE_COST);
    }
    let summary = reader.finish();
    assert_eq!((summary.rows, summary.rejected), (total.rows as u64, 0), "{name}");
    assert_eq!((Amount(billed), Amount(effective)), (total.billed, total.effective), "{name}");
    summary
}

/// Growth of counters between two times.
fn growth(series: &[&[(i64, f64)]], from: Timestamp, to: Timestamp) -> f64 {
    series
        .iter()
        .map(|s| {
            let inside: Vec<f64> = s.iter().filter(|(t, _)| (from.0..=to.0).contains(t)).map(|(_, v)| *v).collect();
            inside.windows(2).map(|w| if w[1] >= w[0] { w[1] - w[0] } else { w[1] }).sum::<f64>()
        })
        .sum()
}

fn hours(n: f64) -> i64 {
    (n * 3.6e12) as i64
}

#[test]
fn one_seed_gives_the_same_bytes_for_ever() {
    let mut hashes: BTreeMap<&str, u64> = BTreeMap::new();
    for payload in demo(1, 2).payloads() {
        let (kind, bytes) = match payload {
            Payload::RemoteWrite(b) => ("remote write", snap::raw::Decoder::new().decompress_vec(&b).unwrap()),
            Payload::OtlpMetrics(b) => ("metrics", b),
            Payload::OtlpTraces(b) => ("traces", b),
            Payload::OtlpLogs(b) => ("logs", b),
            Payload::LokiJson(b) => ("loki", b),
            Payload::Bill { bytes, .. } => ("bills", bytes),
        };
        let hash = hashes.entry(kind).or_insert(0xCBF2_9CE4_8422_2325);
        *hash = bytes.iter().fold(*hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01B3));
    }
    expect![[r#"
        {
            "bills": 5090059311819360744,
            "logs": 11673816154315442524,
            "loki": 15081407426682607268,
            "metrics": 14524307031741501596,
            "remote write": 17975206522229439146,
            "traces": 6586274917151297312,
        }
    "#]]
    .assert_debug_eq(&hashes);
}

#[test]
fn another_seed_is_another_company() {
    let facts: Vec<_> = (0..12).map(|seed| demo(seed, 14).facts().clone()).collect();
    let distinct = |f: fn(&super::facts::Facts) -> String| facts.iter().map(f).collect::<HashSet<_>>().len();
    assert!(distinct(|f| f.outage.from.to_string()) > 9);
    assert!(distinct(|f| f.rollout.deployment.at.to_string()) > 9);
    assert!(distinct(|f| f.leak.since.to_string()) > 9);
    assert_eq!(distinct(|f| f.idle_fleet.resource_ids.join(",")), 12);
    assert_eq!(distinct(|f| f.outage.service.to_owned()), 2);
    assert_eq!(distinct(|f| f.leak.service.to_owned()), 2);
    assert_eq!(distinct(|f| f.restatement.cloud.to_owned()), 3);
    for f in &facts {
        assert!(f.outage.from > f.first && f.outage.to < f.last);
        assert!(!f.leak.kills.is_empty());
        assert!(f.restatement.too_much > Amount::ZERO);
        assert!(f.savings_plan.bought_machines > f.savings_plan.used_machines);
    }
}

#[test]
fn short_and_odd_demos_work() {
    for (days, until) in [
        (1, UNTIL),
        (2, Timestamp(0)),
        (3, Timestamp::MAX),
        (0, Timestamp::MIN),
        (5, Timestamp(951_782_400_000_000_000)),
    ] {
        let demo = Demo::new(5, until, days);
        assert!(!demo.facts().bills.is_empty());
        assert!(demo.payloads().count() >= 2);
    }
}

#[test]
fn the_decoders_take_all_of_it_and_the_events_show() {
    let demo = demo(DEFAULT_SEED, 14);
    let facts = demo.facts();
    let stored = Stored::of(&demo);

    let rows = |table: Table| stored.rows.get(&table).copied().unwrap_or_default();
    assert!((5_000_000..7_500_000).contains(&rows(Table::Samples)), "{}", rows(Table::Samples));
    assert!((60_000..100_000).contains(&rows(Table::Logs)), "{}", rows(Table::Logs));
    assert!((30_000..70_000).contains(&rows(Table::Spans)), "{}", rows(Table::Spans));
    assert!(rows(Table::Exemplars) > 500);
    assert!(rows(Table::Metadata) > 20);
    assert!((350..520).contains(&stored.labels.len()), "{}", stored.labels.len());
    let traces: HashSet<_> = stored.text_of(Table::Spans, "trace_id").into_iter().flatten().collect();
    assert!((6_000..10_000).contains(&traces.len()), "{}", traces.len());
    let logged: HashSet<_> = stored.text_of(Table::Logs, "trace_id").into_iter().flatten().collect();
    assert!(logged.len() > 5_000 && logged.is_subset(&traces));
    let failed = stored.text_of(Table::Spans, "status").iter().flatten().filter(|s| *s == "error").count();
    assert!((300..3_000).contains(&failed), "{failed}");

    // The outage: errors of the service, connections of its database.
    let ratio = |from: Timestamp, to: Timestamp| {
        let errors = stored.series("http_requests_total", &[("service", facts.outage.service), ("status", "503")]);
        let all = stored.series("http_requests_total", &[("service", facts.outage.service)]);
        growth(&errors, from, to) / growth(&all, from, to)
    };
    assert!(ratio(facts.outage.from, facts.outage.to) > 0.7 * facts.outage.error_ratio);
    assert!(ratio(facts.first, facts.outage.from) < 0.01);
    let connections = stored.series("db_connections", &[("resource_id", &facts.outage.database)]);
    let limit = stored.series("db_connections_max", &[("resource_id", &facts.outage.database)])[0][0].1;
    assert!(connections[0].iter().any(|(t, v)| (facts.outage.from.0..facts.outage.to.0).contains(t) && *v == limit));
    assert!(connections[0].iter().all(|(t, v)| (facts.outage.from.0..=facts.outage.to.0).contains(t) || *v < limit));

    // The leak: memory climbs to the limit, the container restarts.
    for (pod, killed) in &facts.leak.kills {
        let memory = stored.series("container_memory_working_set_bytes", &[("pod", pod)]);
        let at = |t: i64| memory[0].iter().find(|s| s.0 == t).unwrap().1;
        assert!(at(killed.0 - 60_000_000_000) > 0.95 * facts.leak.limit_bytes);
        assert!(at(killed.0) < 0.6 * facts.leak.limit_bytes);
        let restarts = stored.series("kube_pod_container_status_restarts_total", &[("pod", pod)]);
        assert!(growth(&restarts, Timestamp(killed.0 - hours(0.1)), *killed) == 1.0);
    }

    // Idle and oversized machines, under the ids of the bill.
    for machines in [&facts.idle_fleet, &facts.oversized] {
        for id in &machines.resource_ids {
            let user = stored.series("node_cpu_seconds_total", &[("resource_id", id), ("mode", "user")]);
            let seconds = (facts.last.0 - facts.first.0) as f64 / 1e9;
            let share = growth(&user, facts.first, facts.last) / seconds;
            assert!(share > machines.cpu.0 && share < machines.cpu.1, "{id} {share}");
        }
    }

    // The rollout: twice as slow on three times the CPU.
    let at = facts.rollout.deployment.at;
    let cpu = |from: i64, to: i64| {
        let pods = stored.series("container_cpu_usage_seconds_total", &[("service", "recommendations")]);
        growth(&pods, Timestamp(from), Timestamp(to))
    };
    let day = hours(24.0);
    let grown = cpu(at.0 + hours(1.0), at.0 + hours(1.0) + day) / cpu(at.0 - day, at.0);
    assert!((2.3..3.7).contains(&grown), "{grown}");

    for (total, summary) in &stored.bills {
        assert_eq!(summary.unreconciled(), None);
        assert_eq!(summary.totals.keys().collect::<Vec<_>>(), [&Currency(total.currency.to_owned())]);
        assert!(summary.notes.is_empty(), "{}: {:?}", total.file_name, summary.notes);
    }
}

#[test]
fn a_bill_charges_what_commitments_leave() {
    let demo = demo(DEFAULT_SEED, 14);
    let facts = demo.facts();
    for bill in &facts.bills {
        // Fees are spread over what they cover, so nothing is lost or counted twice.
        assert_eq!(bill.billed, bill.effective, "{}", bill.file_name);
        assert!(bill.billed > Amount::ZERO);
    }
    let (last, before) = facts.bills.split_last().unwrap();
    let replaced = before.iter().find(|b| b.dataset == last.dataset).unwrap();
    assert_eq!(replaced.billed.0 - last.billed.0, facts.restatement.too_much.0);
    assert!(last.restate && before.iter().all(|b| !b.restate));
}
