//! The receiving end of own telemetry: the collector services over in-process connections, straight into the store.

use grid_decode::otlp::OtlpOptions;
use grid_decode::{DecodeContext, Decoded, Limits, otlp_logs, otlp_metrics, otlp_traces};
use grid_model::TenantId;
use grid_store::Store;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::{Incoming, muted};
use crate::clock::Clock;

/// Serves the exporters of this process until the token is cancelled.
pub(crate) async fn serve(
    store: Store,
    clock: Clock,
    incoming: Incoming,
    token: CancellationToken,
) -> anyhow::Result<()> {
    let receiver = Receiver { store, clock, limits: Limits::default(), options: OtlpOptions::default() };
    let connections = ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
    Server::builder()
        .add_service(LogsServiceServer::new(receiver.clone()))
        .add_service(MetricsServiceServer::new(receiver.clone()))
        .add_service(TraceServiceServer::new(receiver))
        .serve_with_incoming_shutdown(connections, token.cancelled_owned())
        .await?;
    Ok(())
}

#[derive(Clone)]
struct Receiver {
    store: Store,
    clock: Clock,
    limits: Limits,
    options: OtlpOptions,
}

impl Receiver {
    async fn keep(&self, decode: impl FnOnce(&OtlpOptions, &DecodeContext<'_>) -> Decoded) -> Result<(), Status> {
        muted(async {
            let context = DecodeContext { now: (self.clock)(), limits: &self.limits };
            let decoded = decode(&self.options, &context);
            self.store
                .append(&TenantId::grid(), decoded.write)
                .await
                .map_err(|e| Status::unavailable(e.to_string()))?;
            Ok(())
        })
        .await
    }
}

#[tonic::async_trait]
impl LogsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.keep(|options, context| otlp_logs::decode(request.into_inner(), options, context)).await?;
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Receiver {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.keep(|options, context| otlp_metrics::decode(request.into_inner(), options, context)).await?;
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.keep(|_, context| otlp_traces::decode(request.into_inner(), context)).await?;
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}
