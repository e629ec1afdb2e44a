"""What suggestions are about, and decisions on them."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shouwen.contracts.event import Identifier
from shouwen.intake.handlers import suggestion as handlers
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Sent, Words, WorkedAnswer, optional_once
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork


class DecisionSent(Sent):
    """Whether the suggestion is adopted (002 七(四)2)."""

    adopted: bool
    reason: Words = Field(description="Why, or what is done; whoever made the suggestion may be told it")
    inform: bool = Field(
        False, description="Tell the requester also where no reply was promised; where one was, they are told always"
    )


class CategorySent(Sent):
    """What a suggestion is about (002 七(四)2)."""

    category: Identifier = Field(
        description="A word that the branch uses for such matters, as a topic of GET /api/duties; names nobody"
    )


class DecisionAnswer(BaseModel):
    """What was decided about a suggestion."""

    adopted: bool
    reason: str
    decided_at: datetime
    decided_by: str
    sent_at: datetime | None = Field(description="When the requester was to be told; null if they were not")


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""

    @router.post("/cases/{number}/category", tags=["casework"], responses=REFUSED)
    async def sort_suggestion(
        number: Number, body: CategorySent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Say what a suggestion is about, or say it anew; the weekly digests are sorted by it."""
        once = optional_once(protection, key, f"category {number}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.sort_suggestion(tx, number, category=body.category, once=once)
        return WorkedAnswer.of(case)

    @router.get("/cases/{number}/decision", tags=["casework"])
    async def show_decision(number: Number, caller: Caller) -> DecisionAnswer:
        """Whether a suggestion is adopted, and by whose decision."""
        async with work.as_person(caller) as tx:
            decision, reason = await handlers.show_decision(tx, number, protection=protection)
        return DecisionAnswer(
            adopted=decision.adopted,
            reason=reason,
            decided_at=decision.decided_at,
            decided_by=decision.decided_by,
            sent_at=decision.sent_at,
        )

    @router.post("/cases/{number}/decision", tags=["casework"], responses=REFUSED)
    async def decide_suggestion(
        number: Number, body: DecisionSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Decide about a suggestion, with a directing role; required before the end where a reply was promised."""
        once = optional_once(protection, key, f"decision {number}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.decide_suggestion(
                tx,
                number,
                adopted=body.adopted,
                reason=body.reason,
                inform=body.inform,
                protection=protection,
                once=once,
            )
        return WorkedAnswer.of(case)
