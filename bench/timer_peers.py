"""Other timer engines on the same PostgreSQL: as many jobs for later, and a burst of due ones."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from bench.servers import Servers
from bench.timer_engine import HEAD_START_SECONDS, QUERIES, Burst, Companion, companion
from shouwen.embedded.postgres import dsn_of


@asynccontextmanager
async def database(servers: Servers, name: str) -> AsyncGenerator[str]:
    """A database for another engine on the same server."""
    admin = await asyncpg.connect(servers.admin_dsn)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield dsn_of(servers.admin_dsn, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def _prepare_pgqueuer(dsn: str, armed: int) -> None:
    """Its schema, and so many jobs for later."""
    from pgqueuer.queries import Queries

    connection = await asyncpg.connect(dsn)
    try:
        engine = Queries.from_asyncpg_connection(connection)
        await engine.install()
        for start in range(0, armed, 20_000):
            count = min(20_000, armed - start)
            later: list[timedelta | None] = [timedelta(hours=1, seconds=20 * (start + place)) for place in range(count)]
            await engine.enqueue(["fire"] * count, [None] * count, [0] * count, later)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _burst_of_pgqueuer(dsn: str, due: int, seconds: float) -> Burst:
    """Let jobs fall due in one instant; those that had run when the time was up count."""
    from pgqueuer.queries import Queries

    connection = await asyncpg.connect(dsn)
    try:
        async with companion("bench.peer", "pgqueuer", dsn) as worker:
            due_at = time.time() + HEAD_START_SECONDS + due / 3_000
            engine = Queries.from_asyncpg_connection(connection)
            for start in range(0, due, 10_000):
                count = min(10_000, due - start)
                left: list[timedelta | None] = [timedelta(seconds=due_at - time.time())]
                await engine.enqueue(["fire"] * count, [None] * count, [0] * count, left * count)
            result = await _peer_result(worker, due, due_at, seconds)
        await connection.execute("DELETE FROM pgqueuer WHERE execute_after < now() + interval '30 minutes'")
        return result
    finally:
        await connection.close()


async def _prepare_procrastinate(dsn: str, armed: int) -> None:
    """Its schema, and so many jobs for later."""
    import procrastinate

    engine = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))
    async with engine.open_async():
        await engine.schema_manager.apply_schema_async()
    connection = await asyncpg.connect(dsn)
    try:
        first = datetime.now(UTC) + timedelta(hours=1)
        await connection.execute(QUERIES.procrastinate_jobs, armed, first, timedelta(seconds=20), timeout=900)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _burst_of_procrastinate(dsn: str, due: int, seconds: float) -> Burst:
    """Let jobs fall due in one instant; those that had run when the time was up count."""
    connection = await asyncpg.connect(dsn)
    try:
        async with companion("bench.peer", "procrastinate", dsn) as worker:
            due_at = time.time() + HEAD_START_SECONDS
            at = datetime.fromtimestamp(due_at, UTC)
            await connection.execute(QUERIES.procrastinate_jobs, due, at, timedelta(0), timeout=60)
            result = await _peer_result(worker, due, due_at, seconds)
        await connection.execute("DELETE FROM procrastinate_jobs WHERE scheduled_at < now() + interval '30 minutes'")
        return result
    finally:
        await connection.close()


async def _peer_result(worker: Companion, due: int, due_at: float, seconds: float) -> Burst:
    await asyncio.sleep(max(0.0, due_at + seconds - time.time()))
    ran = [float(at) - due_at for at in await worker.finish()]  # pyright: ignore
    # What it did not come to within the time leaves its rate as it is: so many in so many seconds.
    in_time = sorted(at for at in ran if at <= seconds)
    return Burst(len(in_time), in_time if len(in_time) >= due else [*in_time, seconds])


@dataclass(frozen=True, slots=True)
class Engine:
    """Another engine: how its database gets so many jobs for later, and how so many due ones are run in a time."""

    name: str
    label: str
    prepare: Callable[[str, int], Awaitable[None]]
    burst: Callable[[str, int, float], Awaitable[Burst]]


ENGINES = (
    Engine("pgqueuer", "pgqueuer, batch 1000", _prepare_pgqueuer, _burst_of_pgqueuer),
    Engine("procrastinate", "procrastinate, 10 at once", _prepare_procrastinate, _burst_of_procrastinate),
)
