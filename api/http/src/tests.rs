//! The API as a client sees it, over a real store in a temporary folder.
#![allow(clippy::unwrap_used)]

mod alerts;
mod answers;
mod costs;
mod documents;
mod isolation;
mod prices;
mod prometheus;
mod sql;
mod uploads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use grid_analytics::{Engine, QueryLimits};
use grid_guard::{AuthMode, Guard, GuardConfig, NewToken, Scopes, Tenants};
use grid_model::table::charges::{ChargeRow, ChargesBuilder, Column, Origin};
use grid_model::table::exemplars::{ExemplarRow, ExemplarsBuilder};
use grid_model::table::logs::{LogOrigin, LogRow, LogsBuilder};
use grid_model::table::metadata::{self, MetadataRow};
use grid_model::table::samples::SamplesBuilder;
use grid_model::table::spans::{SpanOrigin, SpanRow, SpansBuilder};
use grid_model::time::SECOND_NS;
use grid_model::{Amount, AttrValue, Labels, SeriesDef, Table, TenantId, Timestamp, Write};
use grid_store::catalog::{ImportFile, ImportPeriod, ImportRecord, ImportReject};
use grid_store::{Store, StoreOptions};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::importer::{
    BillImporter, BillUpload, ImportOutcome, ImporterError, Importing, PriceImporter, PriceImporting, PriceOutcome,
    PriceUpload,
};
use crate::{ApiLimits, ApiParts, ApiState, ServerInfo, router};

/// 2026-10-28T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_793_145_600 * SECOND_NS);

/// An API with its store.
pub(crate) struct App {
    pub(crate) router: Router,
    pub(crate) state: ApiState,
    pub(crate) dir: tempfile::TempDir,
}

/// What came back.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    /// The status, and the code if it is a problem.
    pub(crate) fn verdict(&self) -> String {
        let code =
            serde_json::from_slice::<Value>(&self.body).ok().and_then(|v| Some(v.get("code")?.as_str()?.to_owned()));
        format!("{} {}", self.status.as_u16(), code.unwrap_or_default()).trim().to_owned()
    }
}

impl App {
    pub(crate) async fn new(auth: AuthMode) -> Self {
        Self::with(auth, QueryLimits::default(), ApiLimits::default()).await
    }

    pub(crate) async fn with(auth: AuthMode, queries: QueryLimits, limits: ApiLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock: grid_store::Clock = Arc::new(|| NOW);
        let store = Store::open(StoreOptions::local(dir.path().join("data"), Arc::clone(&clock))).await.unwrap();
        let seed = AtomicU64::new(1);
        let config = GuardConfig {
            auth,
            clock: Arc::clone(&clock),
            entropy: Arc::new(move || {
                let mut random = [7; 32];
                random[..6].copy_from_slice(&seed.fetch_add(1, Ordering::Relaxed).to_be_bytes()[2..]);
                random
            }),
            ..GuardConfig::default()
        };
        let guard = Guard::new(store.clone(), config);
        let engine = Engine::new(store.clone(), QueryLimits { threads: 2, ..queries }).unwrap();
        let path = dir.path().join(grid_notify::FILE_NAME);
        let options = grid_notify::Options {
            guard: grid_notify::AddressGuard { allowed: vec!["127.0.0.0/8".parse().unwrap()] },
            ..grid_notify::Options::default()
        };
        let notifier = grid_notify::Notifier::open(&path, grid_notify::Config::default(), options, Arc::clone(&clock));
        let notifier = notifier.await.unwrap();
        let state = ApiState::new(ApiParts {
            engine: Arc::new(engine),
            store: store.clone(),
            guard,
            info: ServerInfo {
                version: "0.0.0-test".to_owned(),
                commit: None,
                started: NOW,
                endpoints: vec![("http".to_owned(), "127.0.0.1:7080".to_owned())],
            },
            clock,
            importer: Arc::new(FakeImporter(store.clone())),
            prices: Arc::new(FakeImporter(store)),
            scraped: None,
            rules: None,
            desk: None,
            notifier: Some(notifier),
            metrics: Vec::new(),
            upload_dir: dir.path().join("uploads"),
            backup_dir: dir.path().join("backups"),
            limits,
        });
        Self { router: router(state.clone()), state, dir }
    }

