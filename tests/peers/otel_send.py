"""Sends all signals with the official OpenTelemetry SDK and notes, as protobuf, exactly what was sent.

Usage: otel_send.py grpc|http ENDPOINT OUT_FOLDER TENANT [gzip]
The notes are OUT_FOLDER/{metrics,logs,traces}-N.pb, one ExportXServiceRequest each, made by the SDK's own encoder.
"""

import sys
import time
from pathlib import Path

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, set_span_in_context

PROTOCOL, ENDPOINT, OUT, TENANT = sys.argv[1:5]
GZIP = "gzip" in sys.argv[5:]

if PROTOCOL == "grpc":
    from grpc import Compression
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    def options(_signal):
        compression = Compression.Gzip if GZIP else Compression.NoCompression
        return {"endpoint": ENDPOINT, "insecure": True, "headers": (("x-scope-orgid", TENANT),), "compression": compression}
else:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def options(signal):
        compression = Compression.Gzip if GZIP else Compression.NoCompression
        return {"endpoint": f"{ENDPOINT}/v1/{signal}", "headers": {"X-Scope-OrgID": TENANT}, "compression": compression}


def noted(exporter, signal, encode):
    """Makes an exporter note each request, and fail loudly where the SDK would only log."""
    send, count = exporter.export, iter(range(1_000_000))

    def export(data, *args, **kwargs):
        Path(OUT, f"{signal}-{next(count)}.pb").write_bytes(encode(data).SerializeToString())
        result = send(data, *args, **kwargs)
        if result.name != "SUCCESS":
            print(f"{signal}: the exporter answered {result}", file=sys.stderr)
            sys.stderr.flush()
            FAILED.append(signal)
        return result

    exporter.export = export
    return exporter


FAILED = []
RESOURCE = Resource.create(
    {"service.name": "checkout", "host.id": "i-0abc", "n": 7, "ratio": 0.5, "on": True, "list": ["a", "b"], "ints": [1, 2]},
    schema_url="https://opentelemetry.io/schemas/1.30.0",
)
TYPED = {"text": "ü \u0000 end", "int": 2**53 + 1, "double": 1.0, "bool": False, "texts": ["x", "y"], "doubles": [1.5, 2.0]}


def traces():
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(noted(OTLPSpanExporter(**options("traces")), "traces", encode_spans)))
    tracer = provider.get_tracer("grid.tests", "1.2.3", attributes={"scope": "attribute"})
    root = tracer.start_span("GET /cart", kind=SpanKind.SERVER, attributes=TYPED)
    context = set_span_in_context(root)
    link = Link(root.get_span_context(), {"why": "follows"})
    for kind in SpanKind:
        child = tracer.start_span(f"child {kind.name}", context=context, kind=kind, links=[link])
        child.add_event("thought", {"depth": 3, "list": [True, False]})
        child.set_status(Status(StatusCode.OK if kind == SpanKind.CLIENT else StatusCode.UNSET))
        child.end()
    try:
        raise ValueError("no stock")
    except ValueError as error:
        root.record_exception(error)
        root.set_status(Status(StatusCode.ERROR, "no stock"))
    root.end()
    provider.shutdown()
    return context


def logs(context):
    provider = LoggerProvider(resource=RESOURCE)
    exporter = noted(OTLPLogExporter(**options("logs")), "logs", encode_logs)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("grid.tests", "1.2.3", attributes={"scope": "attribute"})
    now = time.time_ns()
    bodies = [
        "plain", "", "ünïcode \u0000", 42, 2**60, 1.5, True, ["a", 1, None], {"order": {"id": 7, "items": ["x"]}, "ok": False},
        b"\x00\xff", None,
    ]
    for i, body in enumerate(bodies):
        severity = list(SeverityNumber)[i % len(list(SeverityNumber))]
        record = LogRecord(
            timestamp=now + i, observed_timestamp=now + 1000 + i, context=context if i % 2 else None,
            severity_number=severity, severity_text=severity.name, body=body, attributes={**TYPED, "i": i},
            event_name="grid.event" if i == 3 else None,
        )
        logger.emit(record)
    provider.shutdown()


def metrics(context, temporality, name):
    preferred = {Counter: temporality, Histogram: temporality}
    exporter = noted(OTLPMetricExporter(**options("metrics"), preferred_temporality=preferred), f"metrics-{name}", encode_metrics)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    view = View(instrument_name="*.exponential", aggregation=ExponentialBucketHistogramAggregation(max_size=20))
    provider = MeterProvider([reader], resource=RESOURCE, views=[view], exemplar_filter=AlwaysOnExemplarFilter())
    meter = provider.get_meter("grid.tests", "1.2.3", schema_url="https://opentelemetry.io/schemas/1.30.0")

    def observe(value):
        return lambda _options: [Observation(value, {"pod": "a"}), Observation(-value, {"pod": "b"})]

    counter = meter.create_counter(f"{name}.requests", unit="1", description="requests served")
    counter_float = meter.create_counter(f"{name}.energy", unit="J")
    updown = meter.create_up_down_counter(f"{name}.queue")
    histogram = meter.create_histogram(f"{name}.latency", unit="s", explicit_bucket_boundaries_advisory=[0.1, 0.5, 1.0])
    exponential = meter.create_histogram(f"{name}.exponential", unit="ms")
    gauge = meter.create_gauge(f"{name}.temperature", unit="Cel")
    meter.create_observable_counter(f"{name}.bytes", [lambda _o: [Observation(2**53 + 1)]], unit="By")
    meter.create_observable_up_down_counter(f"{name}.depth", [observe(5)])
    meter.create_observable_gauge(f"{name}.load", [observe(0.25)])
    for round_ in range(3):
        for i in range(10):
            attributes = {**TYPED, "route": f"/{i % 2}"}
            counter.add(i, attributes, context=context)
            counter_float.add(i / 8, attributes, context=context)
            updown.add((-1) ** i * i, attributes)
            histogram.record(i / 7, attributes, context=context)
            exponential.record((i - 1) ** 3 / 3, attributes, context=context)
            gauge.set(-i / 3, attributes)
        reader.collect()
        time.sleep(0.01)
    provider.shutdown()


parent = traces()
logs(parent)
metrics(parent, AggregationTemporality.CUMULATIVE, "cumulative")
metrics(parent, AggregationTemporality.DELTA, "delta")
sys.exit(f"not accepted: {FAILED}" if FAILED else 0)
