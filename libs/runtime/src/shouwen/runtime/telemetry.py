"""Traces: one case, one trace, across services, restarts and days.

The context travels as a W3C ``traceparent`` text: in the headers of events, in rows of cases and clocks, in the outbox.
Spans are short; what happens days later starts a new short span under the stored context (``continued``,
``record_span``). Attributes follow OpenTelemetry's semantic conventions and hold no personal data: a failed span names
the kind of error, never its text.

Where spans go, by the standard variables:

- ``OTEL_TRACES_EXPORTER``: ``otlp``, ``zipkin_json`` or ``none``. When unset: ``otlp`` if an ``OTEL_EXPORTER_OTLP_*``
  endpoint is set, ``zipkin_json`` if ``OTEL_EXPORTER_ZIPKIN_ENDPOINT`` is set, else ``none``.
- ``OTEL_METRICS_EXPORTER``: ``otlp`` or ``none``; when unset as above. ``/metrics`` is served in any case.
- ``OTEL_TRACES_SAMPLER`` decides at the root; others follow the root's decision.

With ``none`` the contexts still travel and every case has a trace id; only no spans are recorded, and no sampler is
asked.
"""

import os
import re
import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from shouwen.runtime.errors import FieldProblem
from shouwen.runtime.settings import BadSettings

_TRACEPARENT = re.compile(r"^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)")
_NO_PARENT = Context()
_preset_span_id: ContextVar[int | None] = ContextVar("preset_span_id", default=None)
_preset_trace_id: ContextVar[int | None] = ContextVar("preset_trace_id", default=None)


class _Ids(RandomIdGenerator):
    """Random ids, or the one preset for a span whose id was written before the span is recorded."""

    def generate_span_id(self) -> int:
        return _preset_span_id.get() or super().generate_span_id()

    def generate_trace_id(self) -> int:
        return _preset_trace_id.get() or super().generate_trace_id()


class _State:
    """The process's tracing. One per process, as the conventions want it: a process is one service."""

    def __init__(self) -> None:
        self.provider: TracerProvider | None = None
        self.tracer: trace.Tracer = trace.NoOpTracer()
        self.records = False


_state = _State()


def setup(service: str) -> None:
    """Begin tracing for this process; a second call changes nothing (tests run several services in one process).

    Raises:
        BadSettings: ``OTEL_TRACES_EXPORTER`` names an unknown exporter.
    """
    if _state.provider is not None:
        return
    exporters = [check_exporter(name) for name in exporter_names("TRACES")]
    provider = TracerProvider(resource=resource(service), id_generator=_Ids(), shutdown_on_exit=False)
    _state.provider = provider
    _state.tracer = provider.get_tracer("shouwen")
    trace.set_tracer_provider(provider)
    for exporter in exporters:
        observe(
            BatchSpanProcessor(
                _Patient(exporter),
                # A killed process loses what it has not sent, and a burst of events must not overflow the queue.
                schedule_delay_millis=None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else 1000,
                max_queue_size=None if "OTEL_BSP_MAX_QUEUE_SIZE" in os.environ else 16_384,
            )
        )


def observe(processor: SpanProcessor) -> None:
    """Hand every span to this processor too, from now on (setup comes first)."""
    if _state.provider is None:
        setup("shouwen")
    assert _state.provider is not None
    _state.provider.add_span_processor(processor)
    _state.records = True


def flush(timeout_seconds: float = 5.0) -> None:
    """Send what was recorded; blocks, at most this long."""
    if _state.provider is not None:
        _state.provider.force_flush(int(timeout_seconds * 1000))


def resource(service: str) -> Resource:
    """What this process is, for traces and metrics; ``OTEL_RESOURCE_ATTRIBUTES`` adds to it."""
    return Resource.create(
        {
            SERVICE_NAME: service,
            SERVICE_NAMESPACE: "shouwen",
            SERVICE_INSTANCE_ID: f"{service}-{os.getpid()}-{secrets.token_hex(4)}",
        }
    )


def exporter_names(signal: str) -> Sequence[str]:
    """The exporters chosen for ``TRACES`` or ``METRICS``; see the head of this module."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    chosen = os.environ.get(f"OTEL_{signal}_EXPORTER", "").strip()
    if chosen:
        return [name for name in (part.strip() for part in chosen.split(",")) if name not in {"", "none"}]
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"):
        return ("otlp",)
    return ("zipkin_json",) if signal == "TRACES" and os.environ.get("OTEL_EXPORTER_ZIPKIN_ENDPOINT") else ()


def is_recording() -> bool:
    """Whether spans of this process go anywhere; without it the helpers below only pass contexts on."""
    return _state.records


# --- contexts -------------------------------------------------------------------------------------------------------


def traceparent_of(span: Span) -> str | None:
    """The ``traceparent`` text of a span."""
    return _text(span.get_span_context())


def current_traceparent() -> str | None:
    """The ``traceparent`` of the current span, to be stored or sent; None outside of any."""
    return _text(trace.get_current_span().get_span_context())


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace id, 32 hex digits, of a ``traceparent``; None when there is none or it is malformed."""
    match = _TRACEPARENT.match(traceparent) if traceparent else None
    return match.group(1) if match else None


