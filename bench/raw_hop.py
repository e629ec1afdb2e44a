"""Raw limit of the bus: aiokafka carries one event over one hop (produce → consume → produce → seen), nothing else."""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.payload import registered
from bench.report import FOLDER
from shouwen.contracts.catalogue import PARTITIONS

GRACE_SECONDS = 10.0
"""How long after the last sending the observer waits for what is still under way."""


@asynccontextmanager
async def topics(bootstrap: str, count: int) -> AsyncGenerator[Sequence[str]]:
    """Topics of our own, as many partitions as the suite's, deleted at the end."""
    names = [f"bench-raw-{uuid4().hex[:12]}" for _ in range(count)]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1) for name in names])
        yield names
        await admin.delete_topics(names)
    finally:
        await admin.close()


@dataclass(frozen=True, slots=True)
class Echo:
    """The process in the middle."""

    process: asyncio.subprocess.Process

    async def finish(self) -> tuple[int, float]:
        """Close its input and wait for its end. Returns records and seconds."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        report = json.loads(await self.process.stdout.readline())
        await self.process.wait()
        return report["records"], report["seconds"]


@asynccontextmanager
async def echoing(bootstrap: str, source: str, target: str, count: int | None = None) -> AsyncGenerator[Echo]:
    """Run the process in the middle; it is ended with the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.echo", bootstrap, source, target),
        *([str(count)] if count else []),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=FOLDER.parent,
    )
    try:
        assert process.stdout
        if await process.stdout.readline() != b"ready\n":
            raise RuntimeError("the echo process did not start")
        yield Echo(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def rate(bootstrap: str, records: int) -> float:
    """Records per second over one hop, when many wait: batches of up to 1000, each sent on and then committed."""
    async with topics(bootstrap, 2) as (source, target):
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            event = registered()
            body, headers = event.body(), event.headers()
            sent = [await producer.send(source, body, key=uuid4().bytes, headers=headers) for _ in range(records)]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        async with echoing(bootstrap, source, target, records) as echo:
            count, seconds = await echo.finish()
        if count != records:
            raise RuntimeError(f"{count} of {records} records came over the raw hop")
        return count / seconds


async def latencies(bootstrap: str, *, per_second: float, seconds: float) -> list[float]:
    """Seconds from before the sending until an observer sees the record behind the hop, at a steady rate."""
    async with topics(bootstrap, 2) as (source, target), echoing(bootstrap, source, target) as echo:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
        observer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        await producer.start()
        await observer.start()
        total = int(per_second * seconds)
        sent_at: dict[bytes, float] = {}
        each: list[float] = []
        try:
            observer.assign([TopicPartition(target, partition) for partition in range(PARTITIONS)])
            await observer.seek_to_end()
            await asyncio.gather(*(observer.position(partition) for partition in observer.assignment()))

            async def observe() -> None:
                while len(each) < total:
                    for some in (await observer.getmany(timeout_ms=200)).values():
                        now = perf_counter()
                        each.extend(now - sent_at[record.key] for record in some if record.key is not None)

            observing = asyncio.create_task(observe())
            event = registered()
            body, headers = event.body(), event.headers()
            begun = perf_counter()
            for number in range(total):
                await asyncio.sleep(max(0.0, begun + number / per_second - perf_counter()))
                key = uuid4().bytes
                sent_at[key] = perf_counter()
                await producer.send_and_wait(source, body, key=key, headers=headers)
            await asyncio.wait_for(observing, GRACE_SECONDS)
            await echo.finish()
            return each
        finally:
            await observer.stop()
            await producer.stop()
