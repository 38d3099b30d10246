//! Grid's own traces, metrics and logs, by OTLP: to itself (tenant `grid`, over an in-process channel, so that neither a
//! port nor a token is needed) or to a collector.
//!
//! The guard against feeding on itself: while own telemetry is received and stored, nothing is recorded ([`muted`]), only
//! targets of this workspace are exported (not the exporter's HTTP/2 stack), and one write in a hundred gets a span.

mod receive;
mod measure;
mod request;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, Endpoint};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, layer::Layered};

pub(crate) use measure::{Received, measure, resident_bytes};
pub(crate) use receive::serve as receive;
pub(crate) use request::observe as observe_request;

/// Buffer of one in-process connection.
const PIPE_BYTES: usize = 256 * 1024;
/// Connections that may wait for the receiver to start; the exporters share one channel.
const CONNECTIONS_WAITING: usize = 8;
/// How long one export may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

tokio::task_local! {
    static MUTED: ();
}

/// Runs work whose spans and events are not exported.
pub(crate) async fn muted<F: Future>(work: F) -> F::Output {
    MUTED.scope((), work).await
}

/// Set when the exporters are closed; what is logged later only goes to stderr.
static CLOSED: AtomicBool = AtomicBool::new(false);

fn is_muted() -> bool {
    CLOSED.load(Ordering::Relaxed) || MUTED.try_with(|()| ()).is_ok()
}

/// Connections of the exporters, for the in-process receiver.
pub(crate) type Incoming = mpsc::Receiver<DuplexStream>;

/// The exporting side.
pub(crate) struct Telemetry {
    traces: SdkTracerProvider,
    logs: SdkLoggerProvider,
    metrics: SdkMeterProvider,
}

impl Telemetry {
    /// Exporters to ourselves; the connections go to [`receive`]. Must run inside a tokio runtime.
    pub(crate) fn to_self(interval: Duration) -> anyhow::Result<(Self, Incoming)> {
        let (connections, incoming) = mpsc::channel::<DuplexStream>(CONNECTIONS_WAITING);
        let connector = tower::service_fn(move |_: http::Uri| {
            let connections = connections.clone();
            async move {
                let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
                connections.send(theirs).await.map_err(|_| std::io::Error::other("own receiver is gone"))?;
                Ok::<_, std::io::Error>(TokioIo::new(ours))
            }
        });
        // The name is never resolved: the connector answers for every address.
        let channel = Endpoint::from_static("http://grid.invalid").connect_with_connector_lazy(connector);
        Ok((Self::over(channel, interval)?, incoming))
    }

    /// Exporters to a collector's gRPC address. Headers come from `OTEL_EXPORTER_OTLP_HEADERS`, as everywhere.
    pub(crate) fn to_collector(url: &str, interval: Duration) -> anyhow::Result<Self> {
        let endpoint = Endpoint::from_shared(url.to_owned()).with_context(|| format!("read telemetry.to = {url:?}"))?;
        Self::over(endpoint.connect_lazy(), interval)
    }

    fn over(channel: Channel, interval: Duration) -> anyhow::Result<Self> {
        let resource = Resource::builder()
            .with_service_name("grid")
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let mut metadata = MetadataMap::new();
        metadata.insert("x-scope-orgid", tonic::metadata::MetadataValue::from_static("grid"));
        let span = opentelemetry_otlp::SpanExporter::builder()
            .with_tonic()
            .with_channel(channel.clone())
            .with_metadata(metadata.clone())
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .context("build the exporter of traces")?;
        let log = opentelemetry_otlp::LogExporter::builder()
            .with_tonic()
            .with_channel(channel.clone())
            .with_metadata(metadata.clone())
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .context("build the exporter of logs")?;
        let metric = opentelemetry_otlp::MetricExporter::builder()
            .with_tonic()
            .with_channel(channel)
            .with_metadata(metadata)
            .with_timeout(EXPORT_TIMEOUT)
            .build()
            .context("build the exporter of metrics")?;
        Ok(Self {
            traces: SdkTracerProvider::builder().with_batch_exporter(span).with_resource(resource.clone()).build(),
            logs: SdkLoggerProvider::builder().with_batch_exporter(log).with_resource(resource.clone()).build(),
            metrics: SdkMeterProvider::builder()
                .with_reader(PeriodicReader::builder(metric).with_interval(interval).build())
                .with_resource(resource)
                .build(),
        })
    }

    /// The layer that turns spans and events of this workspace into traces and logs.
    pub(crate) fn layer<S>(&self) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let ours = || {
            dynamic_filter_fn(|metadata, _| metadata.target().starts_with("grid") && !is_muted())
                .with_max_level_hint(LevelFilter::INFO)
        };
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.traces.tracer("grid"))
            .with_location(false)
            .with_threads(false)
            .with_filter(ours());
        let logs = OpenTelemetryTracingBridge::new(&self.logs).with_filter(ours());
        Box::new(spans.and_then(logs) as Layered<_, _, S>)
    }

    /// Where own metrics are declared.
    pub(crate) fn meter(&self) -> opentelemetry::metrics::Meter {
        use opentelemetry::metrics::MeterProvider as _;
        self.metrics.meter("grid")
    }

    /// Sends what waits and stops; the receiver must still be alive. Blocks for at most a few seconds.
    pub(crate) async fn close(self) {
        let _ = tokio::task::spawn_blocking(move || {
            CLOSED.store(true, Ordering::Relaxed);
            let patience = Duration::from_secs(3);
            // What cannot be delivered now is lost, which is what the receiver would say as well.
            let _ = self.metrics.shutdown_with_timeout(patience);
            let _ = self.traces.shutdown_with_timeout(patience);
            let _ = self.logs.shutdown_with_timeout(patience);
        })
        .await;
    }
}
