"""Matters registered per second, beside tickets of django-helpdesk and single-row commits on the same PostgreSQL."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

import asyncpg
import psutil

from bench import raw_commit
from bench.figures import Rounds, p50_p99_ms, paired_ratio
from bench.light_client import Answers
from bench.processes import between, cpu_seconds, tree
from bench.report import Section, Table, circumstances
from bench.suites import running
from shouwen.embedded.postgres import dsn_of
from shouwen.embedded.testing import free_port

COMMIT_SECONDS = 3.0
HELPDESK_DATABASE = "bench_helpdesk"
HELPDESK_WORKERS = 2
"""Processes, as many as the machine has cores; eight threads each."""
TITLE = "工资未按约定日期到账"
WORDS = "派遣员工反映本月工资至今未到账，用工单位称已拨付，请核实发放进度。"


@dataclass(slots=True)
class _Figures:
    raw_per_second: list[float] = field(default_factory=list[float])
    raw_ms: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    tickets_per_second: list[float] = field(default_factory=list[float])
    tickets_ms: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    matters_per_second: list[float] = field(default_factory=list[float])
    matters_ms: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    helpdesk_cpu_ms: list[float] = field(default_factory=list[float])
    helpdesk_postgres_cpu_ms: list[float] = field(default_factory=list[float])
    intake_cpu_ms: list[float] = field(default_factory=list[float])
    intake_postgres_cpu_ms: list[float] = field(default_factory=list[float])


async def measure(*, rounds: int, concurrency: int, matters: int, command: str) -> Section:
    """Raw commits, tickets, matters, in turn, each over so many connections; then medians of the rounds."""
    at = circumstances()
    figures = _Figures()
    tickets = max(matters // 4, 50)
    with running(traces=False, only=["intake"]) as (suite, access):
        async with (
            raw_commit.database(suite.admin_dsn()) as dsn,
            _helpdesk(suite.admin_dsn()) as (port, headers, queue, server),
        ):
            intake_port = int(access.url("intake").rpartition(":")[2])
            clerk = access.headers("bj.clerk", ["beijing"], ["clerk"])
            await _post(port, "/api/tickets/", headers, _tickets(queue, 20), concurrency)
            await _post(intake_port, "/api/cases", clerk, _matters(100), concurrency)
            for _ in range(rounds):
                raw = await raw_commit.commits(dsn, connections=concurrency, seconds=COMMIT_SECONDS)
                figures.raw_per_second.append(raw.per_second)
                figures.raw_ms.append(p50_p99_ms(raw.seconds_each))

                before, served = cpu_seconds(suite.home), _cpu_of(server.pid)
                answers = await _post(port, "/api/tickets/", headers, _tickets(queue, tickets), concurrency)
                used = between(before, cpu_seconds(suite.home))
                figures.tickets_per_second.append(tickets / answers.seconds)
                figures.tickets_ms.append(p50_p99_ms(answers.each))
                figures.helpdesk_cpu_ms.append((_cpu_of(server.pid) - served) * 1000 / tickets)
                figures.helpdesk_postgres_cpu_ms.append(used["postgres"] * 1000 / tickets)

                before = cpu_seconds(suite.home)
                answers = await _post(intake_port, "/api/cases", clerk, _matters(matters), concurrency)
                used = between(before, cpu_seconds(suite.home))
                figures.matters_per_second.append(matters / answers.seconds)
                figures.matters_ms.append(p50_p99_ms(answers.each))
                figures.intake_cpu_ms.append(used["intake"] * 1000 / matters)
                figures.intake_postgres_cpu_ms.append(used["postgres"] * 1000 / matters)
    return Section(
        name="tickets",
        title=f"Registering, beside django-helpdesk and the raw commit rate, {concurrency} at once",
        command=command,
        tables=[_rates(figures, concurrency), _cpu(figures)],
        notes=[
            f"{rounds} rounds of {matters} matters and {tickets} tickets, in turn on one PostgreSQL server with its "
            "usual durability (fsync and synchronous_commit on). The client is a process of its own with prepared "
            "requests (`bench.light_client`).",
            f"django-helpdesk {version('django-helpdesk')} on Django {version('django')}: its own REST API "
            f"(POST /api/tickets/, token of a staff member) under gunicorn with {HELPDESK_WORKERS} processes of eight "
            "threads, kept database connections, and a mail back end that drops all mail.",
            "A matter is one process of intake, without traces: encrypted and hashed fields, idempotency key, number "
            "without gaps, first custody, history, index of words, outbox; Kafka takes the events meanwhile. The CPU "
            "of PostgreSQL includes what the relay asks of it.",
        ],
        figures={name: getattr(figures, name) for name in _Figures.__dataclass_fields__},
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def _rates(figures: _Figures, concurrency: int) -> Table:
    def line(what: str, per_second: list[float], ms: list[tuple[float, float]]) -> list[str]:
        return [
            what,
            Rounds.of(per_second).text(),
            *(Rounds.of([pair[i] for pair in ms]).text(1) for i in (0, 1)),
            paired_ratio(per_second, figures.raw_per_second).text(3),
            paired_ratio(per_second, figures.tickets_per_second).text(1),
        ]

    return Table(
        ["", "per second", "p50 ms", "p99 ms", "of raw", "of django-helpdesk"],
        [
            line(f"raw: single-row commits, {concurrency} connections", figures.raw_per_second, figures.raw_ms),
            line("django-helpdesk: tickets", figures.tickets_per_second, figures.tickets_ms),
            line("intake: matters", figures.matters_per_second, figures.matters_ms),
        ],
    )


def _cpu(figures: _Figures) -> Table:
    return Table(
        ["CPU ms of one", "service", "PostgreSQL"],
        [
            ["ticket", Rounds.of(figures.helpdesk_cpu_ms).text(1), Rounds.of(figures.helpdesk_postgres_cpu_ms).text(1)],
            ["matter", Rounds.of(figures.intake_cpu_ms).text(1), Rounds.of(figures.intake_postgres_cpu_ms).text(1)],
        ],
    )


async def _post(
    port: int, path: str, headers: Mapping[str, str], requests: Sequence[Mapping[str, Any]], concurrency: int
) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requests.json"
        asked = {"method": "POST", "path": path, "headers": {**headers, "Content-Type": "application/json"}}
        file.write_text(
            json.dumps({**asked, "requests": requests, "port": port, "concurrency": concurrency, "expected": 201})
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.light_client", str(file)), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
    answers = Answers(**json.loads(output))
    if answers.unexpected:
        raise RuntimeError(f"{answers.unexpected} of {len(requests)} requests to {path} were not answered with 201")
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


def _cpu_of(pid: int) -> float:
    used = 0.0
    for process in tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        used += times.user + times.system
    return used
