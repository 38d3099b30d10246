//! Something to scrape: a server whose pages a test sets, and messages of the protobuf exposition.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use parking_lot::Mutex;
use prost::Message;

/// The content type of the Prometheus text format.
pub const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The content type of OpenMetrics.
pub const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The content type of delimited protobuf messages.
pub const PROTOBUF: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// One page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// `Content-Type`.
    pub content_type: String,
    /// What is answered.
    pub body: Vec<u8>,
    /// Status, 200 if 0.
    pub status: u16,
    /// What the header `Authorization` must be; else the answer is 401.
    pub authorization: Option<String>,
    /// Whether the body is packed where the client allows it.
    pub gzip: bool,
}

impl Page {
    /// A plain page.
    pub fn of(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { content_type: content_type.to_owned(), body: body.into(), ..Self::default() }
    }
}

#[derive(Debug, Default)]
struct Shared {
    pages: BTreeMap<String, Page>,
    /// The headers of the last request of each path, names in lower case.
    requests: BTreeMap<String, BTreeMap<String, String>>,
}

/// A server of pages; it ends with the test's runtime.
#[derive(Debug, Clone)]
pub struct Targets {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Targets {
    /// Starts a server without pages.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let targets = Self { address: listener.local_addr()?, shared: Arc::default() };
        let router = Router::new().fallback(answer).with_state(targets.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(targets)
    }

    /// Sets the page of a path and query.
    pub fn set(&self, path: &str, page: Page) {
        self.shared.lock().pages.insert(path.to_owned(), page);
    }

    /// A header of the last request of a path and query.
    pub fn header(&self, path: &str, name: &str) -> Option<String> {
        self.shared.lock().requests.get(path)?.get(name).cloned()
    }
}

async fn answer(State(targets): State<Targets>, request: Request) -> Response {
    let path = request.uri().path_and_query().map(|p| p.as_str().to_owned()).unwrap_or_default();
    let text = |name: &str| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let page = {
        let mut shared = targets.shared.lock();
        let headers = request.headers().keys().map(|name| (name.as_str().to_owned(), text(name.as_str()))).collect();
        shared.requests.insert(path.clone(), headers);
        shared.pages.get(&path).cloned()
    };
    let mut response = Response::builder();
    let Some(page) = page else {
        return response.status(404).body(Body::empty()).unwrap_or_default();
    };
    if page.authorization.is_some_and(|wanted| wanted != text("authorization")) {
        return response.status(401).body(Body::empty()).unwrap_or_default();
    }
    if !page.content_type.is_empty() {
        response = response.header("content-type", page.content_type);
    }
    let mut body = page.body;
    if page.gzip && text("accept-encoding").contains("gzip") {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        body = packer.write_all(&body).and_then(|()| packer.finish()).unwrap_or_default();
        response = response.header("content-encoding", "gzip");
    }
    response.status(if page.status == 0 { 200 } else { page.status }).body(Body::from(body)).unwrap_or_default()
}

/// `io.prometheus.client.MetricFamily`, as far as tests send it.
#[derive(Clone, PartialEq, Message)]
pub struct MetricFamily {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// 0 counter, 1 gauge, 4 histogram.
    #[prost(int32, optional, tag = "3")]
    pub kind: Option<i32>,
    /// Its metrics.
    #[prost(message, repeated, tag = "4")]
    pub metrics: Vec<Metric>,
}

/// `Metric`.
#[derive(Clone, PartialEq, Message)]
pub struct Metric {
    /// Labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<crate::wire::Label>,
    /// The value of a gauge.
    #[prost(message, optional, tag = "2")]
    pub gauge: Option<Gauge>,
    /// A histogram.
    #[prost(message, optional, tag = "7")]
    pub histogram: Option<NativeHistogram>,
}

/// `Gauge`.
#[derive(Clone, PartialEq, Message)]
pub struct Gauge {
    /// The value.
    #[prost(double, optional, tag = "1")]
    pub value: Option<f64>,
}

/// `Histogram`, its native part.
#[derive(Clone, PartialEq, Message)]
pub struct NativeHistogram {
    /// Observations.
    #[prost(uint64, optional, tag = "1")]
    pub count: Option<u64>,
    /// Their sum.
    #[prost(double, optional, tag = "2")]
    pub sum: Option<f64>,
    /// The resolution.
    #[prost(sint32, optional, tag = "5")]
    pub schema: Option<i32>,
    /// Where buckets lie.
    #[prost(message, repeated, tag = "12")]
    pub positive_spans: Vec<BucketSpan>,
    /// Their counts, as differences.
    #[prost(sint64, repeated, tag = "13")]
    pub positive_deltas: Vec<i64>,
}

/// `BucketSpan`.
#[derive(Clone, PartialEq, Message)]
pub struct BucketSpan {
    /// The gap before it.
    #[prost(sint32, optional, tag = "1")]
    pub offset: Option<i32>,
    /// How many buckets.
    #[prost(uint32, optional, tag = "2")]
    pub length: Option<u32>,
}

/// Families as a target sends them.
pub fn delimited(families: &[MetricFamily]) -> Vec<u8> {
    families.iter().flat_map(Message::encode_length_delimited_to_vec).collect()
}
