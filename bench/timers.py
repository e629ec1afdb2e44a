"""The timer engine with many clocks armed: firing, racing, growing, arming; and two other engines beside it."""

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
from bench.figures import Rounds, paired_ratio, quantile
from bench.firing import NotedTicker, work_of
from bench.report import FOLDER, Section, Table, circumstances
from bench.servers import Servers, bare_servers
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
GROWTH_DUE = 5_000
PEER_DUE = 20_000
"""More than the other engines come to in their time."""
GROWTH_BATCHES = 5


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
        """Arm clocks that are not due within the hour."""
        for start in range(0, count, 250_000):
            await self.owner.execute(QUERIES.arm_future, min(250_000, count - start), timeout=900)
        await self.owner.execute("ANALYZE clock, timer", timeout=300)

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


async def cost(one: Bench) -> float:
    """Firings per second of one ticker alone, without sending: the cost of the statement and its commit."""
    settings = one.settings()
    work = work_of(settings)
    await work.open()
    try:
        await one.owner.execute(QUERIES.arm_due, GROWTH_DUE, datetime.now(UTC), timeout=300)
        ticker = NotedTicker(work, interval=timedelta(seconds=1), batch=settings.ticker_batch)
        begun = time.perf_counter()
        fired = 0
        while fired < GROWTH_DUE:
            fired += await ticker.fire()
        seconds = time.perf_counter() - begun
        await one.owner.execute("TRUNCATE outbox")
        return GROWTH_DUE / seconds
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


# --- other engines --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def peer_database(servers: Servers, name: str) -> AsyncGenerator[str]:
    """A database for another engine on the same server."""
    admin = await asyncpg.connect(servers.admin_dsn)
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield dsn_of(servers.admin_dsn, name)
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


async def prepare_pgqueuer(dsn: str, armed: int) -> None:
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


async def pgqueuer_burst(dsn: str, due: int, seconds: float) -> Burst:
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


async def prepare_procrastinate(dsn: str, armed: int) -> None:
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


async def procrastinate_burst(dsn: str, due: int, seconds: float) -> Burst:
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


# --- the section ----------------------------------------------------------------------------------------------------


