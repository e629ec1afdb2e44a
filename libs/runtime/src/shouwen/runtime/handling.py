"""From records to handlers: what a batch of a stream does, and what becomes of a record that cannot be handled.

One database transaction per batch: the inbox rows, the effects, the outbox. If that fails on a record's account, the
batch is halved until the bad record is alone; it goes to the dead letters and the others are handled. Halves run in
order, so the order per key holds. A failure that says nothing against the records (the database is away) is raised,
and the caller tries the same batch again.
"""

import json
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from opentelemetry.trace import Span
from pydantic import ValidationError

from shouwen.contracts import catalogue
from shouwen.contracts.catalogue import UnknownType
from shouwen.contracts.event import MAX_BODY_BYTES, Attributes, BadEvent, CloudEvent, Event
from shouwen.runtime import dead_letter, inbox, metrics, telemetry
from shouwen.runtime.dead_letter import Record
from shouwen.runtime.failpoint import failpoint
from shouwen.runtime.subscriptions import Subscriptions, UnknownFact
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork, may_pass

_STREAM = "messaging.destination.name"


@dataclass(frozen=True, slots=True)
class Heard:
    """A record that concerns this service: an event with a handler, or what is wrong with it."""

    record: Record
    event: CloudEvent[Event] | None = None
    problem: BadEvent | None = None


