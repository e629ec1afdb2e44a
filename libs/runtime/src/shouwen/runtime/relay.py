"""The outbox's way to Kafka: at least once, and in order per key whatever fails.

The outbox has 16 shards by hash of the key. A relay holds some of them by advisory locks of one dedicated connection,
through which it also reads and deletes: if that connection is lost, so are the shards. Relays of several replicas count
each other and take equal shares. Each wave reads the oldest records, sends them, waits for the acknowledgements, and
deletes what the brokers have. A crash between leaves them to be sent again, which the consumers' inboxes recognise.

Order per key: a key always goes to one partition. The records of a partition go out as whole record batches, one after
the other, and a batch is stored entirely or not at all; after an error nothing more goes to that partition, and the
next wave begins with the lowest record left. (Single ``send()`` calls would not do: aiokafka goes on with the later
batches of a partition when an earlier one has failed.) A relay that has lost its shards without noticing can only
repeat records, never overtake, since a repeat is dropped by the inboxes.

A record that the brokers refuse for its size would block its shard for ever; it becomes a dead letter.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnknownTopicOrPartitionError,
)
from aiokafka.partitioner import DefaultPartitioner
from opentelemetry.trace import INVALID_SPAN, Span

from shouwen.runtime import dead_letter, metrics, telemetry
from shouwen.runtime.dead_letter import Record
from shouwen.runtime.errors import Refused
from shouwen.runtime.failpoint import failpoint
from shouwen.runtime.kafka import KafkaCluster, quiet_client_logs
from shouwen.runtime.outbox import QUERIES, SHARDS, Outgoing
from shouwen.runtime.settings import ServiceSettings
from shouwen.runtime.unit_of_work import UnitOfWork, is_passing, read_json

CHANNEL = "shouwen_outbox"
"""PostgreSQL notifications that wake the relays of other replicas."""
WAVE_RECORDS = 1000
BATCH_BYTES = 800_000
"""A record batch stays below the brokers' default limit of 1 MiB, so only a single record can be too large."""
IDLE_SECONDS = 0.5
"""Longest sleep without a wake-up."""
SHARE_EVERY_SECONDS = 2.0
SEND_SECONDS = 30.0
"""Longest wait for acknowledgements; then the producer is replaced and the records are sent again."""
LOOK_UP_SECONDS = 2.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
_SHARD_LOCKS = 0x5348_0001
_PRESENCE_LOCKS = 0x5348_0002

_log = structlog.stdlib.get_logger("shouwen.relay")


class RecordTooLarge(Refused):
    """The brokers refuse a record of this size; raise the topic's max.message.bytes or emit less, then replay."""


@dataclass(frozen=True, slots=True)
class _Row:
    seq: int
    outgoing: Outgoing


