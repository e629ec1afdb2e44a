"""What this service has handled: whoever hears the same event twice handles it once.

The key is the event's source, id and time. The time is part of it because the table is partitioned by it; a fact's
time never changes, so a repeat always meets its original. Kafka redelivers after crashes, rebalances and resends of an
outbox; none of them may take effect twice.

Keep longer than the topics keep their records. A compacted stream keeps its latest records for ever: its handlers set
a state (an upsert), so that hearing an old record again changes nothing.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import structlog

from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.errors import Transient
from shouwen.runtime.outbox import QUERIES
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork

KEEP = timedelta(days=400)
"""How long a handled event is remembered; more than any topic of the suite retains."""
MONTHS_AHEAD = 2
_MAINTAIN_EVERY = timedelta(hours=6)

_log = structlog.stdlib.get_logger("shouwen.inbox")


async def claim(transaction: Transaction, events: Sequence[CloudEvent[Event]]) -> list[int]:
    """Note events as handled by this transaction.

    Returns:
        The places in ``events`` of those never noted before, each event once, in their order. A transaction that has
        noted the same event and is still open is waited for.
    """
    if not events:
        return []
    rows = await transaction.fetch(
        QUERIES.claim_events,
        [event.source for event in events],
        [event.id for event in events],
        [event.time for event in events],
    )
    fresh = {(row["source"], row["event_id"], row["event_time"]) for row in rows}
    places: list[int] = []
    for place, event in enumerate(events):
        key = (event.source, event.id, event.time)
        if key in fresh:
            fresh.remove(key)
            places.append(place)
    return places


async def maintain(work: UnitOfWork, *, keep: timedelta = KEEP, months_ahead: int = MONTHS_AHEAD) -> None:
    """Create partitions for the coming months and drop those past keeping."""
    async with work.as_worker() as transaction:
        rows = await transaction.fetch(QUERIES.maintain_inbox, keep, months_ahead)
    for row in rows:
        _log.info("inbox partition", action=row["action"], partition=row["partition"])


async def maintain_for_ever(work: UnitOfWork) -> None:
    """The task of a service: maintain now and every few hours."""
    while True:
        try:
            await maintain(work)
        except Transient as error:
            _log.warning("the inbox could not be maintained; it is tried again later", error=str(error))
        await asyncio.sleep(_MAINTAIN_EVERY.total_seconds())