async def measure(
    *,
    rounds: int,
    sizes: Sequence[int],
    due: int,
    replicas: Sequence[int],
    peer_seconds: float,
    peers: bool,
    command: str,
) -> Section:
    """Growth first, from few clocks to many; then everything else with the most."""
    at = circumstances()
    growth: dict[int, list[float]] = {}
    bursts: dict[int, list[Burst]] = {count: [] for count in replicas}
    pgqueuer: list[Burst] = []
    procrastinate: list[Burst] = []
    with bare_servers() as servers:
        async with bench(servers) as one, AsyncExitStack() as stack:
            armed_per_second, heard_per_second = await arming.rates(work_of(one.settings()), rounds)
            await one.owner.execute("TRUNCATE outbox, inbox, fact, subject, clock, timer")
            armed = 0
            for size in sorted(sizes):
                await one.arm_future(size - armed)
                armed = size
                await cost(one)  # warms what only this size touches
                growth[size] = [await cost(one) for _ in range(max(rounds, GROWTH_BATCHES))]
                print(f"{size:,} armed: {Rounds.of(growth[size]).text()} fired per second", flush=True)
            dsns = (
                {
                    name: await stack.enter_async_context(peer_database(servers, f"peer_{name}"))
                    for name in ("pgqueuer", "procrastinate")
                }
                if peers
                else {}
            )
            if dsns:
                await prepare_pgqueuer(dsns["pgqueuer"], armed)
                await prepare_procrastinate(dsns["procrastinate"], armed)
            for number in range(rounds):
                for count in replicas:
                    bursts[count].append(await burst(one, due, replicas=count))
                print(f"round {number + 1}: {[round(some[-1].per_second) for some in bursts.values()]}", flush=True)
                if dsns:
                    pgqueuer.append(await pgqueuer_burst(dsns["pgqueuer"], min(due, PEER_DUE), peer_seconds))
                    procrastinate.append(
                        await procrastinate_burst(dsns["procrastinate"], min(due, PEER_DUE), peer_seconds)
                    )
            raced = await race(one, min(due, 20_000))
    ours = [each.per_second for each in bursts[replicas[0]]]
    return Section(
        name="timers",
        title=f"Timers: {armed:,} clocks armed, {due:,} due in the same second",
        command=command,
        tables=[
            _bursts_table(bursts),
            *([_peers_table(ours, pgqueuer, procrastinate)] if peers else []),
            Table(
                ["clocks armed", "fired per second, one ticker, to commit", "of the smallest"],
                [
                    [
                        f"{size:,}",
                        Rounds.of(rates).text(),
                        paired_ratio(rates, growth[min(growth)]).text(2),
                    ]
                    for size, rates in growth.items()
                ],
            ),
            Table(
                ["arming", "clocks per second"],
                [
                    ["saved: `save_clocks` in transactions of 3,000", Rounds.of(armed_per_second).text()],
                    [
                        "heard: facts kept, evaluated, decided, saved, told, in transactions of 500 facts",
                        Rounds.of(heard_per_second).text(),
                    ],
                ],
            ),
            Table(
                ["race of stops and firings", "clocks"],
                [
                    ["due while being stopped", f"{raced.clocks:,}"],
                    ["fired by a ticker", f"{raced.fired_by_ticker:,}"],
                    ["breach told by the one who heard the stop", f"{raced.told_by_stop:,}"],
                    ["fired after their stop", f"{raced.after_stop:,}"],
                    ["lost", f"{raced.lost:,}"],
                    ["fired twice", f"{raced.repeated:,}"],
                ],
            ),
        ],
        notes=_notes(rounds, sizes, peer_seconds, peers=peers),
        figures={
            "armed": armed,
            "due": due,
            "growth_fired_per_second": growth,
            "bursts": {count: [_figures(each) for each in some] for count, some in bursts.items()},
            "pgqueuer": [_figures(each) for each in pgqueuer],
            "procrastinate": [_figures(each) for each in procrastinate],
            "saved_per_second": armed_per_second,
            "heard_per_second": heard_per_second,
            "race": {name: getattr(raced, name) for name in Race.__slots__},
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def _bursts_table(bursts: Mapping[int, Sequence[Burst]]) -> Table:
    def seconds(some: Sequence[Sequence[float]], share: float) -> str:
        return Rounds.of([quantile(each, share) for each in some]).text(2)

    return Table(
        [
            "replicas",
            "fired per second",
            "late p50 s, to commit",
            "late p99 s, to commit",
            "readable per second",
            "late p50 s, readable on Kafka",
            "late p99 s, readable on Kafka",
        ],
        [
            [
                str(count),
                Rounds.of([each.per_second for each in some]).text(),
                seconds([each.committed for each in some], 0.5),
                seconds([each.committed for each in some], 0.99),
                Rounds.of([each.readable_per_second for each in some]).text(),
                seconds([each.readable for each in some], 0.5),
                seconds([each.readable for each in some], 0.99),
            ]
            for count, some in bursts.items()
        ],
    )


def _peers_table(ours: Sequence[float], pgqueuer: Sequence[Burst], procrastinate: Sequence[Burst]) -> Table:
    rows = [["shouwen-sla, one replica", Rounds.of(ours).text(), "1"]]
    for name, some in (("pgqueuer, batch 1000", pgqueuer), ("procrastinate, 10 at once", procrastinate)):
        rates = [each.per_second for each in some]
        ratio = paired_ratio(ours, rates).text(1) if all(rates) else "it ran none in a round"
        rows.append([name, Rounds.of(rates).text(1), ratio])
    return Table(["engine", "fired per second", "ours over it"], rows)


def _notes(rounds: int, sizes: Sequence[int], peer_seconds: float, *, peers: bool) -> list[str]:
    notes = [
        f"{rounds} rounds; in each the replicas and the other engines take turns on one PostgreSQL with all clocks "
        "armed. A replica is a process with the service's ticker and relay.",
        "Late to commit: when the process that fired knew of the commit. Readable: when a consumer outside had it.",
        f"Growth: batches of 1,000 by one ticker, {GROWTH_DUE:,} due, nothing sent.",
    ]
    if peers:
        notes.append(
            f"The other engines run an empty task for each of up to {PEER_DUE:,} jobs due at once, with as many jobs "
            f"waiting for later as clocks are armed, and have {peer_seconds:g} s "
            "time; who does not finish is counted with what ran until then. Ours writes and sends an event per firing."
        )
    if max(sizes) < 10_000_000:
        notes.append("10,000,000 clocks armed were not measured in this run (`--armed` sets the sizes).")
    return notes


def _figures(one: Burst) -> dict[str, float]:
    figures = {"fired": one.due, "fired_per_second": one.per_second}
    for name, late in (("committed", one.committed), ("readable", one.readable)):
        if late:
            figures |= {f"{name}_p50_s": quantile(late, 0.5), f"{name}_p99_s": quantile(late, 0.99)}
    return figures