class _ShardLocks:
    """The shards this session holds, and the share that is its due."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._checked_at = float("-inf")
        self.held: set[int] = set()

    async def announce(self) -> None:
        await self._connection.execute(QUERIES.announce_relay, _PRESENCE_LOCKS, 0)

    async def take_share(self, *, now: float) -> None:
        """Every now and then: give back what is more than an equal share, take what is free up to it."""
        if now - self._checked_at < SHARE_EVERY_SECONDS:
            return
        self._checked_at = now
        relays = max(await self._connection.fetchval(QUERIES.count_relays, _PRESENCE_LOCKS, 0), 1)
        share = -(-SHARDS // relays)
        before = set(self.held)
        for shard in sorted(self.held, reverse=True)[: max(len(self.held) - share, 0)]:
            await self._connection.fetchval(QUERIES.release_shard, _SHARD_LOCKS, shard)
            self.held.remove(shard)
        for shard in range(SHARDS):
            if len(self.held) >= share:
                break
            if shard not in self.held and await self._connection.fetchval(QUERIES.try_shard, _SHARD_LOCKS, shard):
                self.held.add(shard)
        if self.held != before:
            _log.info("outbox shards", held=sorted(self.held), relays=relays)


class Relay:
    """Sends a service's outbox to Kafka. Any number of replicas may run; each shard is sent by one of them.

    Args:
        service: the service's name.
        settings: how Kafka and the database are reached.
        work: wakes the relay after commits, and sets records aside.
    """

    def __init__(self, service: str, settings: ServiceSettings, work: UnitOfWork) -> None:
        self._service = service
        self._cluster = KafkaCluster.of(settings)
        self._url = settings.worker_database_url.get_secret_value()
        self._work = work
        self._woken = asyncio.Event()
        self._rings = False
        self._task: asyncio.Task[None] | None = None
        self._producer: AIOKafkaProducer | None = None
        self._problem: str | None = "has not started yet"
        self._blocked: dict[str, tuple[float, float]] = {}
        self._singly: set[str] = set()
        self._partition_of = DefaultPartitioner()
        self.held: frozenset[int] = frozenset()
        work.wakes(self._wake)

    @property
    def problem(self) -> str | None:
        """Why nothing is sent at present, or which streams are held up; None when all is well."""
        if self._problem is None and self._blocked:
            return f"cannot send to {', '.join(sorted(self._blocked))}"
        return self._problem

    async def start(self) -> None:
        """Begin to relay; goes on trying while servers are down, and ``problem`` says so."""
        quiet_client_logs()
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        """Stop; what is not sent stays in the outbox."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._drop_producer()

    def _wake(self) -> None:
        """Something was committed here."""
        self._rings = True
        self._woken.set()

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            began = time.monotonic()
            try:
                await self._hold_shards()
            except Exception as error:
                # Whatever it is, the records are safe in the outbox, and somebody has to try again.
                if time.monotonic() - began > _LONGEST_PAUSE_SECONDS * 2:
                    pause = _FIRST_PAUSE_SECONDS
                self._problem = f"cannot send ({type(error).__name__})"
                expected = isinstance(error, KafkaError) or is_passing(error)
                log = _log.warning if expected else _log.error
                log(
                    "the relay starts again",
                    error=type(error).__name__,
                    pause_seconds=round(pause, 1),
                    exc_info=None if expected else error,
                )
                await self._drop_producer()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _hold_shards(self) -> None:
        connection = await asyncpg.connect(
            self._url,
            timeout=10,
            command_timeout=SEND_SECONDS,
            server_settings={"application_name": f"/shouwen/{self._service} relay"},
        )
        try:
            await read_json(connection)
            await connection.add_listener(CHANNEL, self._notified)
            locks = _ShardLocks(connection)
            await locks.announce()
            while True:
                await self._wave(connection, locks)
        finally:
            self.held = frozenset()
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                await connection.close(timeout=2)

    async def _wave(self, connection: "asyncpg.Connection[asyncpg.Record]", locks: _ShardLocks) -> None:
        await locks.take_share(now=time.monotonic())
        self.held = frozenset(locks.held)
        self._woken.clear()
        if self._rings and len(self.held) < SHARDS:
            await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
        self._rings = False
        now = time.monotonic()
        held_up = [stream for stream, (until, _) in self._blocked.items() if until > now]
        found = await connection.fetch(QUERIES.oldest_outgoing, sorted(self.held), held_up, WAVE_RECORDS)
        if self._producer is None:
            self._producer = await self._new_producer()
        self._problem = None
        if not found:
            for stream in [stream for stream in self._blocked if stream not in held_up]:
                # Its records went another way: another relay, or a person.
                del self._blocked[stream]
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), IDLE_SECONDS)
            return
        rows = [_Row(row["seq"], Outgoing.of_row(row)) for row in found]
        if not await self._send(connection, self._producer, rows):
            await self._drop_producer()

    async def _send(
        self, connection: "asyncpg.Connection[asyncpg.Record]", producer: AIOKafkaProducer, rows: Sequence[_Row]
    ) -> bool:
        """Send a wave and delete what was acknowledged; false when the producer is of no use any more.

        After a failed batch its numbering has a gap, so the brokers would refuse whatever it sends next.
        """
        by_stream: dict[str, list[_Row]] = {}
        for row in rows:
            by_stream.setdefault(row.outgoing.stream, []).append(row)
        sent: list[int] = []
        usable = True
        for (stream, of_stream), result in zip(
            by_stream.items(),
            await asyncio.gather(*(self._send_stream(producer, *each) for each in by_stream.items())),
            strict=True,
        ):
            acknowledged, error, reached_broker = result
            sent += acknowledged
            if acknowledged:
                metrics.outbox_sent.add(len(acknowledged), {"messaging.destination.name": stream})
            if error is None:
                self._blocked.pop(stream, None)
                continue
            usable = usable and not reached_broker
            await self._note_failure(stream, of_stream, acknowledged, error)
        failpoint("relay.after_send")
        if sent:
            await connection.execute(QUERIES.delete_outgoing, sent)
        return usable

    async def _send_stream(
        self, producer: AIOKafkaProducer, stream: str, rows: Sequence[_Row]
    ) -> tuple[list[int], BaseException | None, bool]:
        """Send the records of one stream: what was acknowledged, the first error, and whether a batch was under way."""
        topic = self._cluster.topic(stream)
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                partitions = sorted(await producer.partitions_for(topic))
        except TimeoutError:
            return [], UnknownTopicOrPartitionError(topic), False
        except KafkaError as error:
            return [], error, False
        by_partition: dict[int, list[_Row]] = {}
        for row in rows:
            partition = self._partition_of(row.outgoing.key, partitions, partitions)
            by_partition.setdefault(partition, []).append(row)
        results = await asyncio.gather(
            *(self._send_partition(producer, topic, partition, part) for partition, part in by_partition.items())
        )
        acknowledged = [seq for done, _ in results for seq in done]
        error = next((error for _, error in results if error is not None), None)
        return acknowledged, error, error is not None

    async def _send_partition(
        self, producer: AIOKafkaProducer, topic: str, partition: int, rows: Sequence[_Row]
    ) -> tuple[list[int], BaseException | None]:
        """Send record batches to one partition, one after the other, and stop at the first error."""
        acknowledged: list[int] = []
        remaining = list(rows)
        at_most = 1 if self._cluster.stream(topic) in self._singly else len(remaining)
        while remaining:
            batch = producer.create_batch()
            spans: list[Span] = []
            for row in remaining[:at_most]:
                span = self._start_span(row.outgoing)
                headers = row.outgoing.kafka_headers(telemetry.traceparent_of(span))
                if batch.append(timestamp=None, key=row.outgoing.key, value=row.outgoing.body, headers=headers) is None:
                    break
                spans.append(span)
            batch.close()
            try:
                await self._deliver(producer, batch, topic, partition)
            except (KafkaError, TimeoutError) as error:
                for span in spans:
                    telemetry.fail(span, error)
                return acknowledged, error
            finally:
                for span in spans:
                    span.end()
            acknowledged += [row.seq for row in remaining[: len(spans)]]
            remaining = remaining[len(spans) :]
        return acknowledged, None

    @staticmethod
    async def _deliver(producer: AIOKafkaProducer, batch: object, topic: str, partition: int) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await (await producer.send_batch(batch, topic, partition=partition))

    @staticmethod
    def _start_span(outgoing: Outgoing) -> Span:
        if outgoing.traceparent is None or not telemetry.is_recording():
            # Nothing to continue: a trace of the sending alone would tell nobody anything. Nor is anything recorded
            # without an exporter; the record then carries the context as it is stored.
            return INVALID_SPAN
        return telemetry.start_sending(
            outgoing.stream,
            traceparent=outgoing.traceparent,
            event_id=outgoing.event_id,
            event_type=outgoing.event_type,
        )

    async def _note_failure(
        self, stream: str, rows: Sequence[_Row], acknowledged: Sequence[int], error: BaseException
    ) -> None:
        if isinstance(error, (MessageSizeTooLargeError, RecordListTooLargeError)):
            # One by one until the record is found that is too large.
            if stream in self._singly:
                await self._set_aside_largest(rows, acknowledged)
                self._singly.discard(stream)
            else:
                self._singly.add(stream)
            return
        _, last = self._blocked.get(stream, (0.0, 0.0))
        pause = _FIRST_PAUSE_SECONDS if acknowledged or not last else min(last * 2, _LONGEST_PAUSE_SECONDS)
        self._blocked[stream] = (time.monotonic() + pause, pause)
        _log.warning("a stream cannot be sent", stream=stream, error=type(error).__name__, pause_seconds=pause)

    async def _set_aside_largest(self, rows: Sequence[_Row], acknowledged: Sequence[int]) -> None:
        done = set(acknowledged)
        left = [row for row in rows if row.seq not in done]
        largest = max(left, key=lambda row: len(row.outgoing.body or b""))
        outgoing = largest.outgoing
        record = Record(
            stream=outgoing.stream,
            partition=-1,
            offset=largest.seq,
            key=outgoing.key,
            headers=tuple(outgoing.kafka_headers()),
            body=outgoing.body,
        )
        async with self._work.as_worker() as transaction:
            await dead_letter.set_aside(transaction, self._service, record, RecordTooLarge(), origin="relay")
            await transaction.execute(QUERIES.delete_outgoing, [largest.seq])

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._cluster.client_options(),
            client_id=f"{self._cluster.group(self._service)}-relay",
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=10_000,
        )
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await producer.start()
        except BaseException:
            await _stop(producer)
            raise
        quiet_client_logs()
        return producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    def _notified(self, *_: object) -> None:
        self._woken.set()


async def _stop(producer: AIOKafkaProducer) -> None:
    """Stop a producer that may wait for brokers which are away: it is given a second, then left behind."""
    with suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(1):
            await producer.stop()
    with suppress(Exception):
        await producer.client.close()
