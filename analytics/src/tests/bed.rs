//! A store in a temporary folder, an engine on it, and rows to fill it with.

use std::sync::Arc;

use expect_test::Expect;
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::samples::{SampleValue, SamplesBuilder};
use grid_model::table::spans::{SpanEvent, SpanOrigin, SpanRow, SpansBuilder};
use grid_model::{AttrValue, Histogram, Labels, SeriesDef, Table, TenantId, Timestamp, Write};
use grid_store::{Store, StoreOptions};

use crate::render::{Format, Renderer};
use crate::{Engine, QueryError, QueryLimits, SqlRequest};

/// 2026-01-15T00:00:00Z.
pub(super) const NOW: i64 = 1_768_435_200;

pub(super) fn at(seconds_ago: i64) -> Timestamp {
    Timestamp::from_secs(NOW - seconds_ago).unwrap()
}

pub(super) struct Bed {
    pub store: Store,
    pub engine: Engine,
    pub tenant: TenantId,
    _dir: tempfile::TempDir,
}

impl Bed {
    pub(super) async fn new() -> Self {
        Self::with(QueryLimits { threads: 2, ..QueryLimits::default() }).await
    }

    pub(super) async fn with(limits: QueryLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(|| at(0));
        let store = Store::open(StoreOptions::local(dir.path(), clock)).await.unwrap();
        let engine = Engine::new(store.clone(), limits).unwrap();
        Self { store, engine, tenant: TenantId::default_tenant(), _dir: dir }
    }

    /// Writes in three ways: all in the buffer, all in files (one per write), half and half.
    pub(super) async fn three(writes: &[Write]) -> Vec<(&'static str, Self)> {
        let mut beds = Vec::new();
        for place in ["buffer", "files", "one file", "both"] {
            let bed = Self::new().await;
            for (i, write) in writes.iter().enumerate() {
                bed.write(write.clone()).await;
                if place == "files" || place == "both" && i < writes.len() / 2 {
                    bed.store.flush().await.unwrap();
                }
            }
            if place == "one file" {
                bed.store.flush().await.unwrap();
            }
            beds.push((place, bed));
        }
        beds
    }

    pub(super) async fn write(&self, write: Write) {
        self.store.append(&self.tenant, write).await.unwrap();
    }

    pub(super) async fn run(&self, request: SqlRequest) -> Result<String, QueryError> {
        let answer = self.engine.sql(request).await?;
        let mut renderer = Renderer::new(Format::Csv, Arc::clone(&answer.schema))?;
        let mut out = renderer.head();
        for batch in answer.collect().await? {
            out.extend(renderer.batch(&batch)?);
        }
        Ok(String::from_utf8(out).unwrap().replace('\r', ""))
    }

    pub(super) async fn csv(&self, sql: &str) -> String {
        match self.run(SqlRequest::new(self.tenant.clone(), sql)).await {
            Ok(text) => text,
            Err(e) => {
                let hint = e.hint().map(|h| format!("\nhint: {h}")).unwrap_or_default();
                let position = e.position().map(|p| format!("\nat: {p}")).unwrap_or_default();
                format!("{}: {e}{hint}{position}\n", e.code())
            }
        }
    }

    pub(super) async fn check(&self, sql: &str, expected: Expect) {
        expected.assert_eq(&self.csv(sql).await);
    }
}

/// The same answer from every place.
pub(super) async fn check(writes: &[Write], cases: Vec<(&str, Expect)>) {
    let beds = Bed::three(writes).await;
    for (sql, expected) in cases {
        let first = beds[0].1.csv(sql).await;
        for (place, bed) in &beds[1..] {
            assert_eq!(bed.csv(sql).await, first, "{place} differs from buffer: {sql}");
        }
        expected.assert_eq(&first);
    }
}

pub(super) fn log(
    seconds_ago: i64,
    service: &str,
    severity: &str,
    body: &str,
    attributes: &[(&str, AttrValue)],
) -> Write {
    let labels = Labels::of(&[("app", service)]);
    let origin = LogOrigin {
        stream_id: labels.hash64(),
        labels,
        service: service.to_owned(),
        resource: vec![("host.name".into(), "h1".into())],
        ..LogOrigin::default()
    };
    let mut b = LogsBuilder::default();
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    b.push(
        &origin,
        &LogRow {
            time: at(seconds_ago),
            severity: severity.to_owned(),
            severity_number: 9,
            body: Some(AttrValue::String(body.to_owned())),
            trace_id: format!("{seconds_ago:032x}"),
            attributes,
            ..LogRow::default()
        },
    );
    one(Table::Logs, b.finish())
}

pub(super) fn span(seconds_ago: i64, service: &str, name: &str, duration_ms: i64, status: i32) -> Write {
    let mut b = SpansBuilder::default();
    let origin = SpanOrigin { service: service.to_owned(), ..SpanOrigin::default() };
    b.push(
        &origin,
        &SpanRow {
            start_time: at(seconds_ago),
            duration_ns: duration_ms * 1_000_000,
            trace_id: format!("{:032x}", seconds_ago / 10),
            span_id: format!("{seconds_ago:016x}"),
            name: name.to_owned(),
            kind: 2,
            status,
            attributes: vec![
                ("http.status_code".into(), AttrValue::Int(200)),
                ("ratio".into(), AttrValue::Double(0.5)),
            ],
            events: vec![SpanEvent { time: at(seconds_ago), name: "retry".into(), ..SpanEvent::default() }],
            ..SpanRow::default()
        },
    );
    one(Table::Spans, b.finish())
}

pub(super) fn series(pairs: &[(&str, &str)]) -> SeriesDef {
    SeriesDef::of_labels(Labels::of(pairs))
}

/// Samples of one series: seconds ago and value.
pub(super) fn samples(def: &SeriesDef, rows: &[(i64, f64)]) -> Write {
    let mut write = Write::default();
    let id = write.series.add(def).unwrap();
    let mut b = SamplesBuilder::default();
    for (ago, value) in rows {
        b.push(id, at(*ago), None, SampleValue::Float(*value));
    }
    write.push(Table::Samples, b.finish());
    write
}

pub(super) fn histograms(def: &SeriesDef, rows: &[(i64, Histogram)]) -> Write {
    let mut write = Write::default();
    let id = write.series.add(def).unwrap();
    let mut b = SamplesBuilder::default();
    for (ago, h) in rows {
        b.push(id, at(*ago), None, SampleValue::Histogram(Box::new(h.clone())));
    }
    write.push(Table::Samples, b.finish());
    write
}

pub(super) fn metric_facts(seconds_ago: i64, metric: &str, kind: &str, help: &str) -> Write {
    let row = MetadataRow { metric: metric.into(), kind: kind.into(), help: help.into(), unit: "s".into() };
    one(Table::Metadata, metadata::batch(at(seconds_ago), &[row]))
}

pub(super) fn one(table: Table, batch: arrow::array::RecordBatch) -> Write {
    let mut write = Write::default();
    write.push(table, batch);
    write
}

/// The stale marker.
pub(super) fn stale() -> f64 {
    f64::from_bits(grid_model::histogram::STALE_NAN_BITS)
}
