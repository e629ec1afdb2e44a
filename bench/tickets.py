"""Matters registered per second, beside tickets of django-helpdesk and single-row commits on the same PostgreSQL."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg
import psutil

from bench import raw_commit
from bench.figures import Rounds, p50_p99_ms, paired_ratio
from bench.launched import REPOSITORY
from bench.light_client import Answers
from bench.processes import between, cpu_seconds, tree
from bench.report import Section, Table, circumstances
from bench.suites import running
from shouwen.embedded.postgres import dsn_of
from shouwen.embedded.services import ServiceProcess
from shouwen.embedded.testing import free_port
from shouwen.runtime.relay import SHARE_EVERY_SECONDS

COMMIT_SECONDS = 3.0
MATTERS_PER_TICKET = 10
"""Bursts of both then take about as long."""
HELPDESK_DATABASE = "bench_helpdesk"
HELPDESK_WORKERS = 2
"""Processes, as many as the machine has cores; eight threads each."""
TITLE = "工资未按约定日期到账"
WORDS = "派遣员工反映本月工资至今未到账，用工单位称已拨付，请核实发放进度。"


@dataclass(slots=True)
class _Line:
    """One line of the tables, by rounds; CPU in ms of one answer."""

    per_second: list[float] = field(default_factory=list[float])
    ms: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    cpu_ms: list[float] = field(default_factory=list[float])
    postgres_cpu_ms: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class _Figures:
    raw: _Line = field(default_factory=_Line)
    tickets: _Line = field(default_factory=_Line)
    empty: _Line = field(default_factory=_Line)
    matters: _Line = field(default_factory=_Line)
    matters_of_two: _Line = field(default_factory=_Line)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is sent to whom."""

    ports: Sequence[int]
    path: str
    headers: Mapping[str, str]
    requests: Sequence[Mapping[str, Any]]
    concurrency: int


async def measure(*, rounds: int, concurrency: int, tickets: int, command: str) -> Section:
    """Raw commits, tickets, empty requests, matters, in turn, each over so many connections; medians of the rounds."""
    at = circumstances()
    figures = _Figures()
    count = tickets * MATTERS_PER_TICKET
    with running(traces=False, only=["intake"]) as (suite, access):
        clerk = access.headers("bj.clerk", ["beijing"], ["clerk"])
        intake = suite.services["intake"]
        async with (
            raw_commit.database(suite.admin_dsn()) as dsn,
            _helpdesk(suite.admin_dsn()) as (port, headers, queue, server),
            _empty_route(intake) as empty,
        ):

            async def send(asked: _Asked, line: _Line | None, *pids: int | None) -> None:
                before, served = cpu_seconds(suite.home), _cpu_of(*pids)
                answers = await _post(asked)
                if line is None:
                    return
                used = between(before, cpu_seconds(suite.home))
                of_one = 1000 / len(asked.requests)
                line.per_second.append(len(asked.requests) / answers.seconds)
                line.ms.append(p50_p99_ms(answers.each))
                line.cpu_ms.append((_cpu_of(*pids) - served) * of_one)
                line.postgres_cpu_ms.append(used["postgres"] * of_one)

            def of_tickets(number: int) -> _Asked:
                return _Asked([port], "/api/tickets/", headers, _tickets(queue, number), concurrency)

            def of_matters(number: int, *ports: int) -> _Asked:
                return _Asked(ports, "/api/cases", clerk, _matters(number), concurrency)

            def of_nothing(number: int) -> _Asked:
                return _Asked([empty.port], "/api/empty", clerk, [{"body": "{}"}] * number, concurrency)

            for asked in (of_tickets(20), of_nothing(100), of_matters(100, intake.port)):
                await send(asked, None)
            for _ in range(rounds):
                raw = await raw_commit.commits(dsn, connections=concurrency, seconds=COMMIT_SECONDS)
                figures.raw.per_second.append(raw.per_second)
                figures.raw.ms.append(p50_p99_ms(raw.seconds_each))
                await send(of_tickets(tickets), figures.tickets, server.pid)
                await send(of_nothing(count), figures.empty, empty.process.pid)
                await send(of_matters(count, intake.port), figures.matters, intake.process.pid)
                async with _second(intake) as second:
                    await send(of_matters(100, second.port), None)
                    await send(
                        of_matters(count, intake.port, second.port),
                        figures.matters_of_two,
                        intake.process.pid,
                        second.process.pid,
                    )
    return Section(
        name="tickets",
        title=f"Registering, beside django-helpdesk and the raw commit rate, {concurrency} at once",
        command=command,
        tables=[_rates(figures, concurrency), _cpu(figures)],
        notes=[
            f"{rounds} rounds of {count} matters and {tickets} tickets, in turn on one PostgreSQL server with its "
            "usual durability (fsync and synchronous_commit on). The client is a process of its own with prepared "
            "requests (`bench.light_client`).",
            f"django-helpdesk {version('django-helpdesk')} on Django {version('django')}: its own REST API "
            f"(POST /api/tickets/, token of a staff member) under gunicorn with {HELPDESK_WORKERS} processes of eight "
            "threads, kept database connections, and a mail back end that drops all mail.",
            "A matter, without traces: encrypted and hashed fields, idempotency key, number without gaps, first "
            "custody, history, index of words, outbox; Kafka takes the events meanwhile. The CPU of PostgreSQL "
            "includes what the relay asks of it. Two processes are two replicas on ports of their own, which get the "
            "connections in turn, as a load balancer gives them.",
            "The empty request goes through all that every route has (middlewares, FastAPI, a checked bearer token) "
            "and one empty transaction as the caller (`bench.empty_route`), in one process: about the most that one "
            "process gives, whatever it is asked. A matter passes by FastAPI's part, and shares its transaction.",
        ],
        figures=asdict(figures),
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def _rates(figures: _Figures, concurrency: int) -> Table:
    def row(what: str, line: _Line) -> list[str]:
        return [
            what,
            Rounds.of(line.per_second).text(),
            *(Rounds.of([pair[i] for pair in line.ms]).text(1) for i in (0, 1)),
            paired_ratio(line.per_second, figures.raw.per_second).text(3),
            paired_ratio(line.per_second, figures.tickets.per_second).text(1),
        ]

    return Table(
        ["", "per second", "p50 ms", "p99 ms", "of raw", "of django-helpdesk"],
        [
            row(f"raw: single-row commits, {concurrency} connections", figures.raw),
            row(f"django-helpdesk: tickets, {HELPDESK_WORKERS} processes", figures.tickets),
            row("runtime: empty requests, 1 process", figures.empty),
            row("intake: matters, 1 process", figures.matters),
            row("intake: matters, 2 processes", figures.matters_of_two),
        ],
    )


def _cpu(figures: _Figures) -> Table:
    def row(what: str, line: _Line) -> list[str]:
        return [what, Rounds.of(line.cpu_ms).text(2), Rounds.of(line.postgres_cpu_ms).text(2)]

    return Table(
        ["CPU ms of one", "service", "PostgreSQL"],
        [
            row("ticket", figures.tickets),
            row("empty request", figures.empty),
            row("matter, 1 process", figures.matters),
            row("matter, 2 processes", figures.matters_of_two),
        ],
    )


async def _post(asked: _Asked) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requests.json"
        headers = {**asked.headers, "Content-Type": "application/json"}
        file.write_text(json.dumps({**asdict(asked), "headers": headers, "method": "POST", "expected": 201}))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.light_client", str(file)), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    answers = Answers(**json.loads(output))
    if answers.unexpected:
        raise RuntimeError(
            f"{answers.unexpected} of {len(asked.requests)} requests to {asked.path} were not answered with 201"
        )
    return answers


def _matters(count: int) -> list[dict[str, Any]]:
    return [
        {
            "headers": {"Idempotency-Key": str(uuid4())},
            "body": json.dumps(
                {
                    "type": "complaint",
                    "channel": "phone",
                    "branch": "beijing",
                    "subject": TITLE,
                    "description": f"{WORDS}编号 {place}。",
                    "requester": {"name": "测试", "phone": f"138{place:08}", "relation": "dispatched_employee"},
                }
            ),
        }
        for place in range(count)
    ]


def _tickets(queue: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "body": json.dumps(
                {
                    "queue": queue,
                    "title": TITLE,
                    "description": f"{WORDS}编号 {place}。",
                    "submitter_email": f"test{place}@example.com",
                    "priority": 3,
                }
            )
        }
        for place in range(count)
    ]