class Handling:
    """Handles records of the streams that a service hears.

    Args:
        service: the service's name.
        group: its consumer group, for the spans.
        work: opens the transactions.
        subscriptions: which handler takes what.
    """

    def __init__(self, *, service: str, group: str, work: UnitOfWork, subscriptions: Subscriptions) -> None:
        self._service = service
        self._group = group
        self._work = work
        self._subscriptions = subscriptions

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle records, in their order. When it returns, each has taken effect, is a repeat, or is a dead letter.

        Raises:
            Transient: try the same records again later; those that were handled meanwhile are then repeats.
        """
        heard = [each for record in records if (each := self._read(record)) is not None]
        if heard:
            await self._handle(heard)

    async def handle_alone(self, record: Record, transaction: Transaction) -> None:
        """Handle one record again inside ``transaction``, for a replay.

        Raises:
            BadEvent: it is still not an event that this release can read.
            Exception: whatever its handler raises.
        """
        heard = self._read(record)
        if heard is None:
            return
        if heard.problem is not None:
            raise heard.problem
        await self._take_effect([heard], transaction)

    async def _handle(self, heard: Sequence[Heard]) -> None:
        try:
            await self._attempt(heard)
        except Exception as error:
            if may_pass(error):
                raise
            if len(heard) == 1:
                await self._set_aside_alone(heard[0], error)
                return
            middle = len(heard) // 2
            await self._handle(heard[:middle])
            await self._handle(heard[middle:])

    async def _attempt(self, heard: Sequence[Heard]) -> None:
        readable = [each for each in heard if each.event is not None]
        unreadable = [each for each in heard if each.problem is not None]
        async with self._work.as_worker() as transaction:
            fresh = await self._take_effect(readable, transaction) if readable else []
            aside = [each for each in unreadable if await self._set_aside(each, each.problem, transaction)]
            await transaction.flush()
            failpoint("consumer.before_commit")
        failpoint("consumer.after_commit")
        self._measure(readable, fresh=fresh)
        for each in aside:
            metrics.dead_letters.add(1, {_STREAM: each.record.stream})

    async def _take_effect(self, heard: Sequence[Heard], transaction: Transaction) -> list[int]:
        """Run the handlers of what was not handled before; gives its places in ``heard``."""
        events = [each.event for each in heard if each.event is not None]
        places = await inbox.claim(transaction, events)
        by_stream: dict[str, list[tuple[Record, CloudEvent[Event]]]] = {}
        for place in places:
            record = heard[place].record
            by_stream.setdefault(record.stream, []).append((record, events[place]))
        for stream, pairs in by_stream.items():
            batch = self._subscriptions.batches.get(stream)
            if batch is None:
                for record, event in pairs:
                    with self._span(record, event) as span, telemetry.entered(span):
                        await self._subscriptions.handlers[type(event.data)](event, transaction)
            else:
                with self._spans(pairs) as traced:
                    await batch.handle(traced, transaction)
        return places

    def _read(self, record: Record) -> Heard | None:
        """None when the event is none of this service's business."""
        batch = self._subscriptions.batches.get(record.stream)
        try:
            attributes = Attributes.read(record.headers)  # pyright: ignore[reportArgumentType]
            model = catalogue.BY_TYPE.get(attributes.type)
            if model is None:
                if batch is not None and batch.accepts_unknown:
                    return Heard(record, attributes.carrying(_unknown(record.body)))
                raise UnknownType(attributes.type)
            if model.stream != record.stream:
                raise BadEvent("ce_type", f"this type belongs on {model.stream}", f"Publish it on {model.stream}")
            if batch is None and model not in self._subscriptions.handlers:
                return None
            return Heard(record, attributes.carrying(catalogue.parse_data(attributes.type, record.body)))
        except BadEvent as problem:
            return Heard(record, problem=problem)

    async def _set_aside_alone(self, heard: Heard, error: Exception) -> None:
        async with self._work.as_worker() as transaction:
            added = await self._set_aside(heard, error, transaction)
        if added:
            metrics.dead_letters.add(1, {_STREAM: heard.record.stream})

    async def _set_aside(self, heard: Heard, error: Exception | None, transaction: Transaction) -> bool:
        assert error is not None
        return await dead_letter.set_aside(transaction, self._service, heard.record, error)

    @staticmethod
    def _measure(heard: Sequence[Heard], *, fresh: Sequence[int]) -> None:
        now = datetime.now(UTC)
        outcomes = Counter((each.record.stream, "repeated") for each in heard)
        for place in fresh:
            stream, event = heard[place].record.stream, heard[place].event
            assert event is not None
            outcomes[stream, "repeated"] -= 1
            outcomes[stream, "handled"] += 1
            metrics.hop_latency.record(max((now - event.time).total_seconds(), 0.0), {_STREAM: stream})
        for (stream, outcome), count in outcomes.items():
            if count:
                metrics.handled.add(count, {_STREAM: stream, "shouwen.outcome": outcome})

    @contextmanager
    def _span(self, record: Record, event: CloudEvent[Event]) -> Generator[Span]:
        span = self._start_span(record, event)
        try:
            yield span
        except Exception as error:
            telemetry.fail(span, error)
            raise
        finally:
            span.end()

    @contextmanager
    def _spans(self, pairs: Sequence[tuple[Record, CloudEvent[Event]]]) -> Generator[list[CloudEvent[Event]]]:
        """The events with the contexts of their own spans, which a batch handler passes on to what it emits.

        Without recording they keep the contexts that they came with.
        """
        if not telemetry.is_recording():
            yield [event for _, event in pairs]
            return
        spans = [self._start_span(record, event) for record, event in pairs]
        try:
            yield [
                replace(event, traceparent=telemetry.traceparent_of(span) or event.traceparent)
                for (_, event), span in zip(pairs, spans, strict=True)
            ]
        except Exception as error:
            for span in spans:
                telemetry.fail(span, error)
            raise
        finally:
            for span in spans:
                span.end()

    def _start_span(self, record: Record, event: CloudEvent[Event]) -> Span:
        aggregate, _, identity = str(getattr(event.data, "timed_subject", event.subject)).partition("/")
        return telemetry.start_processing(
            telemetry.RecordPlace(record.stream, record.partition, record.offset, self._group),
            traceparent=event.traceparent,
            event_id=event.id,
            event_type=event.type,
            attributes={"branch": event.data.branch, "case_id": identity if aggregate == "case" else None},
        )


def _unknown(body: bytes | None) -> UnknownFact:
    if body is None:
        raise BadEvent("body", "the record has no body", "Send the fact as a JSON object")
    if len(body) > MAX_BODY_BYTES:
        raise BadEvent("body", f"{len(body)} bytes are over the limit", f"Send at most {MAX_BODY_BYTES} bytes")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadEvent("body", "the body is not JSON", "Send the fact as a JSON object") from None
    if not isinstance(content, Mapping):
        raise BadEvent("body", "the body is not a JSON object", "Send the fact as a JSON object")
    try:
        return UnknownFact.model_validate({"branch": content.get("branch"), "content": dict(content)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadEvent(field, first["msg"], "Name the branch whose matter this is by its code") from None
