"""The progress of a matter: a secret code for its requester, and what they see with it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, Field, StringConstraints

from shouwen.contracts.case import CaseState, CaseType
from shouwen.intake.domain.progress import Progress, PublicAccess, readable_code
from shouwen.intake.handlers import progress as handlers
from shouwen.intake.http.fields import REFUSED, Line, Number, OptionalKey, Sent, once_of
from shouwen.intake.http.public import PUBLIC, address_of
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.unit_of_work import UnitOfWork

_KNOWN: dict[int | str, dict[str, Any]] = {
    **PUBLIC,
    404: {"description": "There is no matter of this number and code; the same for a wrong number and a wrong code"},
}

Typed = Annotated[Line, StringConstraints(max_length=60)]


class CodeSent(Sent):
    """How the requester gets the code."""

    in_person: bool = Field(
        False, description="The requester is here or on the phone: the answer holds the code, and no message is sent"
    )


class CodeAnswer(BaseModel):
    """A code was made; one made before no longer works."""

    number: str
    told: Literal["in_person", "message"]
    code: str | None = Field(description="Only in person, and only this once: it is not kept")
    link: str = Field(description="Where the requester sees the progress")


class ProgressSent(Sent):
    """What the requester was told."""

    number: Typed
    code: Typed


class StepAnswer(BaseModel):
    """Something that was done."""

    time: datetime
    text: str


class ProgressAnswer(BaseModel):
    """How a matter stands, for its requester. It holds no names but that of the person who answers for it."""

    number: str
    type: CaseType
    state: CaseState
    state_text: str
    received_at: datetime
    registered_at: datetime
    promised_at: datetime | None = Field(description="The reply time agreed with the requester")
    replied_at: datetime | None
    ended_at: datetime | None
    department: str | None
    contact: str | None = Field(description="Who answers for it, where the operator lets them be named")
    steps: list[StepAnswer]

    @classmethod
    def of(cls, shown: Progress) -> "ProgressAnswer":
        """The progress as it is shown."""
        return cls(
            number=shown.number,
            type=shown.type,
            state=shown.state,
            state_text=shown.state_text,
            received_at=shown.received_at,
            registered_at=shown.registered_at,
            promised_at=shown.promised_at,
            replied_at=shown.replied_at,
            ended_at=shown.ended_at,
            department=shown.department,
            contact=shown.contact,
            steps=[StepAnswer(time=step.at, text=step.text) for step in shown.steps],
        )


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection, *, access: PublicAccess) -> None:
    """The routes of this room."""

    @router.post("/cases/{number}/progress-code", tags=["casework"], responses=REFUSED)
    async def give_progress_code(number: Number, body: CodeSent, caller: Caller, key: OptionalKey = None) -> CodeAnswer:
        """Make the secret code with which the requester sees the progress (000 §19), and have them told."""
        once = once_of(protection, key, f"progress-code {number}", body) if key else None
        code, kept = await handlers.make_code(protection)
        async with work.as_person(caller) as tx:
            case, is_new = await handlers.give_code(
                tx,
                number,
                code=code,
                kept=kept,
                in_person=body.in_person,
                protection=protection,
                access=access,
                once=once,
            )
        return CodeAnswer(
            number=case.number,
            told="in_person" if body.in_person else "message",
            code=readable_code(code) if body.in_person and is_new else None,
            link=handlers.link_of(case, access),
        )

    async def look_up(request: Request, number: str, code: str) -> ProgressAnswer:
        shown = await handlers.look_up(
            work, number=number, code=code, address=address_of(request), protection=protection, access=access
        )
        return ProgressAnswer.of(shown)

    @router.post("/public/progress", tags=["public"], responses=_KNOWN)
    async def ask_for_progress(request: Request, body: ProgressSent) -> ProgressAnswer:
        """How a matter stands, by its number and secret code; no account."""
        return await look_up(request, body.number, body.code)

    @router.get("/public/progress", tags=["public"], responses=_KNOWN)
    async def show_progress(
        request: Request,
        number: Annotated[Typed, Query()],
        code: Annotated[
            Typed, Header(alias="Progress-Code", description="In a header, since addresses are logged on their way")
        ],
    ) -> ProgressAnswer:
        """The same by GET."""
        return await look_up(request, number, code)