def current_trace_id() -> str | None:
    """The trace id, 32 hex digits, of the current span."""
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else None


def child_traceparent(traceparent: str | None) -> str:
    """The text for a span that ``record_span`` records later: a new span id in the given trace, or in a new one."""
    parent = _span_context(traceparent)
    span_id = secrets.randbits(64) or 1
    if parent is None:
        return f"00-{secrets.randbits(128) or 1:032x}-{span_id:016x}-01"
    return f"00-{parent.trace_id:032x}-{span_id:016x}-{parent.trace_flags:02x}"


def _span_context(traceparent: str | None) -> SpanContext | None:
    match = _TRACEPARENT.match(traceparent) if traceparent else None
    if match is None:
        return None
    return SpanContext(
        trace_id=int(match.group(1), 16),
        span_id=int(match.group(2), 16),
        is_remote=True,
        trace_flags=TraceFlags(int(match.group(3), 16)),
    )


def _text(span: SpanContext) -> str | None:
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None


def _under(parent: SpanContext | None) -> Context:
    return _NO_PARENT if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), _NO_PARENT)


# --- spans ----------------------------------------------------------------------------------------------------------


def set_attributes(**attributes: AttributeValue | None) -> None:
    """Set attributes on the current span.

    A name without a dot is ours: ``case_id=…`` sets ``shouwen.case.id``, ``branch=…`` sets ``shouwen.branch``; others
    are given as ``**{"http.route": …}``. Set the case's id only inside the case's own trace: a search for it finds
    that trace and no other.
    """
    trace.get_current_span().set_attributes(_named(attributes))


@contextmanager
def continued(traceparent: str | None, name: str, **attributes: AttributeValue | None) -> Generator[Span]:
    """A span under a stored context, linked to the current one; without a stored context a child of the current one.

    ``with telemetry.continued(case.traceparent, "reply case", case_id=str(case.id)):`` keeps what a later request does
    to a case inside the case's trace.
    """
    parent = _span_context(traceparent)
    here = trace.get_current_span().get_span_context()
    if parent is None:
        context, links = otel_context.get_current(), ()
    else:
        context = _under(parent)
        links = (Link(here),) if here.is_valid and here.span_id != parent.span_id else ()
    span = _start(name, context, SpanKind.INTERNAL, _named(attributes), links)
    with _entered(span, context):
        yield span


@contextmanager
def spanned(name: str, **attributes: AttributeValue | None) -> Generator[Span]:
    """A span inside the current one."""
    context = otel_context.get_current()
    span = _start(name, context, SpanKind.INTERNAL, _named(attributes), ())
    with _entered(span, context):
        yield span


def record_span(
    span: str,
    *,
    parent: str | None,
    name: str,
    start: datetime,
    end: datetime,
    attributes: Mapping[str, AttributeValue | None] | None = None,
    links: Iterable[str | None] = (),
    kind: SpanKind = SpanKind.INTERNAL,
) -> None:
    """Record a span whose id is already written elsewhere, as in an outbox row that SQL has made.

    Args:
        span: the ``traceparent`` of this span (see ``child_traceparent``); its trace must be the parent's.
        parent: the ``traceparent`` it hangs under; None makes it a root.
        name: low-cardinality, as ``fire clock``.
        start: when it began.
        end: when it ended.
        attributes: as in ``set_attributes``.
        links: ``traceparent`` texts it is linked to, such as the span that armed the clock.
        kind: what sort of span it is.
    """
    own = _span_context(span) if _state.records else None
    if own is None or not own.trace_flags.sampled:
        return
    span_token, trace_token = _preset_span_id.set(own.span_id), _preset_trace_id.set(own.trace_id)
    try:
        recorded = _state.tracer.start_span(
            name,
            context=_under(_span_context(parent)),
            kind=kind,
            attributes=_named(attributes or {}),
            links=[Link(context) for context in map(_span_context, links) if context is not None],
            start_time=_nanoseconds(start),
        )
    finally:
        _preset_span_id.reset(span_token)
        _preset_trace_id.reset(trace_token)
    recorded.end(_nanoseconds(end))


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a record lies and who reads it, for the attributes of its span."""

    topic: str
    partition: int
    offset: int
    group: str


def start_processing(
    place: RecordPlace,
    *,
    traceparent: str | None,
    event_id: str | None = None,
    event_type: str | None = None,
    attributes: Mapping[str, AttributeValue | None] | None = None,
) -> Span:
    """Start the span ``process TOPIC`` of one record, under the record's own context and linked to it.

    It is not made current (use ``entered``), so that the spans of a batch can be open side by side. ``traceparent_of``
    it is what events caused by this record carry. Without recording it is the record's own context, passed on.
    """
    parent = _span_context(traceparent)
    if not _state.records and parent is not None:
        return NonRecordingSpan(parent)
    if parent is not None and not parent.trace_flags.sampled:
        return NonRecordingSpan(parent)
    named: dict[str, AttributeValue] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": place.topic,
        "messaging.destination.partition.id": str(place.partition),
        "messaging.kafka.offset": place.offset,
        "messaging.consumer.group.name": place.group,
    }
    if event_id:
        named["messaging.message.id"] = event_id
    if event_type:
        named["cloudevents.event_type"] = event_type
    if attributes:
        named.update(_named(attributes))
    if parent is None:
        # A search for the case must find the case's own trace alone, and this span begins another.
        named.pop("shouwen.case.id", None)
    return _state.tracer.start_span(
        f"process {place.topic}",
        context=_under(parent),
        kind=SpanKind.CONSUMER,
        attributes=named,
        links=() if parent is None else (Link(parent),),
        record_exception=False,
        set_status_on_exception=False,
    )


def start_sending(
    topic: str,
    *,
    traceparent: str | None,
    event_id: str | None = None,
    event_type: str | None = None,
    attributes: Mapping[str, AttributeValue | None] | None = None,
) -> Span:
    """Start the span ``send TOPIC`` of one record under the context in which the event was emitted.

    ``traceparent_of`` it goes into the record's header; end it when the broker has acknowledged, with ``fail`` before
    when it did not. Without recording it is the given context, passed on.
    """
    parent = _span_context(traceparent)
    if parent is not None and not (_state.records and parent.trace_flags.sampled):
        return NonRecordingSpan(parent)
    named: dict[str, AttributeValue] = {
        "messaging.system": "kafka",
        "messaging.operation.type": "send",
        "messaging.operation.name": "send",
        "messaging.destination.name": topic,
    }
    if event_id:
        named["messaging.message.id"] = event_id
    if event_type:
        named["cloudevents.event_type"] = event_type
    if attributes:
        named.update(_named(attributes))
    return _state.tracer.start_span(
        f"send {topic}",
        context=_under(parent),
        kind=SpanKind.PRODUCER,
        attributes=named,
        record_exception=False,
        set_status_on_exception=False,
    )


@contextmanager
def entered(span: Span) -> Generator[Span]:
    """Make a started span the current one for a while; it is not ended here."""
    token = otel_context.attach(trace.set_span_in_context(span))
    try:
        yield span
    finally:
        otel_context.detach(token)


def fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed by this kind of error. The error's text stays out: it may quote data."""
    fail_as(span, type(error).__qualname__)