@asynccontextmanager
async def _second(first: ServiceProcess) -> AsyncGenerator[ServiceProcess]:
    """Another replica of a service, once it has its share of the work behind the requests."""
    replica = _beside(first, f"{first.name}-2")
    replica.start()
    try:
        replica.wait_ready()
        await asyncio.sleep(2 * SHARE_EVERY_SECONDS)
        yield replica
    finally:
        replica.stop()


@asynccontextmanager
async def _empty_route(beside: ServiceProcess) -> AsyncGenerator[ServiceProcess]:
    server = _beside(beside, "empty")
    server.process.start(
        [sys.executable, "-X", server.process.marker, "-m", "bench.empty_route"],
        {**os.environ, **server.environment, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        await _listens(server.port)
        yield server
    finally:
        server.stop()


def _beside(service: ServiceProcess, name: str) -> ServiceProcess:
    """A process with the same settings on a port of its own."""
    port = free_port()
    environment = {**service.environment, "SHOUWEN_HTTP_PORT": str(port)}
    beside = ServiceProcess(service.name, service.home, service.host, port, environment)
    beside.process = replace(
        beside.process,
        name=name,
        log=service.home / "logs" / f"{name}.log",
        pid_file=service.home / "run" / f"{name}.json",
    )
    return beside


@asynccontextmanager
async def _helpdesk(admin_dsn: str) -> AsyncGenerator[tuple[int, dict[str, str], int, "subprocess.Popen[bytes]"]]:
    """django-helpdesk on a database of its own on the same server, and how to ask it."""
    admin = await asyncpg.connect(admin_dsn)
    await admin.execute(f"DROP DATABASE IF EXISTS {HELPDESK_DATABASE} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {HELPDESK_DATABASE}")
    environment = {**os.environ, "BENCH_HELPDESK_DSN": dsn_of(admin_dsn, HELPDESK_DATABASE)}
    setup = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.helpdesk_site"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await setup.communicate()
    made: dict[str, Any] = json.loads(output.splitlines()[-1])
    port = free_port()
    words = ["--bind", f"127.0.0.1:{port}", "--workers", str(HELPDESK_WORKERS), "--threads", "8", "--keep-alive", "60"]
    server = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-m", "gunicorn", *words, "--log-level", "error", "bench.helpdesk_site:application"],
        env=environment,
    )
    try:
        await _listens(port)
        yield port, {"Authorization": f"Token {made['token']}"}, made["queue"], server
    finally:
        server.terminate()
        server.wait(20)
        await admin.execute(f"DROP DATABASE {HELPDESK_DATABASE} WITH (FORCE)")
        await admin.close()


async def _listens(port: int) -> None:
    deadline = monotonic() + 60
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return


def _cpu_of(*pids: int | None) -> float:
    used = 0.0
    for process in (process for pid in pids if pid is not None for process in tree(pid)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used
