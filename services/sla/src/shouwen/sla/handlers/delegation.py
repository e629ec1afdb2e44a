"""Who stands in for whom: at a breach the one who is away answers first and the delegate second (003 §10(二)3)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shouwen.contracts.clock import ClockBreached, ClockFact, EscalationRaised
from shouwen.contracts.directory import DelegationDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.arming import Telling
from shouwen.sla.store import delegations


async def describe_delegation(event: CloudEvent[DelegationDescribed], tx: Transaction) -> None:
    """Learn of a delegation, of its early end, or of its withdrawal."""
    await delegations.save_delegation(tx, event.data)


async def with_delegates(tx: Transaction, tellings: Sequence[Telling]) -> Sequence[Telling]:
    """The same, breaches and escalations with the person who stood in for the owner at that instant."""
    asked = [
        (place, (telling.event.responsible.owner, at))
        for place, telling in enumerate(tellings)
        if telling.event.responsible.owner is not None and (at := _instant(telling.event)) is not None
    ]
    if not asked:
        return tellings
    found = list(tellings)
    for (place, _), delegate in zip(
        asked, await delegations.delegates_of(tx, [each for _, each in asked]), strict=True
    ):
        if delegate is not None:
            event = found[place].event
            responsible = event.responsible.model_copy(update={"delegate": delegate})
            found[place] = replace(found[place], event=event.model_copy(update={"responsible": responsible}))
    return found


def _instant(event: ClockFact) -> datetime | None:
    match event:
        case ClockBreached():
            return event.due_at
        case EscalationRaised():
            return event.fired_for
        case _:
            return None
