"""What requesters were given after something went wrong, and what is to follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from shouwen.contracts.casework import Remedy
from shouwen.intake.domain import remedy as rules
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.remedy import FollowUp, GivenRemedy
from shouwen.intake.handlers.shared import NoSuchCase, Once, actor_of, claim, locked, tell, unknown_owner
from shouwen.intake.store import cases, directory
from shouwen.intake.store import remedy as store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import NotFound
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


class NoSuchFollowUp(NotFound):
    """The case has no such follow-up."""

    def __init__(self) -> None:
        super().__init__(field="follow_up_id", remedy="GET /api/cases/{number}/remedies lists them.")


@dataclass(frozen=True, slots=True)
class RemedyShown:
    """A remedy with its words."""

    remedy: GivenRemedy
    words: str | None


@dataclass(frozen=True, slots=True)
class FollowUpShown:
    """A follow-up with its words."""

    follow_up: FollowUp
    words: str | None


async def record_remedy(
    tx: Transaction,
    number: str,
    *,
    remedy: Remedy,
    amount: Decimal | None,
    given_at: datetime | None,
    words: bytes | None,
    follow_up_due_at: datetime | None,
    follow_up_owner: str | None,
    once: Once | None = None,
) -> Case:
    """Record what the requester was given, and have them followed up if a day is named.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    given, fact = rules.record(
        case,
        remedy_id=new_id(tx.now),
        remedy=remedy,
        amount=amount,
        given_at=given_at,
        actor=actor_of(tx),
        now=tx.now,
    )
    if follow_up_due_at is not None:
        owner = follow_up_owner or case.owner
        planned, assigned = rules.plan_follow_up(
            case, follow_up_id=new_id(tx.now), reason="remedy", owner=owner, due_at=follow_up_due_at, now=tx.now
        )
        if follow_up_owner is not None:
            is_known, _ = await directory.active_person(tx, follow_up_owner, case.branch)
            if not is_known:
                raise unknown_owner("follow_up_owner")
        await store.add_follow_up(tx, planned)
        await tell(tx, case, "plan follow-up", assigned)
    await store.add_remedy(tx, given, words)
    await tell(tx, case, "record remedy", fact)
    return case


async def finish_follow_up(
    tx: Transaction, number: str, follow_up_id: UUID, *, words: bytes | None, once: Once | None = None
) -> Case:
    """Record that the requester was followed up.

    Raises:
        NoSuchCase, NoSuchFollowUp, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    planned = await store.follow_up(tx, case.id, follow_up_id)
    if planned is None:
        raise NoSuchFollowUp
    done, given, told = rules.follow_up(case, planned, remedy_id=new_id(tx.now), actor=actor_of(tx), now=tx.now)
    await store.finish_follow_up(tx, done, words)
    await store.add_remedy(tx, given, None)
    for fact in told:
        await tell(tx, case, "follow up", fact)
    return case


async def list_things_to_do(
    tx: Transaction,
    *,
    branch: str | None,
    owner: str | None,
    due_before: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[store.ThingToDo]:
    """What is still owed in the caller's branches, the earliest due first."""
    return await store.things_to_do(tx, branch=branch, owner=owner, due_before=due_before, after=after, limit=limit)


async def show_remedies(
    tx: Transaction, number: str, *, protection: Protection
) -> tuple[Sequence[RemedyShown], Sequence[FollowUpShown]]:
    """What the requester was given, and what is to follow.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    given = [
        RemedyShown(each.remedy, protection.decrypt(each.words)) for each in await store.remedies(tx, filed.case.id)
    ]
    planned = [
        FollowUpShown(each.follow_up, protection.decrypt(each.words))
        for each in await store.follow_ups(tx, filed.case.id)
    ]
    return given, planned
