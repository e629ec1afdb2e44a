"""The middle of the raw hop, a process of its own as a service is: read records, write them on, commit the position.

    python -m bench.echo BOOTSTRAP SOURCE TARGET [COUNT]

Says `ready` when it reads. With COUNT it ends after so many records, otherwise at the end of its standard input;
last it prints one JSON line: records, and seconds from its first record to its last commit.
"""

import asyncio
import json
import sys
from time import perf_counter

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shouwen.contracts.catalogue import PARTITIONS

BATCH = 1000
MAX_BATCH_BYTES = 1 << 20
"""aiokafka's default of 16 KiB costs a round trip for every dozen events: less than half the rate."""
IDLE_SECONDS = 60.0
"""After so long without a record it ends by itself, whoever forgot it."""


async def echo(bootstrap: str, source: str, target: str, count: int | None) -> None:
    """Carry records from one topic to the other."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=f"echo-{source}", enable_auto_commit=False)
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, max_batch_size=MAX_BATCH_BYTES
    )
    await consumer.start()
    await producer.start()
    stopped = asyncio.create_task(asyncio.to_thread(sys.stdin.read)) if count is None else None
    records, first, last = 0, 0.0, perf_counter()
    try:
        consumer.assign([TopicPartition(source, partition) for partition in range(PARTITIONS)])
        await (consumer.seek_to_beginning if count else consumer.seek_to_end)()
        await asyncio.gather(*(consumer.position(partition) for partition in consumer.assignment()))
        print("ready", flush=True)
        while not (stopped and stopped.done()) and (count is None or records < count):
            found = await consumer.getmany(timeout_ms=200, max_records=BATCH)
            batch = [record for some in found.values() for record in some]
            if not batch:
                if perf_counter() - last > IDLE_SECONDS:
                    break
                continue
            first = first or perf_counter()
            sent = [
                await producer.send(target, record.value, key=record.key, headers=list(record.headers))
                for record in batch
            ]
            await asyncio.gather(*sent)
            await consumer.commit()
            records += len(batch)
            last = perf_counter()
        print(json.dumps({"records": records, "seconds": last - first}), flush=True)
    finally:
        await producer.stop()
        await consumer.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(echo(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]) if len(sys.argv) > 4 else None))
