"""Handing a case over, who had it when, and who answers for a limit that was missed."""

from datetime import datetime, timedelta
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shouwen.contracts.event import Identifier
from shouwen.intake.domain.custody import Held, How, Liability, OfferState
from shouwen.intake.handlers import custody
from shouwen.intake.handlers.custody import CustodyShown, Offering, OfferShown
from shouwen.intake.http.fields import (
    REFUSED,
    Number,
    OptionalKey,
    Phone,
    Sent,
    Words,
    WorkedAnswer,
    optional_once,
    place_of,
)
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork


class HandoverSent(Sent):
    """To whom the case is offered, and why (I-05)."""

    receiver: Identifier | None = Field(
        None, description="A person of the branch; unless given, the department's head, or the branch's coordinator"
    )
    department: Identifier | None = Field(None, description="The department it belongs to, as far as it is known")
    phone: Phone | None = Field(
        None, description="Where the requester reaches the receiver, if not as the directory says"
    )
    reason: Words


class AcceptSent(Sent):
    """The receiver takes the case."""

    phone: Phone | None = Field(None, description="Where the requester reaches you, if not as the directory says")


class ReturnSent(Sent):
    """Why the receiver does not take it."""

    reason: Words


class OfferAnswer(BaseModel):
    """An offer of a case."""

    offered_by: str
    owner: str
    receiver: str
    department: str | None
    phone: str | None
    reason: str
    offered_at: datetime
    answer_until: datetime
    state: OfferState = Field(description="overtaken: the case passed to somebody else or ended before the answer")
    answered_at: datetime | None
    answer: str | None

    @classmethod
    def of(cls, shown: OfferShown) -> "OfferAnswer":
        """The offer as it is now."""
        offer = shown.offer
        return cls(
            offered_by=offer.offered_by,
            owner=offer.owner,
            receiver=offer.receiver,
            department=offer.department,
            phone=shown.phone,
            reason=shown.reason,
            offered_at=offer.offered_at,
            answer_until=offer.answer_until,
            state=shown.state,
            answered_at=offer.answered_at,
            answer=shown.answer,
        )


class OfferedAnswer(WorkedAnswer):
    """The answer to an offer: the case is still with its owner."""

    handover: OfferAnswer


class WaitingOffer(BaseModel):
    """An offer that waits for your answer."""

    number: str
    subject: str
    handover: OfferAnswer


class HoldingShown(BaseModel):
    """One link of the chain."""

    person: str
    department: str | None
    since: datetime
    until: datetime | None
    minutes: float = Field(description="Elapsed minutes, up to now where it goes on")
    how: How


class PersonHeld(BaseModel):
    """The elapsed minutes a person had the case, in one department."""

    person: str
    department: str | None
    minutes: float

    @classmethod
    def of(cls, held: Held) -> "PersonHeld":
        """The minutes to the hundredth."""
        return cls(person=held.person or "", department=held.department, minutes=round(held.minutes, 2))


class DepartmentHeld(BaseModel):
    """The elapsed minutes a department had the case."""

    department: str | None
    minutes: float

    @classmethod
    def of(cls, held: Held) -> "DepartmentHeld":
        """The minutes to the hundredth."""
        return cls(department=held.department, minutes=round(held.minutes, 2))


class StoodInShown(BaseModel):
    """The elapsed minutes a delegate stood in for a person who had the case."""

    delegate: str
    principal: str
    minutes: float


class CustodyAnswer(BaseModel):
    """Who is responsible, who was, and how long each."""

    number: str
    owner: str
    department: str | None
    chain: list[HoldingShown]
    by_person: list[PersonHeld]
    by_department: list[DepartmentHeld]
    handovers: list[OfferAnswer]

    @classmethod
    def of(cls, shown: CustodyShown) -> "CustodyAnswer":
        """The chain as it is now."""
        return cls(
            number=shown.case.number,
            owner=shown.case.owner,
            department=shown.case.department,
            chain=[
                HoldingShown(
                    person=each.person,
                    department=each.department,
                    since=each.since,
                    until=each.until,
                    minutes=round(each.minutes(each.since, shown.now), 2),
                    how=each.how,
                )
                for each in shown.chain
            ],
            by_person=[PersonHeld.of(each) for each in shown.by_person],
            by_department=[DepartmentHeld.of(each) for each in shown.by_department],
            handovers=[OfferAnswer.of(each) for each in shown.offers],
        )


