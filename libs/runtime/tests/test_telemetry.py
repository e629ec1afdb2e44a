"""Traces: contexts travel as text, spans hang where they belong, and nothing personal gets in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shouwen.runtime import telemetry
from shouwen.runtime.settings import BadSettings

STORED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = STORED[:-2] + "00"
_exporter = InMemorySpanExporter()
_observed: list[bool] = []


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    telemetry.setup("tests")
    if not _observed:
        telemetry.observe(SimpleSpanProcessor(_exporter))
        _observed.append(True)
    _exporter.clear()
    yield _exporter
    _exporter.clear()


def the(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    [found] = [each for each in spans.get_finished_spans() if each.name == name]
    return found


def context_of(span: ReadableSpan) -> trace.SpanContext:
    assert span.context is not None
    return span.context


def attributes_of(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        STORED.upper(),
        "ff" + STORED[2:],
        "00-" + "0" * 32 + STORED[35:],
        STORED[:36] + "0" * 16 + "-01",
        STORED[:-1],
    ],
)
def test_a_malformed_traceparent_is_no_trace(text: str | None):
    assert telemetry.trace_id_of(text) is None


def test_the_trace_id_is_read_from_a_traceparent_of_this_or_a_later_version():
    assert telemetry.trace_id_of(STORED) == "0af7651916cd43dd8448eb211c80319c"
    assert telemetry.trace_id_of("01" + STORED[2:] + "-more") == "0af7651916cd43dd8448eb211c80319c"


def test_what_happens_later_continues_the_stored_trace_and_links_to_the_present_one(spans: InMemorySpanExporter):
    with telemetry.spanned("request") as request:
        here = request.get_span_context()
        with telemetry.continued(STORED, "reply case", case_id="C-1", branch="beijing"):
            inside = telemetry.current_traceparent()
        assert trace.get_current_span() is request
    span = the(spans, "reply case")
    assert span.parent is not None
    assert telemetry.trace_id_of(inside) == f"{context_of(span).trace_id:032x}" == telemetry.trace_id_of(STORED)
    assert f"{span.parent.span_id:016x}" == STORED.split("-")[2]
    assert [link.context.span_id for link in span.links] == [here.span_id]
    assert attributes_of(span) == {"shouwen.case.id": "C-1", "shouwen.branch": "beijing"}


@pytest.mark.parametrize("caller", [None, STORED, UNSAMPLED])
def test_a_request_has_a_trace_of_its_own_or_the_callers_though_nothing_is_recorded(
    caller: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(telemetry, "_state", telemetry._State())  # pyright: ignore[reportPrivateUsage]
    with telemetry.entered(telemetry.start_serving("POST", traceparent=caller, scheme="http")):
        served = telemetry.current_traceparent()
    assert served is not None
    assert served != caller
    if caller is not None:
        assert telemetry.trace_id_of(served) == telemetry.trace_id_of(caller)
        assert served[-2:] == caller[-2:]
    with telemetry.entered(telemetry.start_serving("POST", traceparent=caller, scheme="http")):
        assert telemetry.current_traceparent() != served


def test_without_a_stored_trace_the_span_stays_in_the_present_one(spans: InMemorySpanExporter):
    with telemetry.spanned("request") as request, telemetry.continued(None, "reply case"):
        pass
    assert the(spans, "reply case").parent == request.get_span_context()


def test_a_failed_span_names_the_kind_of_error_and_not_its_text(spans: InMemorySpanExporter):
    with pytest.raises(ValueError, match="13800138000"), telemetry.spanned("fails"):
        raise ValueError("13800138000 is not a phone")
    span = the(spans, "fails")
    assert span.status.status_code is StatusCode.ERROR
    assert attributes_of(span) == {"error.type": "ValueError"}
    assert "13800138000" not in span.to_json()


def test_a_span_can_be_recorded_after_its_id_was_written_elsewhere(spans: InMemorySpanExporter):
    fired = datetime(2026, 11, 20, 9, 0, 0, 250_000, tzinfo=UTC)
    own = telemetry.child_traceparent(STORED)
    telemetry.record_span(
        own,
        parent=STORED,
        name="fire clock",
        start=fired,
        end=fired + timedelta(milliseconds=2),
        attributes={"case_id": "C-1", "shouwen.clock.step": "breach", "branch": None},
        links=[STORED, None],
    )
    span = the(spans, "fire clock")
    assert telemetry.trace_id_of(own) == telemetry.trace_id_of(STORED)
    assert own.split("-")[2] == f"{context_of(span).span_id:016x}"
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == STORED.split("-")[2]
    assert span.start_time == int(fired.timestamp() * 1_000_000) * 1000
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 2_000_000
    assert attributes_of(span) == {"shouwen.case.id": "C-1", "shouwen.clock.step": "breach"}
    assert len(span.links) == 1


def test_a_recorded_span_without_parent_begins_the_trace_it_names(spans: InMemorySpanExporter):
    now = datetime.now(UTC)
    own = telemetry.child_traceparent(None)
    telemetry.record_span(own, parent=None, name="fire clock", start=now, end=now)
    span = the(spans, "fire clock")
    assert span.parent is None
    assert f"{context_of(span).trace_id:032x}" == telemetry.trace_id_of(own)


def test_a_record_is_processed_under_its_own_context_and_linked_to_it(spans: InMemorySpanExporter):
    place = telemetry.RecordPlace("case.v1", 3, 42, "sla")
    span = telemetry.start_processing(place, traceparent=STORED, event_id="e-1", attributes={"case_id": "C-1"})
    with telemetry.entered(span):
        assert telemetry.current_traceparent() == telemetry.traceparent_of(span)
    span.end()
    done = the(spans, "process case.v1")
    assert done.kind is SpanKind.CONSUMER
    assert done.parent is not None
    assert f"{done.parent.span_id:016x}" == STORED.split("-")[2]
    assert [f"{link.context.span_id:016x}" for link in done.links] == [STORED.split("-")[2]]
    assert attributes_of(done) == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "case.v1",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 42,
        "messaging.consumer.group.name": "sla",
        "messaging.message.id": "e-1",
        "shouwen.case.id": "C-1",
    }


@pytest.mark.req("X-04")
def test_a_record_without_a_trace_does_not_claim_the_cases_id(spans: InMemorySpanExporter):
    place = telemetry.RecordPlace("case.v1", 3, 42, "sla")
    telemetry.start_processing(place, traceparent=None, attributes={"case_id": "C-1", "branch": "beijing"}).end()
    done = attributes_of(the(spans, "process case.v1"))
    assert "shouwen.case.id" not in done
    assert done["shouwen.branch"] == "beijing"


def test_a_sent_record_carries_the_span_of_its_sending(spans: InMemorySpanExporter):
    span = telemetry.start_sending("case.v1", traceparent=STORED, event_id="e-1", event_type="case.registered.v1")
    header = telemetry.traceparent_of(span)
    telemetry.fail(span, TimeoutError())
    span.end()
    done = the(spans, "send case.v1")
    assert done.kind is SpanKind.PRODUCER
    assert header is not None
    assert header.split("-")[2] == f"{context_of(done).span_id:016x}"
    assert attributes_of(done)["messaging.operation.type"] == "send"
    assert attributes_of(done)["error.type"] == "TimeoutError"


def test_the_roots_decision_not_to_sample_is_kept_and_passed_on(spans: InMemorySpanExporter):
    place = telemetry.RecordPlace("case.v1", 0, 0, "sla")
    span = telemetry.start_processing(place, traceparent=UNSAMPLED)
    assert telemetry.traceparent_of(span) == UNSAMPLED
    assert telemetry.traceparent_of(telemetry.start_sending("case.v1", traceparent=UNSAMPLED)) == UNSAMPLED
    with telemetry.continued(UNSAMPLED, "reply case"):
        inside = telemetry.current_traceparent()
    assert telemetry.trace_id_of(inside) == telemetry.trace_id_of(UNSAMPLED)
    assert inside is not None
    assert inside.endswith("-00")
    assert spans.get_finished_spans() == ()


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, []),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_EXPORTER_ZIPKIN_ENDPOINT": "http://z:9411/api/v2/spans"}, ["zipkin_json"]),
        ({"OTEL_TRACES_EXPORTER": "otlp,zipkin_json"}, ["otlp", "zipkin_json"]),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_the_standard_variables_choose_where_spans_go(
    environment: dict[str, str], chosen: list[str], monkeypatch: pytest.MonkeyPatch
):
    for name in (
        "OTEL_TRACES_EXPORTER",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
        "OTEL_SDK_DISABLED",
    ):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert list(telemetry.exporter_names("TRACES")) == chosen


def test_an_unknown_exporter_is_a_bad_setting():
    with pytest.raises(BadSettings, match="OTEL_TRACES_EXPORTER"):
        telemetry.check_exporter("jaeger")
