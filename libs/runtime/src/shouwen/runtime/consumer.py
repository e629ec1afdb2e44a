"""Kafka in: batches of records, one database transaction each, then one commit of their offsets.

FastStream polls and keeps the group; what it would do with headers, bodies and acknowledgements is replaced, because a
record whose headers are not UTF-8 would be skipped, and a batch that fails would be passed over by the next commit.
So the handler returns only when every record has taken effect or is a dead letter; while the database is away it tries
the same batch again and again, and the group's heartbeats go on beside it. A redelivered record is a repeat for the
inbox.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import cast

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage

from shouwen.runtime import metrics
from shouwen.runtime.dead_letter import Record
from shouwen.runtime.handling import Handling
from shouwen.runtime.kafka import KafkaCluster, quiet_client_logs
from shouwen.runtime.lenient import read_leniently
from shouwen.runtime.settings import ServiceSettings
from shouwen.runtime.subscriptions import Batch, Each, Subscriptions, UnknownFact
from shouwen.runtime.supervision import Position
from shouwen.runtime.unit_of_work import UnitOfWork, may_pass

__all__ = ["Batch", "Consumer", "Each", "Subscriptions", "UnknownFact"]

POLL_MS = 25
"""How long a poll waits for records, in milliseconds; FastStream sleeps as long again after an empty one."""
FETCH_WAIT_MS = 100
"""How long a broker holds an idle fetch back, in milliseconds. Questions about offsets queue behind it."""
MAX_POLL_INTERVAL_MS = 24 * 60 * 60 * 1000
"""A database may be away for hours; the member must not leave its group for that. A hang shows in liveness instead."""
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
_COMMIT_SECONDS = 10.0
_ASK_SECONDS = 5.0

_Polled = tuple["ConsumerRecord[bytes, bytes]", ...]

_log = structlog.stdlib.get_logger("shouwen.consumer")


class Consumer:
    """Hears the streams of a service's subscriptions and hands them to its handlers.

    Args:
        service: the service's name; its consumer group is the prefix and this name.
        settings: how Kafka is reached, and how long a batch may be.
        subscriptions: what is heard.
        work: opens the transactions.
    """

    def __init__(self, service: str, settings: ServiceSettings, subscriptions: Subscriptions, work: UnitOfWork) -> None:
        self._service = service
        self._cluster = KafkaCluster.of(settings)
        self._group = self._cluster.group(service)
        self._batch_size = settings.consumer_batch_size
        self._subscriptions = subscriptions
        self._stopping = asyncio.Event()
        self._handled: dict[TopicPartition, int] = {}
        self._waits_for: str | None = None
        self._joined = False
        self._joining: asyncio.Task[None] | None = None
        read_leniently()
        self.handling = Handling(service=service, group=self._group, work=work, subscriptions=subscriptions)
        self._broker = self._new_broker(settings.stop_timeout.total_seconds() / 2)
        self._subscriber = self._broker.subscriber(
            *(self._cluster.topic(stream) for stream in subscriptions.streams),
            group_id=self._group,
            batch=True,
            max_records=self._batch_size,
            batch_timeout_ms=POLL_MS,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            session_timeout_ms=15_000,
            heartbeat_interval_ms=3_000,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            listener=_Assignments(self._handled),
            parser=_parse,
            decoder=_decode,
            no_reply=True,
        )
        self._subscriber(self._take)

    @property
    def problem(self) -> str | None:
        """Why nothing is heard at present; None when all is well."""
        if not self._joined:
            return self._waits_for or "has not joined its group yet"
        return self._waits_for

    @property
    def handled(self) -> Mapping[tuple[str, int], int]:
        """By stream and partition, as far as known here: the offset after the last record that was handled."""
        return {(self._cluster.stream(at.topic), at.partition): offset for at, offset in self._handled.items()}

    async def start(self) -> None:
        """Join the group. While no broker answers it returns all the same and goes on trying; ``problem`` says so."""
        quiet_client_logs()
        if not await self._join():
            self._joining = asyncio.create_task(self._join_until_it_works(), name="joining Kafka")

    async def stop(self) -> None:
        """Finish the batch in hand, leave the group."""
        self._stopping.set()
        if self._joining is not None:
            self._joining.cancel()
            with suppress(asyncio.CancelledError):
                await self._joining
        await self._broker.stop()
        self._joined = False

    async def positions(self) -> list[Position]:
        """How far this process is on the partitions it holds; empty while the brokers do not answer."""
        consumer = self._subscriber.consumer
        if consumer is None or not self._joined:
            return []
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                return await self._positions(consumer)
        except (KafkaError, TimeoutError):
            return []

    async def _positions(self, consumer: AIOKafkaConsumer) -> list[Position]:
        held = sorted(consumer.assignment())
        if not held:
            return []
        ends = cast("dict[TopicPartition, int]", await consumer.end_offsets(held))
        found: list[Position] = []
        for place in held:
            position = self._handled.get(place)
            if position is None:
                committed = await consumer.committed(place)
                position = committed if committed is not None else await self._first(consumer, place)
                self._handled.setdefault(place, position)
            found.append(Position(self._cluster.stream(place.topic), place.partition, position, ends[place]))
        return found

    @staticmethod
    async def _first(consumer: AIOKafkaConsumer, place: TopicPartition) -> int:
        return cast("dict[TopicPartition, int]", await consumer.beginning_offsets([place]))[place]

    async def _join(self) -> bool:
        try:
            await self._broker.start()
        except (KafkaError, OSError) as error:
            self._waits_for = f"Kafka does not answer ({type(error).__name__})"
            # FastStream leaves the half-started client behind; a later start would make a second one.
            with suppress(Exception):
                await self._broker.stop()
            return False
        self._joined, self._waits_for = True, None
        quiet_client_logs()
        return True

    async def _join_until_it_works(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        _log.warning("waiting for Kafka", bootstrap=self._cluster.bootstrap, problem=self._waits_for)
        while not self._stopping.is_set():
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            if await self._join():
                _log.info("joined Kafka")
                return

    async def _take(self, records: _Polled) -> None:
        """One polled batch. Returns when each record is done with, or when the service stops."""
        batch = [self._record(each) for each in records]
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = time.perf_counter()
            try:
                await self.handling.handle(batch)
            except Exception as error:
                # Whatever it is: a batch is never given up. What the handling could not set aside itself (the
                # database is away, even for dead letters) is tried again.
                self._waits_for = f"tries a batch again after {type(error).__qualname__}"
                log = _log.warning if may_pass(error) else _log.error
                log("a batch is tried again", records=len(batch), pause_seconds=pause, exc_info=error)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            self._waits_for = None
            metrics.batch_duration.record(time.perf_counter() - began)
            await self._commit(records)
            return

    async def _commit(self, records: _Polled) -> None:
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        offsets = {TopicPartition(each.topic, each.partition): each.offset + 1 for each in records}
        held = consumer.assignment()
        for place, offset in offsets.items():
            if place in held:
                self._handled[place] = max(offset, self._handled.get(place, 0))
        kept = {place: offset for place, offset in offsets.items() if place in held}
        try:
            async with asyncio.timeout(_COMMIT_SECONDS):
                if kept:
                    await consumer.commit(kept)
        except (KafkaError, TimeoutError) as error:
            # A rebalance or a broker's restart: the records are redelivered, and the inbox knows them.
            _log.info("offsets were not committed", error=type(error).__name__)

    def _record(self, record: "ConsumerRecord[bytes, bytes]") -> Record:
        return Record(
            stream=self._cluster.stream(record.topic),
            partition=record.partition,
            offset=record.offset,
            key=record.key,
            headers=tuple(record.headers),
            body=record.value,
        )

    def _new_broker(self, graceful_seconds: float) -> KafkaBroker:
        options = self._cluster.client_options()
        return KafkaBroker(
            options["bootstrap_servers"],
            client_id=self._group,
            security=self._cluster.security(),
            consumer_only=True,
            allow_auto_create_topics=False,
            graceful_timeout=graceful_seconds,
            apply_types=False,
            logger=None,
        )


class _Assignments(ConsumerRebalanceListener):
    """Forgets positions of partitions that others hold now."""

    def __init__(self, handled: dict[TopicPartition, int]) -> None:
        self._handled = handled

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        for place in revoked:
            self._handled.pop(place, None)

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        _log.info("partitions assigned", partitions=[f"{place.topic}/{place.partition}" for place in sorted(assigned)])


async def _parse(raw: _Polled) -> KafkaMessage:
    """A message that leaves headers and bodies alone: what is wrong with one record must not concern the others."""
    return KafkaAckableMessage(body=b"", headers={}, raw_message=raw, consumer=FAKE_CONSUMER)


async def _decode(message: KafkaMessage) -> _Polled:
    return cast("_Polled", message.raw_message)
