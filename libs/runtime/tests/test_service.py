"""A whole service: its health, its start and stop, and the one trace, on a real broker and a real database."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from ledger import LedgerSettings, create
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from test_hearing import registered

from shouwen.contracts.message import MessageSent
from shouwen.runtime import telemetry
from shouwen.runtime.supervision import Position
from shouwen.runtime.testing import Grounds, Infrastructure, Running, grounds, running

STORED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
async def ledger(infrastructure: Infrastructure) -> AsyncIterator[Running]:
    async with running(create, LedgerSettings, infrastructure, service="notify") as one:
        yield one


@pytest.fixture(scope="module")
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    async with grounds(infrastructure, "notify") as one:
        yield one


# --- what an operator sees ------------------------------------------------------------------------------------------


async def test_a_running_service_is_alive_and_ready(ledger: Running):
    async def not_ready() -> str | None:
        answer = await ledger.http.get("/health/ready")
        return None if (answer.status_code, answer.json().get("status")) == (200, "ok") else answer.text

    await ledger.until_none(not_ready)  # a start returns before the relay has its first shard
    answer = await ledger.http.get("/health/live")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_streams_tell_position_lag_and_backlog(ledger: Running):
    event = registered()
    await ledger.hears(event)
    await ledger.settled()
    answer = await ledger.http.get("/api/streams", headers=ledger.token(roles=["operator"]))
    assert answer.status_code == 200
    document = answer.json()
    [case] = [each for each in document["items"] if each["stream"] == "case.v1"]
    assert case["lag"] == 0
    assert sum(each["position"] for each in case["partitions"]) >= 1
    assert (document["outbox_pending"], document["dead_letters"], document["next"]) == (0, 0, None)


async def test_streams_and_dead_letters_are_for_operators_and_group_roles(ledger: Running):
    for path in ("/api/streams", "/api/dead-letters"):
        assert (await ledger.http.get(path)).status_code == 401
        answer = await ledger.http.get(path, headers=ledger.token(roles=["clerk"]))
        assert answer.status_code == 403
        assert "operator" in answer.json()["detail"]
        group = ledger.token(branches=[], roles=["group_auditor"])
        assert (await ledger.http.get(path, headers=group)).status_code == 200


async def test_an_expired_token_and_one_of_another_issuer_are_told_apart(ledger: Running):
    expired = await ledger.http.get("/api/streams", headers=ledger.token(expires_in=-3600))
    assert (expired.status_code, "expired" in expired.json()["detail"]) == (401, True)
    foreign = await ledger.http.get("/api/streams", headers=ledger.token(iss="https://elsewhere.example"))
    assert (foreign.status_code, "somebody else" in foreign.json()["detail"]) == (401, True)


async def test_metrics_tell_lag_backlog_latency_and_durations(ledger: Running):
    await ledger.hears(registered())
    await ledger.service.observe()
    await ledger.http.get("/api/streams", headers=ledger.token(roles=["operator"]))
    text = (await ledger.http.get("/metrics")).text
    for name in (
        "shouwen_consumer_lag",
        "shouwen_outbox_pending",
        "shouwen_outbox_oldest_age_seconds",
        "shouwen_dead_letters_open",
        "http_server_request_duration_seconds_bucket",
        "process_resident_memory_bytes",
    ):
        assert name in text, name
    assert 'http_route="/api/streams"' in text


async def test_a_consumer_that_stands_still_fails_liveness(ledger: Running, monkeypatch: pytest.MonkeyPatch):
    service = ledger.service
    end = 10
    now = time.monotonic()

    async def positions() -> list[Position]:
        return [Position("case.v1", 0, 5, end)]

    monkeypatch.setattr(service, "positions", positions)
    await service.observe(now)
    assert (await ledger.http.get("/health/live")).status_code == 200
    end = 20
    await service.observe(now + service.settings.standstill.total_seconds() + 1)
    answer = await ledger.http.get("/health/live")
    assert answer.status_code == 503
    assert "case.v1 partition 0 stands still at 5" in answer.json()["errors"][0]["problem"]
    monkeypatch.undo()
    await service.observe()
    assert (await ledger.http.get("/health/live")).status_code == 200


# --- one trace ------------------------------------------------------------------------------------------------------


@pytest.mark.req("X-04")
async def test_an_event_and_what_it_causes_are_one_trace_with_every_parent_known(ledger: Running):
    telemetry.setup("tests")
    exporter = InMemorySpanExporter()
    telemetry.observe(SimpleSpanProcessor(exporter))
    event = registered(traceparent=STORED)
    await ledger.hears(event)
    [told] = await ledger.emitted(MessageSent, subject=f"message/{event.data.case_id}")
    await ledger.settled()
    trace_id = telemetry.trace_id_of(STORED)
    spans = [each for each in exporter.get_finished_spans() if hex_trace(each) == trace_id]
    assert {each.name for each in spans} == {"process case.v1", "send message.v1"}
    assert telemetry.trace_id_of(told.traceparent) == trace_id
    known = {span_id(each) for each in spans} | {STORED.split("-")[2]}
    for each in spans:
        assert each.parent is not None
        assert f"{each.parent.span_id:016x}" in known
    [send] = [each for each in spans if each.name == "send message.v1"]
    assert told.traceparent is not None
    assert told.traceparent.split("-")[2] == span_id(send)


@pytest.mark.req("X-04")
async def test_a_request_begins_the_trace_of_the_event_it_causes(ledger: Running):
    telemetry.setup("tests")
    exporter = InMemorySpanExporter()
    telemetry.observe(SimpleSpanProcessor(exporter))
    case_id = str(uuid4())
    answer = await ledger.http.post(
        "/emit?phone=13800138000", json={"branch": "beijing", "case_id": case_id}, headers=ledger.token()
    )
    assert answer.status_code == 200, answer.text
    [told] = await ledger.emitted(MessageSent, subject=f"message/{case_id}")
    await ledger.settled()
    [serve] = [each for each in exporter.get_finished_spans() if each.name == "POST /emit"]
    [send] = [each for each in exporter.get_finished_spans() if hex_trace(each) == hex_trace(serve) and each != serve]
    assert send.parent is not None
    assert f"{send.parent.span_id:016x}" == span_id(serve)
    assert telemetry.trace_id_of(told.traceparent) == hex_trace(serve)
    assert dict(serve.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/emit",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert "13800138000" not in serve.to_json()


def hex_trace(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.span_id:016x}"


# --- its process ----------------------------------------------------------------------------------------------------


class Started:
    """A service process, its port and what it has logged."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.base = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def get(self, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(self.base + path, **options)

    async def post(self, path: str, **options: Any) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.post(
                self.base + path, timeout=30, headers={"content-type": "application/json"}, **options
            )

    async def until(self, path: str, status: int, *, says: str = "", seconds: float = 90) -> httpx.Response:
        answer: httpx.Response | None = None
        async with asyncio.timeout(seconds):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = await self.get(path)
                    if answer.status_code == status and says in answer.text:
                        return answer
                assert self.process.returncode is None, self.log
                await asyncio.sleep(0.1)

    async def ends(self, seconds: float = 60) -> int:
        async with asyncio.timeout(seconds):
            code = await self.process.wait()
            await self._reading
        return code

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode().rstrip())


