"""One case and others: merging, linking, splitting; and what two persons find a complaint to be."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from shouwen.contracts.case import CaseType
from shouwen.contracts.event import Identifier
from shouwen.intake.handlers import malicious, merging, splitting
from shouwen.intake.handlers.splitting import PartSent as Part
from shouwen.intake.http.fields import (
    NUMBER_FORM,
    REFUSED,
    Line,
    Number,
    OptionalKey,
    Sent,
    Words,
    WorkedAnswer,
    optional_once,
)
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork

OtherNumber = Annotated[str, StringConstraints(max_length=40, pattern=NUMBER_FORM)]


class MergeSent(Sent):
    """Which case goes on for both (I-19)."""

    into: OtherNumber
    note: Words | None = Field(None, description="Why they are one matter")


class LinkSent(Sent):
    """Which case is near to this one."""

    other: OtherNumber
    note: Words | None = None


class PartSent(Sent):
    """A part for one department (I-08)."""

    department: Identifier
    owner: Identifier | None = Field(None, description="Unless given, the department's head, or the coordinator")
    subject: Line
    description: Words
    type: CaseType | None = Field(None, description="Unless given, as the whole")


class SplitSent(Sent):
    """Into what the matter is split (003 §7(一))."""

    parts: Annotated[list[PartSent], Field(min_length=1, max_length=20)]
    note: Words | None = None


class SplitAnswer(WorkedAnswer):
    """The whole, which is the coordinator's now, and its parts."""

    parts: list[WorkedAnswer]


class ProposeSent(Sent):
    """Why the complaint is held to be untrue, or a smear in public (002 七(二))."""

    reason: Words


class ConfirmSent(Sent):
    """The second person agrees."""

    note: Words | None = None


class RejectSent(Sent):
    """Why the second person does not agree."""

    reason: Words


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """The routes of this room."""
    _add_relatives(router, work, protection)
    _add_findings(router, work, protection)


def _add_relatives(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.post("/cases/{number}/merge", tags=["commands"], responses=REFUSED)
    async def merge_case(number: Number, body: MergeSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """End this case in favour of another, which goes on for both. Its history stays; it cannot be undone."""
        once = optional_once(protection, key, f"merge {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await merging.merge_case(tx, number, into=body.into, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/link", tags=["commands"], responses=REFUSED)
    async def link_case(number: Number, body: LinkSent, caller: Caller, key: OptionalKey = None) -> WorkedAnswer:
        """Note that another case is near to this one; both go on by themselves."""
        once = optional_once(protection, key, f"link {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await merging.link_case(tx, number, other=body.other, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/split", tags=["commands"], responses=REFUSED)
    async def split_case(number: Number, body: SplitSent, caller: Caller, key: OptionalKey = None) -> SplitAnswer:
        """Split the case into parts, each with its own number, department, owner and clocks. Coordinators only."""
        once = optional_once(protection, key, f"split {number}", body)
        note = protection.encrypt(body.note)
        wanted = [
            Part(
                subject=each.subject,
                description=each.description,
                department=each.department,
                owner=each.owner,
                type=each.type,
            )
            for each in body.parts
        ]
        async with work.as_person(caller) as tx:
            case, parts = await splitting.split_case(tx, number, wanted, note=note, protection=protection, once=once)
        return SplitAnswer(**WorkedAnswer.of(case).model_dump(), parts=[WorkedAnswer.of(each) for each in parts])


def _add_findings(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.post("/cases/{number}/malicious", tags=["commands"], responses=REFUSED)
    async def propose_malicious(
        number: Number, body: ProposeSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Propose that a complaint is malicious. Nothing follows before a second person has confirmed it."""
        once = optional_once(protection, key, f"propose malicious {number}", body)
        reason = protection.keys.encrypt(body.reason)
        async with work.as_person(caller) as tx:
            case = await malicious.propose_malicious(tx, number, reason=reason, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/malicious/confirm", tags=["commands"], responses=REFUSED)
    async def confirm_malicious(
        number: Number, body: ConfirmSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Confirm as the second person that a complaint is malicious: its clocks end now."""
        once = optional_once(protection, key, f"confirm malicious {number}", body)
        note = protection.encrypt(body.note)
        async with work.as_person(caller) as tx:
            case = await malicious.confirm_malicious(tx, number, note=note, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/malicious/reject", tags=["commands"], responses=REFUSED)
    async def reject_malicious(
        number: Number, body: RejectSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Reject the finding as the second person: the complaint goes on as it was."""
        once = optional_once(protection, key, f"reject malicious {number}", body)
        reason = protection.keys.encrypt(body.reason)
        async with work.as_person(caller) as tx:
            case = await malicious.reject_malicious(tx, number, reason=reason, once=once)
        return WorkedAnswer.of(case)
