"""Work on a case: one route for each command."""

from fastapi import APIRouter
from pydantic import Field

from shouwen.contracts.case import CaseType, Severity
from shouwen.contracts.event import Identifier, Instant
from shouwen.intake.domain.case import PauseReason, ReopenReason
from shouwen.intake.domain.progress import PublicAccess
from shouwen.intake.handlers import commands, survey
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Phone, Sent, Words, WorkedAnswer, optional_once
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork


class AssignSent(Sent):
    """To whom the responsibility passes."""

    owner: Identifier = Field(description="A person of the branch, as GET /api/directory lists them")
    department: Identifier | None = Field(None, description="Unless given, the person's own")
    phone: Phone | None = Field(
        None, description="Under which the requester reaches them; unless given, as the directory says"
    )


class ReplySent(Sent):
    """An answer given to the requester."""

    text: Words | None = Field(None, description="What was answered")
    written: bool = Field(False, description="Whether in writing")
    commits: bool | None = Field(
        None,
        description="Whether it promises something outside the contract, which must have been approved (000 §17); "
        "to be said while what was asked for is not approved",
    )
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


class AcknowledgeSent(Sent):
    """The requester was told that the matter came in, and who answers for it."""

    note: Words | None = Field(None, description="What they were told")
    acknowledged_at: Instant | None = Field(None, description="When; now unless given")


class PauseSent(Sent):
    """For whom the work waits."""

    reason: PauseReason
    expected_until: Instant | None = Field(
        None, description="Until when the answer is expected; then the work goes on by itself"
    )
    note: Words | None = Field(None, description="What was asked of them")


class ResumeSent(Sent):
    """The work goes on."""

    note: Words | None = Field(None, description="What came in")


class CloseSent(Sent):
    """Nothing more is to follow."""

    note: Words | None = None


class ReopenSent(Sent):
    """Why an ended case is taken up again."""

    reason: ReopenReason
    note: Words = Field(description="What the requester says, or what was wrong")
    owner: Identifier | None = Field(None, description="Who is responsible now; unless given, who was before")


class ReclassifySent(Sent):
    """What the matter is instead of what it was registered as (I-02)."""

    type: CaseType
    severity: Severity | None = Field(None, description="Of a complaint: ordinary unless given; malicious is a finding")
    note: Words | None = None


class PromiseSent(Sent):
    """The reply time agreed with the requester (I-07)."""

    promised_at: Instant
    requester_consented: bool = Field(
        False, description="Whether the requester consented to a later time than is due or was promised before"
    )
    note: Words | None = None


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection, *, access: PublicAccess) -> None:
    """The routes of this room."""
    _add_work(router, work, protection, access)
    _add_course(router, work, protection, access)


def _add_work(router: APIRouter, work: UnitOfWork, protection: Protection, access: PublicAccess) -> None:
    @router.post("/cases/{number}/assign", tags=["commands"], responses=REFUSED)
    async def assign_case(number: Number, body: AssignSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Pass the responsibility to another person of the branch at once, with a directing role; others offer it with
        `…/handover`. The requester is told whom to call.
        """
        once = optional_once(protection, key, f"assign {number}", body)
        async with work.as_person(caller) as tx:
            case = await commands.assign_case(
                tx,
                number,
                owner=body.owner,
                department=body.department,
                phone=body.phone,
                protection=protection,
                once=once,
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/reply", tags=["commands"], responses=REFUSED)
    async def reply_case(number: Number, body: ReplySent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record that the requester was answered."""
        once = optional_once(protection, key, f"reply {number}", body)
        note = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await commands.reply_case(
                tx,
                number,
                replied_at=body.replied_at,
                written=body.written,
                note=note,
                commits=body.commits,
                once=once,
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/plan", tags=["commands"], responses=REFUSED)
    async def plan_case(number: Number, body: PlanSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record that a written plan reached the requester."""
        once = optional_once(protection, key, f"plan {number}", body)
        note = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await commands.plan_case(tx, number, delivered_at=body.delivered_at, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/resolve", tags=["commands"], responses=REFUSED)
    async def resolve_case(number: Number, body: ResolveSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """End the case: it was handled. All but a suggestion must have been answered before."""
        once = optional_once(protection, key, f"resolve {number}", body)
        note = protection.encrypt(body.summary)
        async with work.as_person(caller) as tx:
            case = await commands.resolve_case(tx, number, resolved_at=body.resolved_at, note=note, once=once)
            await survey.ask_after_end(tx, case, protection=protection, access=access)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/withdraw", tags=["commands"], responses=REFUSED)
    async def withdraw_case(
        number: Number, body: WithdrawSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """End the case: the requester withdrew it."""
        once = optional_once(protection, key, f"withdraw {number}", body)
        note = protection.encrypt(body.reason)
        async with work.as_person(caller) as tx:
            case = await commands.withdraw_case(tx, number, withdrawn_at=body.withdrawn_at, note=note, once=once)
        return WorkedAnswer.of(case)


def _add_course(router: APIRouter, work: UnitOfWork, protection: Protection, access: PublicAccess) -> None:
    @router.post("/cases/{number}/acknowledge", tags=["commands"], responses=REFUSED)
    async def acknowledge_case(
        number: Number, body: AcknowledgeSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record that the requester was told that the matter came in."""
        once = optional_once(protection, key, f"acknowledge {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.acknowledge_case(
                tx, number, acknowledged_at=body.acknowledged_at, note=note, once=once
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/pause", tags=["commands"], responses=REFUSED)
    async def pause_case(number: Number, body: PauseSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Wait for the requester or a third party; the packs say which clocks stand still meanwhile."""
        once = optional_once(protection, key, f"pause {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.pause_case(
                tx, number, reason=body.reason, expected_until=body.expected_until, note=note, once=once
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/resume", tags=["commands"], responses=REFUSED)
    async def resume_case(number: Number, body: ResumeSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Go on with the work."""
        once = optional_once(protection, key, f"resume {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.resume_case(tx, number, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/close", tags=["commands"], responses=REFUSED)
    async def close_case(number: Number, body: CloseSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Close a resolved case: nothing more is to follow."""
        once = optional_once(protection, key, f"close {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.close_case(tx, number, note=note, once=once)
            await survey.ask_after_end(tx, case, protection=protection, access=access)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/reopen", tags=["commands"], responses=REFUSED)
    async def reopen_case(number: Number, body: ReopenSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Take an ended case up again; its first run is kept, and the next must be answered anew."""
        once = optional_once(protection, key, f"reopen {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.reopen_case(tx, number, reason=body.reason, owner=body.owner, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/reclassify", tags=["commands"], responses=REFUSED)
    async def reclassify_case(
        number: Number, body: ReclassifySent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Correct the kind or severity; the clocks follow."""
        once = optional_once(protection, key, f"reclassify {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.reclassify_case(
                tx, number, type=body.type, severity=body.severity, note=note, once=once
            )
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/promise", tags=["commands"], responses=REFUSED)
    async def promise_case(number: Number, body: PromiseSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Record the reply time agreed with the requester; later than is due only with their consent."""
        once = optional_once(protection, key, f"promise {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await commands.promise_case(
                tx,
                number,
                promised_at=body.promised_at,
                requester_consented=body.requester_consented,
                note=note,
                once=once,
            )
        return WorkedAnswer.of(case)
