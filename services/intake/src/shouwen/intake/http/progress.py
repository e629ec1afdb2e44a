"""The progress of a matter: a secret code for its requester, and what they see with it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from shouwen.contracts.case import CaseState, CaseType
from shouwen.intake.domain.progress import NotKnown, Progress, PublicAccess, TooManyAttempts, readable_code
from shouwen.intake.handlers import progress as handlers
from shouwen.intake.http import pages
from shouwen.intake.http.fields import REFUSED, Line, Number, OptionalKey, Sent, optional_once
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
        once = optional_once(protection, key, f"progress-code {number}", body)
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

    @router.get("/public/progress/page", tags=["public"], response_class=HTMLResponse, responses=pages.responses({}))
    async def show_progress_page(number: Annotated[str, Query(max_length=60)] = "") -> HTMLResponse:
        """A page that asks for number and code; it needs no script. The link in the message leads here."""
        return _asking_page(number)

    @router.post(
        "/public/progress/page",
        tags=["public"],
        response_class=HTMLResponse,
        responses=pages.responses({**_KNOWN, 422: {"description": "The page again, with what is wrong"}}),
        openapi_extra=pages.takes(*ProgressSent.model_fields),
    )
    async def ask_progress_page(request: Request) -> HTMLResponse:
        """The page, filled in; the answer is a page."""
        given = await pages.typed(request)
        number = given.get("number", "")
        try:
            sent = ProgressSent.model_validate(given)
            return _progress_page(await look_up(request, sent.number, sent.code))
        except ValidationError:
            return _asking_page(number, ["请填写编号和查询码。 Fill in number and code."], status=422)
        except NotKnown as error:
            return _asking_page(number, ["编号或查询码有误，请核对。", error.detail], status=error.status)
        except TooManyAttempts as error:
            headers = {"Retry-After": str(error.retry_after_seconds)}
            texts = ["查询过于频繁，请稍后再试。", error.remedy or ""]
            return _asking_page(number, texts, status=error.status, headers=headers)


def _asking_page(
    number: str, problems: Sequence[str] = (), *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    return pages.html(
        "进度查询",
        pages.wrong(problems)
        + '<form method="post" action="/api/public/progress/page" accept-charset="utf-8">'
        + '<label>编号 Number<input type="text" name="number" maxlength="60" required '
        + f'value="{escape(number)}"></label>'
        + '<label>查询码 Code<input type="text" name="code" maxlength="60" required autocomplete="off"></label>'
        + '<button type="submit">查询 Show</button></form>',
        status=status,
        headers=headers,
    )


def _progress_page(shown: ProgressAnswer) -> HTMLResponse:
    lines = {
        "状态 State": shown.state_text,
        "收到时间 Received": _readable(shown.received_at),
        "约定回复时间 Promised": _readable(shown.promised_at),
        "承办部门 Department": shown.department,
        "承办人 Contact": shown.contact,
    }
    facts = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in lines.items() if value)
    steps = "".join(f"<tr><th>{_readable(step.time)}</th><td>{escape(step.text)}</td></tr>" for step in shown.steps)
    return pages.html(f"事项 {shown.number}", f"<dl>{facts}</dl><table>{steps}</table>")


def _readable(at: datetime | None) -> str:
    """By the wall clock of the branch, which the progress carries."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M")