def fail_as(span: Span, kind: str) -> None:
    """Mark a span as failed; ``kind`` is a class of errors or a status code."""
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", kind)


def start_serving(method: str, *, traceparent: str | None, scheme: str) -> Span:
    """Start the span of one HTTP request under the caller's context; the route is named when it is known.

    Without recording it is its context alone, so that what the request begins still has a trace id.
    """
    if not _state.records and (context := _span_context(child_traceparent(traceparent))) is not None:
        return NonRecordingSpan(context)
    return _state.tracer.start_span(
        method,
        context=_under(_span_context(traceparent)),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": method, "url.scheme": scheme},
        record_exception=False,
        set_status_on_exception=False,
    )


def _start(
    name: str, context: Context, kind: SpanKind, attributes: Mapping[str, AttributeValue], links: Sequence[Link]
) -> Span:
    parent = trace.get_current_span(context).get_span_context()
    if parent.is_valid and not _state.records:
        return NonRecordingSpan(parent)
    return _state.tracer.start_span(name, context, kind, attributes, links, None, False, False)


@contextmanager
def _entered(span: Span, context: Context) -> Generator[None]:
    token = otel_context.attach(trace.set_span_in_context(span, context))
    try:
        yield
    except Exception as error:
        fail(span, error)
        raise
    finally:
        otel_context.detach(token)
        span.end()


def _named(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {
        name if "." in name else "shouwen." + name.replace("_", "."): value
        for name, value in attributes.items()
        if value is not None
    }


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp() * 1_000_000) * 1000


# --- exporters ------------------------------------------------------------------------------------------------------


def check_exporter(name: str) -> SpanExporter:
    """The exporter of this name. Raises BadSettings when there is none."""
    match name:
        case "otlp" | "otlp_proto_http":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        case "zipkin_json" | "zipkin":
            from opentelemetry.exporter.zipkin.json import ZipkinExporter

            return ZipkinExporter()
        case _:
            problem = FieldProblem(
                "OTEL_TRACES_EXPORTER", "names an unknown exporter", "Set otlp, zipkin_json or none."
            )
            raise BadSettings((problem,))


class _Patient(SpanExporter):
    """Says once per outage that spans are lost, and says it when they flow again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._is_down = False

    def export(self, spans: Sequence[object]) -> SpanExportResult:
        import structlog

        try:
            result = self._inner.export(spans)  # pyright: ignore[reportArgumentType]
            error = "refused"
        except Exception as raised:
            result, error = SpanExportResult.FAILURE, type(raised).__name__
        is_down = result is not SpanExportResult.SUCCESS
        if is_down != self._is_down:
            log = structlog.stdlib.get_logger("shouwen.telemetry")
            if is_down:
                log.warning("spans cannot be sent; they are dropped until the collector answers", error=error)
            else:
                log.info("spans are sent again")
        self._is_down = is_down
        return result

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)
