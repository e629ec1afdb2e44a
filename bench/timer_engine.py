"""The timer engine under load: many clocks armed, many due at once, and stops beside firings."""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import arming
from bench.firing import NotedTicker, work_of
from bench.report import FOLDER
from bench.servers import Servers
from shouwen.embedded.postgres import dsn_of
from shouwen.embedded.testing import Infrastructure
from shouwen.runtime import queries
from shouwen.runtime.migrate import migrate
from shouwen.runtime.testing import TOPIC_PARTITIONS, Grounds, grounds
from shouwen.sla.settings import SlaSettings

QUERIES = queries.parse((FOLDER / "timers.sql").read_text(encoding="utf-8"), origin="bench/timers.sql")
RESULT = b"result "
"""Begins the line of what a process of the measurement noted; others are its log."""
HEAD_START_SECONDS = 3.0
"""Between the last clock armed and the second in which all are due."""
LONGEST_BURST_SECONDS = 120.0


@dataclass(slots=True)
class Burst:
    """What one burst gave: how late each firing was, in seconds, when committed and when readable on Kafka."""

    due: int
    committed: list[float] = field(default_factory=list[float])
    readable: list[float] = field(default_factory=list[float])

    @property
    def per_second(self) -> float:
        """Firings per second from the due instant to the last commit."""
        return self.due / max(self.committed)

    @property
    def readable_per_second(self) -> float:
        """Firings per second from the due instant until the last was readable."""
        return self.due / max(self.readable)


@asynccontextmanager
async def companion(*command: str, environment: Mapping[str, str] | None = None) -> AsyncGenerator["Companion"]:
    """A process of the measurement's own that says `ready`; it is ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=FOLDER.parent,
        env={**os.environ, **(environment or {})},
        limit=64 * 2**20,
    )
    assert process.stdout
    try:
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError(f"{command[0]} did not start")
        yield Companion(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@dataclass(frozen=True, slots=True)
class Companion:
    """A process that runs until its input is closed, and then tells what it noted."""

    process: asyncio.subprocess.Process

    async def finish(self) -> list[object]:
        """Close its input; its last line."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        told = [json.loads(line[len(RESULT) :]) async for line in self.process.stdout if line.startswith(RESULT)]
        await self.process.wait()
        return told[0]


@dataclass(frozen=True, slots=True)
class Bench:
    """The database and the streams of this measurement."""

    ground: Grounds
    owner: "asyncpg.Connection[asyncpg.Record]"

    def environment(self) -> dict[str, str]:
        """What a replica is told."""
        return self.ground.environment() | {"OTEL_TRACES_EXPORTER": "none"}

    def settings(self) -> SlaSettings:
        """The same for this process."""
        return SlaSettings(**self.ground.values())

    async def arm_future(self, count: int) -> None:
        """Arm clocks that are not due within the hour. The indexes are built afterwards, as for a restored database."""
        indexes = await self.owner.fetch(QUERIES.indexes)
        for each in indexes:
            await self.owner.execute(each["drop"])
        for start in range(0, count, 250_000):
            await self.owner.execute(QUERIES.arm_future, min(250_000, count - start), timeout=900)
        for each in indexes:
            await self.owner.execute(each["create"], timeout=900)
        await self.owner.execute("VACUUM (ANALYZE) clock, timer", timeout=900)

    async def arm_due(self, count: int) -> float:
        """Arm clocks that all fall due in one instant, which is given back in seconds since 1970."""
        # Armed far ahead and moved: the instant depends on how long arming takes.
        began = time.time()
        due_at = float(int(began) + HEAD_START_SECONDS + 1 + count / 5_000)
        await self.owner.execute(QUERIES.arm_due, count, datetime.fromtimestamp(due_at, UTC), timeout=300)
        if time.time() > due_at - 0.5:
            raise RuntimeError("arming took longer than thought: the clocks are due already")
        return due_at


@asynccontextmanager
async def bench(servers: Servers) -> AsyncGenerator[Bench]:
    """A migrated database and streams of its own."""
    infrastructure = Infrastructure(servers.kafka_bootstrap, partial(dsn_of, servers.admin_dsn), None, None)
    async with grounds(infrastructure, "sla") as ground:
        await migrate(ground.url("owner"), "sla", ["shouwen.sla"])
        owner = await asyncpg.connect(ground.url("owner"))
        try:
            yield Bench(ground, owner)
        finally:
            await owner.close()


