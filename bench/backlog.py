"""How fast one service works off what waits on its stream, against a process that only carries records on."""

import asyncio
import os
import signal
from time import time
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from bench import raw_hop
from bench.figures import Rounds, paired_ratio
from bench.payload import registered
from bench.report import Section, Table, circumstances
from bench.suites import running
from bench.tap import Tap, tapping
from shouwen.contracts.clock import ClockStarted
from shouwen.embedded.access import Access
from shouwen.embedded.suite import Suite

EVENTS = 10_000
WARM_UP_EVENTS = 500
MAX_BATCH_BYTES = 1 << 20


async def measure(*, rounds: int, command: str) -> Section:
    """The raw hop with a backlog, then sla alone with one, in turn; without traces, as the raw hop has none."""
    at = circumstances()
    raw: list[float] = []
    handled: list[float] = []
    emitted: list[float] = []
    with running(traces=False, only=["sla"]) as (suite, access):
        await _work_off(suite, access, WARM_UP_EVENTS)
        for _ in range(rounds):
            raw.append(await raw_hop.rate(access.kafka_bootstrap, EVENTS))
            seconds, clocks = await _work_off(suite, access, EVENTS)
            handled.append(EVENTS / seconds)
            emitted.append(clocks / seconds)
    rows = [
        ["raw hop: records carried on", Rounds.of(raw).text(), "1"],
        [
            "sla: case.registered handled, until its last clock is on the bus",
            Rounds.of(handled).text(),
            paired_ratio(handled, raw).text(3),
        ],
        ["sla: clock.started emitted", Rounds.of(emitted).text(), paired_ratio(emitted, raw).text(3)],
    ]
    return Section(
        name="backlog",
        title=f"Working off {EVENTS:,} waiting events",
        command=command,
        tables=[Table(["", "per second", "of raw"], rows)],
        notes=[
            f"{rounds} rounds. sla is held (SIGSTOP) while the events are published and timed from when it goes on; "
            "for each event it writes inbox, facts, clocks and outbox, and its relay sends the clocks' events."
        ],
        figures={"raw_hop_per_second": raw, "handled_per_second": handled, "clocks_per_second": emitted},
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


async def _work_off(suite: Suite, access: Access, events: int) -> tuple[float, int]:
    """Seconds until every published matter has its clocks, and the number of clocks."""
    process = suite.services["sla"].process
    async with tapping(access.kafka_bootstrap, access.stream_prefix, ["clock.v1"]) as tap:
        process.send(signal.SIGSTOP)
        try:
            await _publish(access, events)
        finally:
            begun = time()
            process.send(signal.SIGCONT)
        # Generous: after a pause the broker may have to let the consumer in again.
        await tap.read_rest(idle_seconds=15)
    started = [one for one in tap.seen if isinstance(one.event.data, ClockStarted)]
    _require_all(tap, events)
    return max(one.handed_at for one in started) - begun, len(started)


def _require_all(tap: Tap, events: int) -> None:
    subjects = {one.event.data.timed_subject for one in tap.seen if isinstance(one.event.data, ClockStarted)}
    if len(subjects) != events:
        raise RuntimeError(f"{len(subjects)} of {events} matters got their clocks")


async def _publish(access: Access, events: int) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=access.kafka_bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=MAX_BATCH_BYTES,
    )
    await producer.start()
    try:
        sent: list[asyncio.Future[object]] = []
        for _ in range(events):
            event = registered(number=uuid4().hex)
            topic = access.stream_prefix + event.data.stream
            sent.append(await producer.send(topic, event.body(), key=event.key, headers=event.headers()))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