    pub(crate) async fn send(&self, request: Request) -> Got {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map(|b| b.to_bytes().to_vec())
            .unwrap_or_else(|e| format!("broken off: {e}").into_bytes());
        Got { status: parts.status, headers: parts.headers, body }
    }

    /// `headers` as `name: value`; a body that begins with `{` is JSON unless a header says otherwise.
    pub(crate) async fn call(&self, method: &str, path: &str, headers: &[&str], body: impl Into<Vec<u8>>) -> Got {
        let body: Vec<u8> = body.into();
        let mut request = Request::builder().method(method).uri(path);
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        if body.starts_with(b"{") && !headers.iter().any(|h| h.to_ascii_lowercase().starts_with("content-type")) {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str, headers: &[&str]) -> Got {
        self.call("GET", path, headers, "").await
    }

    pub(crate) async fn query(&self, sql: &str, headers: &[&str]) -> Got {
        self.call("POST", "/api/v1/sql", headers, serde_json::json!({ "query": sql }).to_string()).await
    }

    pub(crate) async fn token(&self, tenants: &str, scopes: &str) -> String {
        let new = NewToken {
            name: format!("token of {tenants}"),
            tenants: Tenants::parse(tenants.split(',')).unwrap(),
            scopes: Scopes::parse(scopes).unwrap(),
            expires: None,
        };
        self.state.guard.issue(new).await.unwrap().secret
    }

    /// Writes a row of every table for a tenant; every text in it holds `mark`.
    pub(crate) async fn seed(&self, tenant: &str, mark: &str) {
        let tenant = TenantId::parse(tenant).unwrap();
        self.state.store.append(&tenant, rows(mark)).await.unwrap();
        let path = self.dir.path().join(format!("{mark}.csv"));
        std::fs::write(&path, format!("a,bill,of,{mark}\n")).unwrap();
        let upload = BillUpload {
            tenant,
            files: vec![crate::BillFile { name: format!("{mark}.csv"), path }],
            dataset: Some(format!("{mark}-dataset")),
            format: None,
            mapping: None,
            manifest_version: None,
            restate: false,
            check: false,
        };
        self.state.importer.import(upload).await.unwrap();
    }
}

/// One row of every table but charges.
fn rows(mark: &str) -> Write {
    let mut write = Write::default();
    let metric = format!("metric_{mark}");
    let def = SeriesDef::of_labels(Labels::of(&[("__name__", &metric), ("job", &format!("job-{mark}"))]));
    let id = write.series.add(&def).unwrap();
    let mut samples = SamplesBuilder::with_capacity(1);
    samples.push_float(id, NOW, None, 1.5);
    write.push(Table::Samples, samples.finish());
    let mut exemplars = ExemplarsBuilder::default();
    let attributes = vec![(format!("key-{mark}"), AttrValue::String(format!("value-{mark}")))];
    exemplars.push(
        id,
        &ExemplarRow { time: NOW, value: Some(1.0), attributes: attributes.clone(), ..ExemplarRow::default() },
    );
    write.push(Table::Exemplars, exemplars.finish());
    let help = MetadataRow { metric, kind: "gauge".to_owned(), help: format!("help {mark}"), unit: String::new() };
    write.push(Table::Metadata, metadata::batch(NOW, &[help]));
    let mut logs = LogsBuilder::default();
    let labels = Labels::of(&[("app", &format!("app-{mark}"))]);
    let origin =
        LogOrigin { stream_id: labels.hash64(), labels, service: format!("service-{mark}"), ..LogOrigin::default() };
    logs.push(
        &origin,
        &LogRow {
            time: NOW,
            body: Some(AttrValue::String(format!("body {mark} secret"))),
            attributes: attributes.clone(),
            ..LogRow::default()
        },
    );
    write.push(Table::Logs, logs.finish());
    let mut spans = SpansBuilder::default();
    spans.push(
        &SpanOrigin { service: format!("service-{mark}"), ..SpanOrigin::default() },
        &SpanRow {
            start_time: NOW,
            duration_ns: 5,
            trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
            span_id: "b7ad6b7169203331".to_owned(),
            name: format!("span-{mark}"),
            attributes,
            ..SpanRow::default()
        },
    );
    write.push(Table::Spans, spans.finish());
    write
}

/// Takes any file as a bill of one charge of 1.25 USD and one rejected row; a file that says `unreadable` is none. The real
/// importer lives in a room that this crate may not import.
struct FakeImporter(Store);

impl BillImporter for FakeImporter {
    fn import(&self, upload: BillUpload) -> Importing<'_> {
        Box::pin(async move {
            let mut text = String::new();
            for file in &upload.files {
                text.push_str(&std::fs::read_to_string(&file.path).unwrap());
            }
            if text.contains("unreadable") {
                return Err(ImporterError::Unreadable("no header of a bill".to_owned()));
            }
            let dataset = upload.dataset.unwrap_or_else(|| upload.files[0].name.clone());
            let id = format!("{dataset}-{}", text.len());
            let reject = ImportReject {
                file: upload.files[0].name.clone(),
                row: 2,
                reason: "cost is no number".to_owned(),
                raw: text.clone(),
                ..ImportReject::default()
            };
            let record = ImportRecord {
                id: id.clone(),
                source: "focus".to_owned(),
                dataset: dataset.clone(),
                started: NOW,
                replaces: upload.restate,
                manifest_version: upload.manifest_version,
                manifest_made: None,
                rows_source: 2,
                rows: 1,
                rejected: 1,
                totals: Vec::new(),
                notes: Vec::new(),
                files: upload
                    .files
                    .iter()
                    .map(|f| ImportFile { name: f.name.clone(), sha256: "00".repeat(32) })
                    .collect(),
                periods: vec![ImportPeriod { account: dataset.clone(), start: NOW, superseded_by: None }],
            };
            if upload.check {
                return Ok(ImportOutcome {
                    record,
                    rejects: vec![reject],
                    existed: false,
                    skipped_files: Vec::new(),
                    conformance: None,
                });
            }
            let known = self.0.catalog().import(&upload.tenant, &id).await.unwrap();
            if let Some(record) = known {
                return Ok(ImportOutcome {
                    record,
                    rejects: vec![reject],
                    existed: true,
                    skipped_files: Vec::new(),
                    conformance: None,
                });
            }
            let mut charges = ChargesBuilder::default();
            let mut row = ChargeRow::default();
            for column in Column::ALL.iter().filter(|c| c.is_required()) {
                match column.kind() {
                    grid_model::table::charges::Kind::Text => row.set_text(*column, &dataset),
                    grid_model::table::charges::Kind::Time => row.set_time(*column, NOW),
                    grid_model::table::charges::Kind::Amount => {
                        row.set_amount(*column, Amount::parse("1.25").unwrap().0)
                    }
                }
            }
            charges.push(&Origin { import_id: &id, source: "focus", file: "a.csv", row: 1 }, &row).unwrap();
            let import = grid_store::BillImport {
                record: record.clone(),
                batches: vec![charges.finish()],
                rejects: vec![reject.clone()],
            };
            self.0.import(&upload.tenant, import).await.unwrap();
            Ok(ImportOutcome {
                record,
                rejects: vec![reject],
                existed: false,
                skipped_files: Vec::new(),
                conformance: None,
            })
        })
    }
}

