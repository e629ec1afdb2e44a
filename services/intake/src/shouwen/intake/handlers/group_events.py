"""Facts of other systems that came in over HTTP, passed on unchanged."""

from shouwen.contracts.event import CloudEvent
from shouwen.contracts.group import GroupFact
from shouwen.intake.handlers.shared import SYSTEM, person_of
from shouwen.intake.store import group_events
from shouwen.runtime.errors import Refused
from shouwen.runtime.unit_of_work import Transaction


class EventDiffers(Refused):
    """An event of this source and id came before, with another content."""

    def __init__(self) -> None:
        super().__init__(field="id", remedy="Give each event its own id; correct a fact by a new event.")


async def accept_group_event(tx: Transaction, event: CloudEvent[GroupFact], *, content_hash: str) -> bool:
    """Pass an event of another system on to ``group.v1``, unchanged; False when it came before.

    Raises:
        Forbidden: the caller is no system, or the event's branch is not theirs.
        EventDiffers: the same source and id came before with another content.
    """
    principal = person_of(tx)
    principal.require_role(SYSTEM)
    principal.require_branch(event.data.branch)
    if not await group_events.claim_group_event(
        tx,
        source=event.source,
        event_id=event.id,
        branch=event.data.branch,
        content_hash=content_hash,
        accepted_by=principal.person,
    ):
        if await group_events.claimed_group_event(tx, source=event.source, event_id=event.id) != content_hash:
            raise EventDiffers
        return False
    tx.emit(
        event.data,
        subject=event.subject,
        time=event.time,
        event_id=event.id,
        source=event.source,
        traceparent=event.traceparent,
    )
    return True
