"""Records waiting to be sent to Kafka, written in the transaction of the change they tell of.

What is in the outbox is committed with the change and is sent by the relay (``shouwen.runtime.relay``), at least once,
in order per key.

Order: ``seq`` is drawn when a row is inserted, not when its transaction commits, so across transactions ``seq`` is not
commit order. For one key it is, because whoever changes an aggregate locks its row (or creates it) *before* he emits:
a second transaction on the same aggregate draws its ``seq`` only after the first has committed. A handler that emits
for an aggregate without having locked anything of it gives up this order.
"""

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

import asyncpg

from shouwen.contracts.event import CONTENT_TYPE, SPECVERSION, CloudEvent, Event, dataschema
from shouwen.runtime import queries

SHARDS = 16
"""Parts of the outbox, by hash of the key; each is sent by one relay at a time."""

QUERIES = queries.load("shouwen.runtime")

Header = tuple[str, bytes | None]


class Executes(Protocol):
    """A database connection that runs statements."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:
        """Run one statement."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be sent: an event (by its attributes), or a record passed on as it came (by its ``headers``)."""

    stream: str
    key: bytes | None
    body: bytes | None
    event_id: str | None = None
    event_type: str | None = None
    source: str | None = None
    subject: str | None = None
    event_time: datetime | None = None
    traceparent: str | None = None
    headers: tuple[Header, ...] | None = None

    @classmethod
    def of(cls, event: CloudEvent[Event]) -> "Outgoing":
        """The record of an event, on the stream of its type."""
        return cls(
            stream=event.data.stream,
            key=event.key,
            body=event.body(),
            event_id=event.id,
            event_type=event.type,
            source=event.source,
            subject=event.subject,
            event_time=event.time,
            traceparent=event.traceparent,
        )

    @classmethod
    def of_row(cls, row: asyncpg.Record) -> "Outgoing":
        """The record of an outbox row."""
        packed = row["headers"]
        return cls(
            stream=row["stream"],
            key=row["key"],
            body=row["body"],
            event_id=row["event_id"],
            event_type=row["event_type"],
            source=row["source"],
            subject=row["subject"],
            event_time=row["event_time"],
            traceparent=row["traceparent"],
            headers=None if packed is None else unpack_headers(packed),
        )

    def kafka_headers(self, traceparent: str | None = None) -> list[Header]:
        """The record's headers; ``traceparent`` replaces the stored one on an event."""
        if self.headers is not None:
            return list(self.headers)
        attributes = {
            "ce_specversion": SPECVERSION,
            "ce_id": self.event_id or "",
            "ce_type": self.event_type or "",
            "ce_source": self.source or "",
            "ce_subject": self.subject or "",
            "ce_time": self.event_time.isoformat() if self.event_time else "",
            "ce_dataschema": dataschema(self.event_type or ""),
            "content-type": CONTENT_TYPE,
        }
        if traced := traceparent or self.traceparent:
            attributes["traceparent"] = traced
        return [(name, value.encode()) for name, value in attributes.items()]


def pack_headers(headers: Sequence[Header]) -> list[list[str | None]]:
    """Headers as JSON can hold them: values in base64, since they need not be text."""
    return [
        [name.replace("\x00", "\ufffd"), None if value is None else base64.b64encode(value).decode()]
        for name, value in headers
    ]


def unpack_headers(packed: Sequence[Sequence[str | None]]) -> tuple[Header, ...]:
    """The headers that ``pack_headers`` packed."""
    return tuple((name or "", None if value is None else base64.b64decode(value)) for name, value in packed)


async def add(connection: Executes, records: Sequence[Outgoing]) -> None:
    """Queue records, in their order, in one statement of the running transaction."""
    await connection.execute(QUERIES.add_outgoing, *columns(records))


def columns(records: Sequence[Outgoing]) -> tuple[list[object], ...]:
    """The arguments of the statement that queues records."""
    return (
        [each.stream for each in records],
        [each.key for each in records],
        [each.event_id for each in records],
        [each.event_type for each in records],
        [each.source for each in records],
        [each.subject for each in records],
        [each.event_time for each in records],
        [each.traceparent for each in records],
        [None if each.headers is None else json.dumps(pack_headers(each.headers)) for each in records],
        [each.body for each in records],
    )


@lru_cache(maxsize=64)
def adding_to(query: str, arguments: int) -> str:
    """A statement that also queues records, whose columns follow its own arguments."""
    add = _PLACE.sub(lambda place: f"${int(place[1]) + arguments}", QUERIES.add_outgoing)
    rest = query.lstrip()
    joint = f", {rest[5:]}" if rest[:5].upper() == "WITH " else f"\n{rest}"
    return f"WITH queued_records AS (\n{add}\n){joint}"


_PLACE = re.compile(r"\$([0-9]+)")