class LiabilityShown(BaseModel):
    """Who answers for one clock that ran out (003 §10(二)3)."""

    clock_id: UUID
    policy: str
    target: str
    clause: str
    cycle: int
    started_at: datetime
    due_at: datetime = Field(description="When it ran out")
    principal: str = Field(description="Answers first")
    delegate: str | None = Field(description="Stood in for the principal when it ran out: answers second")
    department: str | None
    held: list[PersonHeld] = Field(description="Who had the case between start and limit, and how long")
    departments: list[DepartmentHeld] = Field(description="The same by department")
    stood_in: list[StoodInShown] = Field(description="Who stood in meanwhile for whom of them, and how long")

    @classmethod
    def of(cls, liability: Liability) -> "LiabilityShown":
        """The clock with who answers for it."""
        return cls(
            clock_id=UUID(liability.clock_id),
            policy=liability.policy,
            target=liability.target,
            clause=liability.clause,
            cycle=liability.cycle,
            started_at=liability.started_at,
            due_at=liability.due_at,
            principal=liability.principal,
            delegate=liability.delegate,
            department=liability.department,
            held=[PersonHeld.of(each) for each in liability.held],
            departments=[DepartmentHeld.of(each) for each in liability.departments],
            stood_in=[
                StoodInShown(delegate=each.delegate, principal=each.principal, minutes=round(each.minutes, 2))
                for each in liability.stood_in
            ],
        )


class LiabilityAnswer(BaseModel):
    """The clocks of a case that ran out; none while sla is not connected."""

    number: str
    clocks: list[LiabilityShown]


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection, *, handover_time: timedelta) -> None:
    """The routes of this room."""

    @router.post("/cases/{number}/handover", tags=["custody"], responses=REFUSED)
    async def offer_case(number: Number, body: HandoverSent, caller: Caller, key: OptionalKey = None) -> OfferedAnswer:
        """Offer the case to another person. It stays yours until they accept it; they may return it, or not answer."""
        once = optional_once(protection, key, f"handover {number}", body)
        offering = Offering(receiver=body.receiver, department=body.department, phone=body.phone, reason=body.reason)
        async with work.as_person(caller) as tx:
            case, shown = await custody.offer_case(
                tx, number, offering, allowed=handover_time, protection=protection, once=once
            )
        return OfferedAnswer(**WorkedAnswer.of(case).model_dump(), handover=OfferAnswer.of(shown))

    @router.post("/cases/{number}/handover/accept", tags=["custody"], responses=REFUSED)
    async def accept_case(number: Number, body: AcceptSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Take over a case that was offered to you. Its requester is told your name, department and phone."""
        once = optional_once(protection, key, f"accept {number}", body)
        async with work.as_person(caller) as tx:
            case = await custody.accept_case(tx, number, phone=body.phone, protection=protection, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/handover/return", tags=["custody"], responses=REFUSED)
    async def return_case(number: Number, body: ReturnSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Do not take a case that was offered to you: it stays with its owner, who is told."""
        once = optional_once(protection, key, f"return {number}", body)
        async with work.as_person(caller) as tx:
            case = await custody.return_case(tx, number, reason=body.reason, protection=protection, once=once)
        return WorkedAnswer.of(case)

    @router.get("/handovers", tags=["custody"])
    async def list_waiting(caller: Caller, limit: Limit, after: After) -> Page[WaitingOffer]:
        """What is offered to you, or to somebody for whom you stand in, and waits for an answer; the oldest first."""
        place = place_of(after)
        async with work.as_person(caller) as tx:
            found = await custody.list_waiting(tx, after=place, limit=limit + 1, protection=protection)
        items = [
            WaitingOffer(number=number, subject=subject, handover=OfferAnswer.of(shown))
            for number, subject, shown in found[:limit]
        ]
        return Page(items=items, next=str(found[limit - 1][2].offer.id) if len(found) > limit else None)

    @router.get("/cases/{number}/custody", tags=["custody"])
    async def show_custody(number: Number, caller: Caller) -> CustodyAnswer:
        """Who was responsible from when until when, and how many minutes each person and department had the case."""
        async with work.as_person(caller) as tx:
            shown = await custody.show_custody(tx, number, protection=protection)
        return CustodyAnswer.of(shown)

    @router.get("/cases/{number}/liability", tags=["custody"])
    async def show_liability(number: Number, caller: Caller) -> LiabilityAnswer:
        """For each clock that ran out: who answers first and second, and how long each had the case till then."""
        async with work.as_person(caller) as tx:
            found = await custody.show_liability(tx, number)
        return LiabilityAnswer(number=number, clocks=[LiabilityShown.of(each) for each in found])
