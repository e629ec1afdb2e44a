"""Apologies, compensations, follow-up services, and what is to follow."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from shouwen.contracts.casework import Remedy
from shouwen.contracts.event import BranchCode, Identifier, Instant
from shouwen.intake.domain.remedy import FollowUpReason
from shouwen.intake.handlers import remedy as handlers
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Sent, Words, WorkedAnswer, optional_once
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page, bad_place
from shouwen.runtime.unit_of_work import UnitOfWork

FollowUpId = Annotated[UUID, Path(description="As GET /api/cases/{number}/remedies lists them")]


class RemedySent(Sent):
    """What the requester was given (001 §17(三))."""

    remedy: Remedy
    amount: Decimal | None = Field(
        None, gt=0, max_digits=12, decimal_places=2, description="Of a compensation: in yuan"
    )
    text: Words | None = Field(None, description="In what words, or what it was")
    given_at: Instant | None = Field(None, description="When; now unless given")
    follow_up_due_at: Instant | None = Field(None, description="Until when the requester is to be followed up")
    follow_up_owner: Identifier | None = Field(
        None, description="By whom; unless given, who is responsible for the case"
    )


class FollowedUpSent(Sent):
    """How the requester was followed up."""

    text: Words | None = None


class RemedyAnswer(BaseModel):
    """What the requester was given."""

    id: UUID
    remedy: Remedy
    amount: Decimal | None = Field(description="In yuan")
    text: str | None
    given_at: datetime
    recorded_by: str


class FollowUpAnswer(BaseModel):
    """What is to follow."""

    id: UUID
    reason: FollowUpReason = Field(description="What it follows: a remedy, or a dissatisfied answer")
    owner: str
    due_at: datetime
    opened_at: datetime
    done_at: datetime | None
    done_by: str | None
    text: str | None


class RemediesAnswer(BaseModel):
    """What the requester of a case was given, and what is to follow."""

    remedies: list[RemedyAnswer]
    follow_ups: list[FollowUpAnswer]


class ThingAnswer(BaseModel):
    """What somebody still owes."""

    id: UUID
    kind: Literal["corrective_action", "follow_up"]
    number: str = Field(description="Of the case")
    owner: str
    due_at: datetime


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""

    @router.get("/cases/{number}/remedies", tags=["casework"])
    async def list_remedies(number: Number, caller: Caller) -> RemediesAnswer:
        """What the requester was given, and what is to follow, the oldest first."""
        async with work.as_person(caller) as tx:
            given, planned = await handlers.show_remedies(tx, number, protection=protection)
        return RemediesAnswer(
            remedies=[
                RemedyAnswer(
                    id=each.remedy.id,
                    remedy=each.remedy.remedy,
                    amount=each.remedy.amount,
                    text=each.words,
                    given_at=each.remedy.given_at,
                    recorded_by=each.remedy.recorded_by,
                )
                for each in given
            ],
            follow_ups=[
                FollowUpAnswer(
                    id=each.follow_up.id,
                    reason=each.follow_up.reason,
                    owner=each.follow_up.owner,
                    due_at=each.follow_up.due_at,
                    opened_at=each.follow_up.opened_at,
                    done_at=each.follow_up.done_at,
                    done_by=each.follow_up.done_by,
                    text=each.words,
                )
                for each in planned
            ],
        )

    @router.get("/things-to-do", tags=["casework"])
    async def list_things_to_do(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        owner: Annotated[Identifier | None, Query(description="Who owes it")] = None,
        due_before: Annotated[Instant | None, Query(description="Due before then; now for what is overdue")] = None,
    ) -> Page[ThingAnswer]:
        """Corrective actions and follow-ups that are still owed, the earliest due first."""
        place = _place(after)
        async with work.as_person(caller) as tx:
            things = await handlers.list_things_to_do(
                tx, branch=branch, owner=owner, due_before=due_before, after=place, limit=limit + 1
            )
        last = things[limit - 1] if len(things) > limit else None
        return Page(
            items=[
                ThingAnswer(id=each.id, kind=each.kind, number=each.number, owner=each.owner, due_at=each.due_at)
                for each in things[:limit]
            ],
            next=f"{last.due_at.isoformat()}~{last.id}" if last else None,
        )

    @router.post("/cases/{number}/remedies", tags=["casework"], responses=REFUSED)
    async def record_remedy(number: Number, body: RemedySent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record an apology, a compensation or a follow-up service, and when the requester is to be followed up."""
        once = optional_once(protection, key, f"remedy {number}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.record_remedy(
                tx,
                number,
                remedy=body.remedy,
                amount=body.amount,
                given_at=body.given_at,
                words=protection.encrypt(body.text),
                follow_up_due_at=body.follow_up_due_at,
                follow_up_owner=body.follow_up_owner,
                once=once,
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/follow-ups/{follow_up_id}/done", tags=["casework"], responses=REFUSED)
    async def finish_follow_up(
        number: Number, follow_up_id: FollowUpId, body: FollowedUpSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record that the requester was followed up."""
        once = optional_once(protection, key, f"follow-up {number} {follow_up_id}", body)
        words = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await handlers.finish_follow_up(tx, number, follow_up_id, words=words, once=once)
        return WorkedAnswer.of(case)


def _place(after: str | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    at, _, id_ = after.partition("~")
    try:
        time = datetime.fromisoformat(at)
        time.astimezone()
        place = time, UUID(id_)
    except (ValueError, OverflowError, OSError):
        raise bad_place() from None
    if time.tzinfo is None:
        raise bad_place()
    return place