async def burst(one: Bench, due: int, *, replicas: int) -> Burst:
    """Let so many clocks fall due in one instant, and watch."""
    async with AsyncExitStack() as stack:
        firing = [
            await stack.enter_async_context(companion("bench.firing", environment=one.environment()))
            for _ in range(replicas)
        ]
        consumer = AIOKafkaConsumer(bootstrap_servers=one.ground.bootstrap, fetch_max_wait_ms=20)
        await consumer.start()
        stack.push_async_callback(consumer.stop)
        topic = one.ground.prefix + "clock.v1"
        consumer.assign([TopicPartition(topic, number) for number in range(TOPIC_PARTITIONS)])
        await consumer.seek_to_end()
        await asyncio.gather(*(consumer.position(place) for place in consumer.assignment()))
        due_at = await one.arm_due(due)
        result = Burst(due)
        seen: set[bytes | None] = set()
        while len(seen) < due and time.time() < due_at + LONGEST_BURST_SECONDS:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                late = time.time() - due_at
                fresh = {record.key for record in records} - seen
                seen |= fresh
                result.readable += [late] * len(fresh)
        if len(seen) != due:
            raise RuntimeError(f"{len(seen)} of {due} firings were seen")
        for replica in firing:
            for at, fired in await replica.finish():  # pyright: ignore
                result.committed += [at - due_at] * fired
        if len(result.committed) != due:
            raise RuntimeError(f"{len(result.committed)} firings for {due} clocks")
        return result


async def cost(one: Bench, due: int) -> float:
    """Firings per second of one ticker alone, without sending: the cost of the statement and its commit."""
    settings = one.settings()
    work = work_of(settings)
    await work.open()
    try:
        await one.owner.execute(QUERIES.arm_due, due, datetime.now(UTC), timeout=300)
        ticker = NotedTicker(work, interval=timedelta(seconds=1), batch=settings.ticker_batch)
        begun = time.perf_counter()
        fired = 0
        while fired < due:
            fired += await ticker.fire()
        seconds = time.perf_counter() - begun
        await one.owner.execute("TRUNCATE outbox")
        return due / seconds
    finally:
        await work.close()


@dataclass(frozen=True, slots=True)
class Race:
    """What came of clocks that fell due while they were stopped."""

    clocks: int
    fired_by_ticker: int
    told_by_stop: int
    after_stop: int
    lost: int
    repeated: int


async def race(one: Bench, clocks: int) -> Race:
    """Stop clocks through the service's own handler in the second in which they are due, with two tickers."""
    work = work_of(one.settings())
    await work.open()
    try:
        policies = await arming.learn_branches(work)
        due_at = datetime.now(UTC) + timedelta(seconds=3 + clocks / 1_500)
        events = arming.inquiries(clocks, due_at - timedelta(hours=24))
        await arming.hear(work, policies, events)
        await one.owner.execute("TRUNCATE outbox")
        tickers = [NotedTicker(work, interval=timedelta(milliseconds=20), batch=200) for _ in range(2)]
        running = [asyncio.create_task(ticker.run()) for ticker in tickers]
        await asyncio.sleep(max(0.0, (due_at - datetime.now(UTC)).total_seconds()))
        await arming.hear(work, policies, arming.replies(events, due_at + timedelta(seconds=1)), batch=100)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        return await _judge(one, {f"clock/{id_}" for id_ in await _clock_ids(one, events)})
    finally:
        await work.close()


async def _clock_ids(one: Bench, events: Sequence[arming.Registered]) -> list[UUID]:
    rows = await one.owner.fetch(
        "SELECT clock_id FROM clock WHERE subject = ANY ($1::text[])", [event.subject for event in events]
    )
    return [row["clock_id"] for row in rows]


async def _judge(one: Bench, clocks: set[str]) -> Race:
    rows = await one.owner.fetch("SELECT subject, event_type, event_id, body FROM outbox ORDER BY seq")
    told: dict[str, list[str]] = {clock: [] for clock in clocks}
    for row in rows:
        told[row["subject"]].append(row["event_type"])
    breaches = Counter(types.count("clock.breached.v1") for types in told.values())
    stepped = {
        f"clock/{row['clock_id']}"
        for row in await one.owner.fetch(
            "SELECT clock_id FROM clock JOIN timer USING (clock_id)"
            " WHERE fired_at[breach_step + 1] IS NOT NULL AND step > breach_step"
        )
    }
    by_stop = sum(
        types.index("clock.met.v1") - types.index("clock.breached.v1") == 1 and "escalation.raised.v1" not in types
        for types in told.values()
        if "clock.breached.v1" in types and "clock.met.v1" in types
    )
    return Race(
        clocks=len(clocks),
        fired_by_ticker=len(clocks) - by_stop,
        told_by_stop=by_stop,
        after_stop=sum("clock.met.v1" in types and types[-1] != "clock.met.v1" for types in told.values()),
        lost=breaches[0] + len(clocks - stepped),
        repeated=sum(count for times, count in breaches.items() if times > 1)
        + len(rows)
        - len({row["event_id"] for row in rows}),
    )