impl PriceImporter for FakeImporter {
    fn import_prices(&self, upload: PriceUpload) -> PriceImporting<'_> {
        Box::pin(async move {
            if !upload.bytes.starts_with(b"price") {
                return Err(ImporterError::Unreadable("no list of prices".to_owned()));
            }
            let book = upload.book.unwrap_or(upload.name);
            let row = grid_model::table::prices::PriceRow {
                provider: "aws".into(),
                service: "AmazonEC2".into(),
                region: "mars".into(),
                resource_type: String::from_utf8_lossy(&upload.bytes).into_owned(),
                purchase_option: "on-demand".into(),
                unit: "hour".into(),
                price: Amount(5 * 10_i128.pow(17)),
                currency: "USD".into(),
                as_of: upload.as_of,
                source: book.clone(),
                book: book.clone(),
                ..Default::default()
            };
            let mut part = self.0.begin_part(&upload.tenant, Table::Prices, &book);
            part.write(grid_model::table::prices::batch(&[row])).await.unwrap();
            if !upload.check {
                part.commit().await.unwrap();
            }
            Ok(PriceOutcome {
                book,
                version: "v".to_owned(),
                format: "grid".to_owned(),
                as_of: upload.as_of,
                rows: 1,
                rejected: 0,
                rejects: Vec::new(),
                notes: Vec::new(),
                stored: !upload.check,
            })
        })
    }
}