async def chunks(size: int) -> AsyncGenerator[bytes]:
    for _ in range(size // 100_000):
        yield b"x" * 100_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.asynccontextmanager
async def process(environment: dict[str, str], port: int | None = None) -> AsyncGenerator[Started]:
    """``python -m ledger`` with these settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("SHOUWEN_", "OTEL_"))}
    port = port or free_port()
    started = Started(
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ledger",
            env={**inherited, **environment, "SHOUWEN_HTTP_PORT": str(port)},
            cwd=Path(__file__).parent,
            stderr=PIPE,
        ),
        port,
    )
    try:
        yield started
    finally:
        if started.process.returncode is None:
            started.process.kill()
            await started.ends()


async def test_a_process_serves_logs_json_and_stops_when_told(ground: Grounds):
    token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJiai5jbGVyayJ9.c2lnbmF0dXJl"
    async with process(ground.environment()) as service:
        await service.until("/health/ready", 200)
        answer = await service.get(
            "/api/streams", params={"phone": "13800138000"}, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 401
        for body in (b"x" * 2_000_000, chunks(2_000_000)):
            too_long = await service.post("/emit", content=body)
            assert (too_long.status_code, too_long.json()["code"]) == (413, "too_large")
        service.process.send_signal(signal.SIGTERM)
        # The default of stop_timeout is 20 s; the rest is for a busy machine.
        assert await service.ends(30) == 0
    lines = [json.loads(line) for line in service.lines]
    assert {"listening", "started", "stopping", "stopped"} <= {line["event"] for line in lines}
    assert {line["service"] for line in lines} == {"notify"}
    assert "eyJ" not in service.log
    assert "13800138000" not in service.log
    for secret in ("of-test-databases-only", ground.environment()["SHOUWEN_SEAL_KEY"]):
        assert secret not in service.log


async def test_without_servers_it_is_alive_says_what_it_waits_for_and_still_stops(ground: Grounds):
    nowhere = f"127.0.0.1:{free_port()}"
    away = dict.fromkeys(
        ("SHOUWEN_DATABASE_URL", "SHOUWEN_WORKER_DATABASE_URL", "SHOUWEN_MIGRATION_DATABASE_URL"),
        f"postgresql://nobody@{nowhere}/none",
    )
    async with process({**ground.environment(), **away}) as service:
        answer = await service.until("/health/ready", 503, says="migrating (")
        assert answer.headers["retry-after"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await service.get("/health/live")).status_code == 200
        service.process.send_signal(signal.SIGTERM)
        assert await service.ends() == 0


async def test_without_kafka_it_serves_people_and_names_kafka_as_the_reason(ground: Grounds):
    async with process({**ground.environment(), "SHOUWEN_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}) as service:
        answer = await service.until("/health/ready", 503, says='"consumer"')
        parts = {each["field"] for each in answer.json()["errors"]}
        assert "consumer" in parts
        assert "database" not in parts
        service.process.send_signal(signal.SIGTERM)
        assert await service.ends() == 0


async def test_a_second_signal_ends_it_at_once(ground: Grounds):
    async with process({**ground.environment(), "SHOUWEN_KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}) as service:
        await service.until("/health/ready", 503, says="Kafka")
        service.process.send_signal(signal.SIGTERM)
        service.process.send_signal(signal.SIGINT)
        assert await service.ends(15) in {0, 128 + signal.SIGINT, 128 + signal.SIGTERM}


async def test_bad_settings_end_it_with_code_two_and_name_the_variable(ground: Grounds):
    environment = {**ground.environment(), "SHOUWEN_SEAL_KEY": "c2VjcmV0LXNob3J0LWtleQ=="}
    del environment["SHOUWEN_OIDC_ISSUER"]
    async with process(environment) as service:
        assert await service.ends() == 2
    assert "SHOUWEN_SEAL_KEY" in service.log
    assert "SHOUWEN_OIDC_ISSUER" in service.log
    assert "c2VjcmV0" not in service.log
    assert "Traceback" not in service.log


async def test_a_taken_port_is_named(ground: Grounds):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with process(ground.environment(), port) as service:
            assert await service.ends() == 2
    assert "SHOUWEN_HTTP_PORT" in service.log
    assert str(port) in service.log
    assert "Traceback" not in service.log


async def test_an_unknown_exporter_ends_it_with_code_two(ground: Grounds):
    async with process({**ground.environment(), "OTEL_TRACES_EXPORTER": "jaeger"}) as service:
        assert await service.ends() == 2
    assert "OTEL_TRACES_EXPORTER" in service.log


async def test_a_step_that_cannot_succeed_ends_it_with_code_one(ground: Grounds, tmp_path: Path):
    async with process({**ground.environment(), "LEDGER_FAILS": "yes"}) as service:
        assert await service.ends() == 1
    assert "the service cannot start" in service.log
