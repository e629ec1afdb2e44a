"""An outside reader of the suite's streams: what another system on the same Kafka sees, and when it sees it."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic, time

from aiokafka import AIOKafkaConsumer, TopicPartition

from shouwen.contracts.catalogue import PARTITIONS, parse
from shouwen.contracts.event import CloudEvent, Event

STREAMS = ("case.v1", "clock.v1", "message.v1")
LONGEST_WAIT_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One event: when the tap read it, and when its service handed it to Kafka (both in seconds since 1970)."""

    event: CloudEvent[Event]
    seen_at: float
    handed_at: float


@dataclass(slots=True)
class Tap:
    """Reads the streams from where they ended when it was opened."""

    consumer: AIOKafkaConsumer
    seen: list[Seen] = field(default_factory=list[Seen])

    async def follow(self, ending: asyncio.Event, *, idle_seconds: float) -> None:
        """Read until, after ``ending``, nothing came for so long (two minutes at most)."""
        last, deadline = monotonic(), None
        while True:
            found = await self.consumer.getmany(timeout_ms=200)
            now = time()
            for record in (record for some in found.values() for record in some):
                last = monotonic()
                self.seen.append(Seen(parse(list(record.headers), record.value), now, record.timestamp / 1000))
            if not ending.is_set():
                last = monotonic()
                continue
            deadline = deadline or monotonic() + LONGEST_WAIT_SECONDS
            if monotonic() - last > idle_seconds or monotonic() > deadline:
                return

    async def read_rest(self, *, idle_seconds: float = 5.0) -> None:
        """Read what has come since, and go on until nothing came for so long."""
        ending = asyncio.Event()
        ending.set()
        await self.follow(ending, idle_seconds=idle_seconds)


@asynccontextmanager
async def tapping(bootstrap: str, prefix: str = "", streams: Sequence[str] = STREAMS) -> AsyncGenerator[Tap]:
    """A tap at the present ends of the streams."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(prefix + name, number) for name in streams for number in range(PARTITIONS)])
        await consumer.seek_to_end()
        await asyncio.gather(*(consumer.position(partition) for partition in consumer.assignment()))
        yield Tap(consumer)
    finally:
        with contextlib.suppress(Exception):
            await consumer.stop()
