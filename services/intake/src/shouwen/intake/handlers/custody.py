"""How a case passes from hand to hand, who had it when, and who answers for a limit that was missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from shouwen.intake.domain import custody as passing_on
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.custody import Colleague, Held, Holding, Liability, Offer, OfferState, receiver_in
from shouwen.intake.handlers.delegations import require_reachable
from shouwen.intake.handlers.notices import request_notice
from shouwen.intake.handlers.shared import (
    NoSuchCase,
    Once,
    actor_of,
    claim,
    locked,
    person_of,
    record,
    tell,
    unknown_owner,
)
from shouwen.intake.store import cases, custody, delegations, directory
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.custody import FiledOffer
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import Invalid
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Offering:
    """An offer as a person makes it. Without a receiver the department's head gets it, or the coordinator."""

    receiver: str | None
    department: str | None
    phone: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class OfferShown:
    """An offer with its words, and what it is at the moment."""

    offer: Offer
    state: OfferState
    reason: str
    phone: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class CustodyShown:
    """The chain of a case, with the minutes each person and department had it so far."""

    case: Case
    now: datetime
    chain: Sequence[Holding]
    by_person: Sequence[Held]
    by_department: Sequence[Held]
    offers: Sequence[OfferShown]


async def offer_case(
    tx: Transaction, number: str, offering: Offering, *, allowed: timedelta, protection: Protection, once: Once | None
) -> tuple[Case, OfferShown]:
    """Offer a case to another person; whoever has it stays responsible until they accept.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        last = (await custody.offers(tx, case.id))[-1]
        return case, _shown(last, tx.now, protection)
    receiver = await _receiver(tx, case.branch, offering, protection)
    field = "receiver" if offering.receiver else "department"
    await require_reachable(tx, receiver.person, case.branch, field=field)
    made, fact = passing_on.offer(
        case,
        offer_id=new_id(tx.now),
        receiver=receiver,
        standing=await _standing_offer(tx, filed),
        allowed=allowed,
        actor=actor_of(tx),
        now=tx.now,
    )
    filed_offer = FiledOffer(
        offer=made,
        reason=protection.keys.encrypt(offering.reason),
        phone=protection.encrypt(offering.phone),
        answer=None,
    )
    await custody.add_offer(tx, case, made, phone=filed_offer.phone, reason=filed_offer.reason)
    await tell(tx, case, "offer case", fact)
    return case, _shown(filed_offer, tx.now, protection)


async def accept_case(
    tx: Transaction, number: str, *, phone: str | None, protection: Protection, once: Once | None = None
) -> Case:
    """Take over a case that was offered; its requester is told who it is with now.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
        Invalid: nobody has said under which phone the requester reaches the receiver.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case
    standing = await custody.open_offer(tx, case.id)
    receiver = standing.offer.receiver if standing else ""
    changed, answered, fact = passing_on.accept(
        case,
        standing and standing.offer,
        actor=actor_of(tx),
        stand_ins=await delegations.delegates_of(tx, receiver, at=tx.now),
        now=tx.now,
    )
    assert standing is not None
    contact = await contact_of(
        tx,
        answered.receiver,
        answered.department,
        phone=phone or protection.decrypt(standing.phone),
        protection=protection,
    )
    await custody.answer_offer(tx, answered, answer=None)
    await record(tx, case, changed, fact, "accept case")
    await request_notice(
        tx, Filed(case=changed, protected=filed.protected), "handover", protection=protection, values=contact
    )
    return changed


