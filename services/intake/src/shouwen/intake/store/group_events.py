"""Events of other systems that came in over HTTP."""

from typing import cast

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/group_events.sql")


async def claim_group_event(
    tx: Transaction, *, source: str, event_id: str, branch: str, content_hash: str, accepted_by: str
) -> bool:
    """Whether the event is new; it is taken in now."""
    taken = await tx.fetch_value(QUERIES.claim_group_event, source, event_id, branch, content_hash, accepted_by, tx.now)
    return taken is not None


async def claimed_group_event(tx: Transaction, *, source: str, event_id: str) -> str | None:
    """The hash of the content that came before under this id; None when it is another branch's."""
    return cast("str | None", await tx.fetch_value(QUERIES.claimed_group_event, source, event_id))
