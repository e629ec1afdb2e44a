"""Raw limit of PostgreSQL: single-row commits through asyncpg, nothing around them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter

import asyncpg

from shouwen.embedded.postgres import dsn_of

DATABASE = "shouwen_bench_raw"
BODY = '{"text": "' + "x" * 480 + '"}'
"""About as many bytes as the row of one case."""


@dataclass(frozen=True, slots=True)
class Commits:
    """What one round did: rows per second, and the seconds of each commit."""

    per_second: float
    seconds_each: list[float]


@asynccontextmanager
async def database(admin_dsn: str) -> AsyncGenerator[str]:
    """A database of its own on the same server, dropped at the end; gives its DSN."""
    admin = await asyncpg.connect(admin_dsn)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        await admin.execute(f"CREATE DATABASE {DATABASE}")
        dsn = dsn_of(admin_dsn, DATABASE)
        connection = await asyncpg.connect(dsn)
        await connection.execute(
            "CREATE TABLE fact (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body jsonb NOT NULL)"
        )
        await connection.close()
        yield dsn
        await admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
    finally:
        await admin.close()


async def commits(dsn: str, *, connections: int, seconds: float) -> Commits:
    """Insert single rows, each in a transaction of its own, over so many connections for so long."""
    pool = [await asyncpg.connect(dsn) for _ in range(connections)]
    each: list[float] = []
    begun = perf_counter()

    async def insert(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        statement = await connection.prepare("INSERT INTO fact (body) VALUES ($1)")
        while (start := perf_counter()) - begun < seconds:
            await statement.fetch(BODY)
            each.append(perf_counter() - start)

    try:
        await asyncio.gather(*(insert(connection) for connection in pool))
        return Commits(len(each) / (perf_counter() - begun), each)
    finally:
        for connection in pool:
            await connection.close()
