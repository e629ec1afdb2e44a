"""Work on a case: one route for each command."""

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from shouwen.contracts.event import Identifier, Instant
from shouwen.intake.handlers import commands
from shouwen.intake.http.fields import Number, OptionalKey, Sent, Words, WorkedAnswer, once_of
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork


class AssignSent(Sent):
    """To whom the responsibility passes."""

    owner: Identifier = Field(description="A person of the branch, as GET /api/directory lists them")
    department: Identifier | None = Field(None, description="Unless given, the person's own")


class ReplySent(Sent):
    """An answer given to the requester."""

    text: Words | None = Field(None, description="What was answered")
    written: bool = Field(False, description="Whether in writing")
    replied_at: Instant | None = Field(None, description="When; now unless given")


class PlanSent(Sent):
    """A written plan that reached the requester (004 三(六))."""

    text: Words | None = Field(None, description="The plan, or where it is filed")
    delivered_at: Instant | None = Field(None, description="When; now unless given")


class ResolveSent(Sent):
    """How the matter ended."""

    summary: Words | None = Field(None, description="What was done")
    resolved_at: Instant | None = Field(None, description="When; now unless given")


class WithdrawSent(Sent):
    """Why the requester withdrew the matter."""

    reason: Words
    withdrawn_at: Instant | None = Field(None, description="When; now unless given")


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    refused: dict[int | str, dict[str, Any]] = {409: {"description": "The case's state does not allow it"}}

    @router.post("/cases/{number}/assign", tags=["commands"], responses=refused)
    async def assign_case(number: Number, body: AssignSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Pass the responsibility to another person of the branch."""
        once = once_of(protection, key, f"assign {number}", body) if key else None
        async with work.as_person(caller) as tx:
            case = await commands.assign_case(tx, number, owner=body.owner, department=body.department, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/reply", tags=["commands"], responses=refused)
    async def reply_case(number: Number, body: ReplySent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record that the requester was answered."""
        once = once_of(protection, key, f"reply {number}", body) if key else None
        note = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await commands.reply_case(
                tx, number, replied_at=body.replied_at, written=body.written, note=note, once=once
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/plan", tags=["commands"], responses=refused)
    async def plan_case(number: Number, body: PlanSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record that a written plan reached the requester."""
        once = once_of(protection, key, f"plan {number}", body) if key else None
        note = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await commands.plan_case(tx, number, delivered_at=body.delivered_at, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/resolve", tags=["commands"], responses=refused)
    async def resolve_case(number: Number, body: ResolveSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """End the case: it was handled. All but a suggestion must have been answered before."""
        once = once_of(protection, key, f"resolve {number}", body) if key else None
        note = protection.encrypt(body.summary)
        async with work.as_person(caller) as tx:
            case = await commands.resolve_case(tx, number, resolved_at=body.resolved_at, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/withdraw", tags=["commands"], responses=refused)
    async def withdraw_case(
        number: Number, body: WithdrawSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """End the case: the requester withdrew it."""
        once = once_of(protection, key, f"withdraw {number}", body) if key else None
        note = protection.encrypt(body.reason)
        async with work.as_person(caller) as tx:
            case = await commands.withdraw_case(tx, number, withdrawn_at=body.withdrawn_at, note=note, once=once)
        return WorkedAnswer.of(case)
