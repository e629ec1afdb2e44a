"""One fact, one trace: from the record heard to the record sent."""

from collections.abc import AsyncIterator

import pytest
from ledger import LedgerSettings, create
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from test_hearing import registered

from shouwen.contracts.message import MessageSent
from shouwen.runtime import telemetry
from shouwen.runtime.testing import Infrastructure, Running, running

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture(scope="module")
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    telemetry.observe(SimpleSpanProcessor(exporter))
    return exporter


@pytest.fixture(scope="module")
async def ledger(infrastructure: Infrastructure, spans: InMemorySpanExporter) -> AsyncIterator[Running]:
    async with running(create, LedgerSettings, infrastructure, service="notify") as one:
        yield one


async def test_hearing_handling_and_sending_are_one_trace(ledger: Running, spans: InMemorySpanExporter) -> None:
    event = registered(traceparent=f"00-{TRACE}-{PARENT}-01")
    await ledger.hears(event)
    [told] = await ledger.emitted(MessageSent, subject=f"message/{event.data.case_id}")
    mine = {
        span.name: span
        for span in spans.get_finished_spans()
        if span.context is not None and f"{span.context.trace_id:032x}" == TRACE
    }
    process, send = mine["process case.v1"], mine["send message.v1"]
    assert process.parent is not None
    assert f"{process.parent.span_id:016x}" == PARENT
    assert [f"{link.context.span_id:016x}" for link in process.links] == [PARENT]
    assert send.parent is not None
    assert process.context is not None
    assert send.parent.span_id == process.context.span_id
    assert send.context is not None
    assert (told.traceparent or "").split("-")[1:3] == [TRACE, f"{send.context.span_id:016x}"]
    assert dict(process.attributes or {}) | {
        "messaging.operation.type": "process",
        "messaging.destination.name": "case.v1",
        "shouwen.branch": "beijing",
        "shouwen.case.id": str(event.data.case_id),
        "messaging.message.id": event.id,
    } == dict(process.attributes or {})


async def test_what_was_not_sampled_stays_so_but_keeps_its_trace(ledger: Running, spans: InMemorySpanExporter) -> None:
    event = registered(traceparent=f"00-{TRACE[::-1]}-{PARENT}-00")
    await ledger.hears(event)
    [told] = await ledger.emitted(MessageSent, subject=f"message/{event.data.case_id}")
    assert (told.traceparent or "").split("-")[1] == TRACE[::-1]
    assert TRACE[::-1] not in [f"{s.context.trace_id:032x}" for s in spans.get_finished_spans() if s.context]


async def test_a_failed_handling_names_its_kind_and_nothing_else(ledger: Running, spans: InMemorySpanExporter) -> None:
    event = registered("BUG", traceparent=f"00-{TRACE[1:]}1-{PARENT}-01")
    await ledger.hears(event)
    failed = [
        span for span in spans.get_finished_spans() if (span.attributes or {}).get("messaging.message.id") == event.id
    ]
    assert failed
    assert all((span.attributes or {}).get("error.type") == "RuntimeError" for span in failed)
    assert "13800138000" not in "".join(span.to_json() for span in failed)