async def return_case(
    tx: Transaction, number: str, *, reason: str, protection: Protection, once: Once | None = None
) -> Case:
    """Do not take a case that was offered: it stays with whoever has it.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case
    standing = await custody.open_offer(tx, case.id)
    receiver = standing.offer.receiver if standing else ""
    answered, fact = passing_on.give_back(
        case,
        standing and standing.offer,
        actor=actor_of(tx),
        stand_ins=await delegations.delegates_of(tx, receiver, at=tx.now),
        now=tx.now,
    )
    note = protection.keys.encrypt(reason)
    await custody.answer_offer(tx, answered, answer=note)
    await tell(tx, case, "return case", fact, note=note)
    return case


async def lapse_offers(tx: Transaction, limit: int) -> int:
    """Settle offers whose time to answer is over; the answer is how many cases were looked at."""
    found = await custody.lapsed_cases(tx, limit)
    # In the order of their ids, as everybody locks who locks several cases.
    for case_id in sorted(found):
        filed = await cases.lock_case_by_id(tx, case_id)
        if filed is not None:
            await _standing_offer(tx, filed)
    return len(found)


async def list_waiting(
    tx: Transaction, *, after: UUID | None, limit: int, protection: Protection
) -> list[tuple[str, str, OfferShown]]:
    """What waits for the caller's answer: each case's number and subject with the offer, the oldest first."""
    return [
        (each.number, protection.keys.decrypt(each.subject), _shown(each.filed, tx.now, protection))
        for each in await custody.waiting_offers(tx, person_of(tx).person, after=after, limit=limit)
    ]


async def show_custody(tx: Transaction, number: str, *, protection: Protection) -> CustodyShown:
    """Who had a case from when until when, and the offers to hand it over.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    chain = await custody.chain(tx, filed.case.id)
    start = chain[0].since if chain else tx.now
    return CustodyShown(
        case=filed.case,
        now=tx.now,
        chain=chain,
        by_person=passing_on.held_by_person(chain, start, tx.now),
        by_department=passing_on.held_by_department(chain, start, tx.now),
        offers=[_shown(each, tx.now, protection) for each in await custody.offers(tx, filed.case.id)],
    )


async def show_liability(tx: Transaction, number: str) -> list[Liability]:
    """For each clock of a case that ran out, who answers for it and how long each person had the case.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    case_id = filed.case.id
    return passing_on.liabilities(
        await custody.heard_clocks(tx, case_id),
        await custody.chain(tx, case_id),
        await custody.standing_in(tx, case_id),
    )


async def _standing_offer(tx: Transaction, filed: Filed) -> Offer | None:
    """The offer that may still be answered; one whose time is over is settled now."""
    found = await custody.open_offer(tx, filed.case.id)
    if found is None or found.offer.state_at(tx.now) == "offered":
        return found and found.offer
    lapsed, fact = passing_on.lapse(filed.case, found.offer)
    await custody.answer_offer(tx, lapsed, answer=None)
    await tell(tx, filed.case, "lapse offer", fact)
    return None


async def _receiver(tx: Transaction, branch: str, offering: Offering, protection: Protection) -> Colleague:
    if offering.receiver is None:
        staff = await directory.persons(tx, protection, branch=branch, active=True)
        return receiver_in(
            offering.department,
            [Colleague(each.entry.person, each.entry.department, each.entry.roles) for each in staff],
        )
    is_known, department = await directory.active_person(tx, offering.receiver, branch)
    if not is_known:
        raise unknown_owner("receiver")
    return Colleague(offering.receiver, offering.department or department, ())


async def contact_of(
    tx: Transaction, person: str, department: str | None, *, phone: str | None, protection: Protection
) -> dict[str, str]:
    """Whom the requester reaches from now on (003 §10(一)5).

    Raises:
        Invalid: no phone is known.
    """
    [found] = await directory.persons_named(tx, protection, [person])
    reached_at = phone or found.entry.phone
    if reached_at is None:
        raise Invalid(
            "The requester must be told a phone number, and the directory has none of the receiver.",
            field="phone",
            remedy="Give the number under which the requester reaches the receiver.",
        )
    name = department or ""
    if department is not None:
        entry = await directory.department_entry(tx, protection, branch=found.entry.branch, department=department)
        name = entry.entry.name if entry else department
    return {"contact_name": found.entry.name, "contact_department": name, "contact_phone": reached_at}


def _shown(filed: FiledOffer, now: datetime, protection: Protection) -> OfferShown:
    return OfferShown(
        offer=filed.offer,
        state=filed.offer.state_at(now),
        reason=protection.keys.decrypt(filed.reason),
        phone=protection.decrypt(filed.phone),
        answer=protection.decrypt(filed.answer),
    )
