"""Measures of a service, for Prometheus at ``/metrics`` and for OTLP when it is configured.

Names and units follow OpenTelemetry; Prometheus sees ``shouwen_hop_latency_seconds`` for ``shouwen.hop.latency``.
"""

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shouwen.runtime import telemetry
from shouwen.runtime.errors import FieldProblem
from shouwen.runtime.settings import BadSettings

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)

_meter = metrics.get_meter("shouwen")

http_duration = _meter.create_histogram("http.server.request.duration", "s", "Time from request to answer")
hop_latency = _meter.create_histogram("shouwen.hop.latency", "s", "From an event's ce_time to its effects' commit")
batch_duration = _meter.create_histogram("shouwen.consumer.batch.duration", "s", "One batch's transaction")
handled = _meter.create_counter("shouwen.consumer.events", "{event}", "Events handled, by stream and outcome")
consumer_lag = _meter.create_gauge("shouwen.consumer.lag", "{event}", "Events not yet handled, by stream and partition")
outbox_pending = _meter.create_gauge("shouwen.outbox.pending", "{event}", "Events committed but not yet sent")
outbox_age = _meter.create_gauge("shouwen.outbox.oldest_age", "s", "Age of the oldest event not yet sent")
outbox_sent = _meter.create_counter("shouwen.outbox.sent", "{event}", "Events sent, by stream")
dead_letters = _meter.create_counter("shouwen.dead_letters", "{event}", "Records set aside, by stream")
dead_letters_open = _meter.create_gauge("shouwen.dead_letters.open", "{event}", "Records set aside and not replayed")
timer_lateness = _meter.create_histogram("shouwen.timer.lateness", "s", "From the instant due to the commit of firing")
task_restarts = _meter.create_counter("shouwen.task.restarts", "{restart}", "Supervised tasks restarted")


class _State:
    provider: MeterProvider | None = None


def setup(service: str) -> None:
    """Begin measuring for this process; a second call changes nothing.

    Raises:
        BadSettings: ``OTEL_METRICS_EXPORTER`` names an unknown exporter.
    """
    if _State.provider is not None:
        return
    readers: list[MetricReader] = [PrometheusMetricReader(scope_info_enabled=False)]
    readers += [_reader(name) for name in telemetry.exporter_names("METRICS") if name != "prometheus"]
    buckets = ExplicitBucketHistogramAggregation(_SECONDS)
    _State.provider = MeterProvider(
        metric_readers=readers,
        resource=telemetry.resource(service),
        views=[View(instrument_unit="s", instrument_type=Histogram, aggregation=buckets)],
        shutdown_on_exit=False,
    )
    metrics.set_meter_provider(_State.provider)


def flush(timeout_seconds: float = 5.0) -> None:
    """Send what was measured; blocks, at most this long."""
    if _State.provider is not None:
        _State.provider.force_flush(int(timeout_seconds * 1000))


def exposition() -> bytes:
    """The present values in Prometheus' text format."""
    return generate_latest()


def _reader(name: str) -> MetricReader:
    if name not in {"otlp", "otlp_proto_http"}:
        problem = FieldProblem("OTEL_METRICS_EXPORTER", "names an unknown exporter", "Set otlp or none.")
        raise BadSettings((problem,))
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    return PeriodicExportingMetricReader(OTLPMetricExporter())
