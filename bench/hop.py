"""One hop through sla (consume → decide → commit → publish) against one that only carries the same records on."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import time
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from bench import arming, payload, raw_hop
from bench.figures import Rounds, paired_ratio
from bench.processes import between, cpu_seconds, cpu_table
from bench.report import Section, Table, circumstances
from bench.suites import running
from bench.tap import tapping
from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.clock import ClockStarted
from shouwen.contracts.event import CloudEvent
from shouwen.embedded.access import Access
from shouwen.embedded.suite import Suite

Registered = CloudEvent[CaseRegistered]
MAX_BATCH_BYTES = 1 << 20
WARM_UP_EVENTS = 500
WAYS: dict[str, Callable[[int], Sequence[Registered]]] = {
    "one clock": lambda count: arming.inquiries(count, datetime.now(UTC)),
    "three clocks": lambda count: [payload.registered(number=uuid4().hex) for _ in range(count)],
}
"""What an event gives: an inquiry in Shenzhen one clock and so one event, a complaint in Beijing three."""


@dataclass(frozen=True, slots=True)
class _WorkedOff:
    """How fast a backlog was worked off, and what of the cores an event cost each process, in microseconds."""

    events_per_second: float
    cpu_per_event: dict[str, float]


async def measure(*, rounds: int, events: int, single: int, command: str) -> Section:
    """The raw hop, then sla with batches, then sla with one message per transaction, in turn."""
    at = circumstances()
    raw: list[float] = []
    batched: dict[str, list[_WorkedOff]] = {name: [] for name in WAYS}
    one_by_one: list[_WorkedOff] = []
    with running(traces=False, only=["sla"]) as (suite, access):
        await _work_off(suite, access, WAYS["one clock"](WARM_UP_EVENTS))
        for _ in range(rounds):
            raw.append(await raw_hop.rate(access.kafka_bootstrap, events))
            for name, make in WAYS.items():
                batched[name].append(await _work_off(suite, access, make(events)))
        # The same code with batches of one record: what it costs to commit each message alone.
        suite.restart("sla", SHOUWEN_CONSUMER_BATCH_SIZE="1")
        for _ in range(rounds):
            one_by_one.append(await _work_off(suite, access, WAYS["one clock"](single)))
    rates = {name: [each.events_per_second for each in some] for name, some in batched.items()}
    cpu = {name: [each.cpu_per_event for each in some] for name, some in batched.items()}
    alone = [each.events_per_second for each in one_by_one]
    rows = [
        ["raw hop: records carried on", Rounds.of(raw).text(), "1"],
        *(
            [f"sla: {name} per event, until the last is on the bus", Rounds.of(some).text(), _ratio(some, raw, 3)]
            for name, some in rates.items()
        ),
        ["sla, one message per transaction", Rounds.of(alone).text(1), _ratio(alone, raw, 4)],
    ]
    over = paired_ratio(rates["one clock"], alone).text(1)
    return Section(
        name="hop",
        title=f"One hop through sla, {events:,} events waiting",
        command=command,
        tables=[
            Table(["", "events per second", "of raw"], rows),
            cpu_table({f"CPU µs per event, {name}": some for name, some in cpu.items()}, 0),
        ],
        notes=[
            f"{rounds} rounds. sla is held (SIGSTOP) while the events are published and timed from when it goes on. "
            "For each event it writes inbox, fact, clock and outbox in one transaction a batch; its relay sends.",
            f"Batches over one message per transaction ({single:,} events, measured after the other rounds): {over}.",
            "CPU: from when sla goes on until nothing has come for 10 s. The generator also reads clock.v1; all "
            "of them share the cores.",
        ],
        figures={
            "raw_per_second": raw,
            "batched_per_second": rates,
            "one_message_per_transaction_per_second": alone,
            "cpu_microseconds_per_event": cpu,
        },
        circumstances=at | {"load_average_after": round(os.getloadavg()[0], 2)},
    )


def _ratio(some: Sequence[float], raw: Sequence[float], decimals: int) -> str:
    return paired_ratio(some, raw).text(decimals)


async def _work_off(suite: Suite, access: Access, events: Sequence[Registered]) -> _WorkedOff:
    """Have sla take these events, and wait until the last clock of the last one is on the bus."""
    process = suite.services["sla"].process
    async with tapping(access.kafka_bootstrap, access.stream_prefix, ["clock.v1"]) as tap:
        process.send(signal.SIGSTOP)
        try:
            await _publish(access, events)
        finally:
            before, begun = cpu_seconds(suite.home), time()
            process.send(signal.SIGCONT)
        await tap.read_rest(idle_seconds=10)
        used = between(before, cpu_seconds(suite.home))
    started = [one for one in tap.seen if isinstance(one.event.data, ClockStarted)]
    subjects = {one.event.data.timed_subject for one in started if isinstance(one.event.data, ClockStarted)}
    if len(subjects) != len(events):
        raise RuntimeError(f"{len(subjects)} of {len(events)} matters got their clocks")
    return _WorkedOff(
        events_per_second=len(events) / (max(one.handed_at for one in started) - begun),
        cpu_per_event={name: seconds * 1e6 / len(events) for name, seconds in used.items()},
    )


async def _publish(access: Access, events: Sequence[Registered]) -> None:
    producer = AIOKafkaProducer(
        bootstrap_servers=access.kafka_bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=MAX_BATCH_BYTES,
    )
    await producer.start()
    try:
        for event in events:
            topic = access.stream_prefix + event.data.stream
            await producer.send(topic, event.body(), key=event.key, headers=event.headers())
        await producer.flush()
    finally:
        await producer.stop()
