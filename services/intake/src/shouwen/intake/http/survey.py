"""Surveys: asking a requester, the public link, and how branches are judged."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field, ValidationError

from shouwen.contracts.case import CaseType
from shouwen.contracts.event import BranchCode, Instant
from shouwen.intake.domain.progress import PublicAccess, TooManyAttempts
from shouwen.intake.domain.survey import BadLink, Outcome, SurveyExpired, SurveyUsed
from shouwen.intake.handlers import survey as handlers
from shouwen.intake.http import pages
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Sent, Words, WorkedAnswer, optional_once
from shouwen.intake.http.public import PUBLIC, address_of
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller, Principal
from shouwen.runtime.errors import Refused
from shouwen.runtime.unit_of_work import UnitOfWork

Token = Annotated[str, Path(max_length=120, description="The last part of the link in the message")]
Score = Annotated[int, Field(ge=1, le=5, description="1 very dissatisfied … 5 very satisfied")]

QUESTION = "您对本次办理结果是否满意？（1 很不满意 … 5 非常满意）"

_ONCE: dict[int | str, dict[str, Any]] = {
    **PUBLIC,
    404: {"description": "The link leads to no survey"},
    409: {"description": "It was answered already; the link works once"},
    410: {"description": "The time to answer is over"},
}


class SurveyAsked(Sent):
    """Nothing: the requester is sent the link."""


class OpinionSent(Sent):
    """What the requester says."""

    score: Score
    text: Words | None = Field(None, description="In their own words")


class QuestionAnswer(BaseModel):
    """What a requester is asked about; it names nobody."""

    number: str
    type: CaseType
    received_at: datetime
    ended_at: datetime | None
    expires_at: datetime = Field(description="Until when it may be answered, once")
    question: str = Field(
        "您对本次办理结果是否满意？（1 很不满意 … 5 非常满意）", description="In Chinese, to be shown"
    )


class ThanksAnswer(BaseModel):
    """What the answer led to."""

    score: int
    led_to: Outcome = Field(description="A dissatisfied answer (1, 2) takes the case up again, or has somebody call")


class SurveyAnswer(BaseModel):
    """A survey of a case."""

    invited_at: datetime
    invited_by: str
    expires_at: datetime
    answered_at: datetime | None
    score: int | None
    text: str | None
    led_to: Outcome | None


class MonthAnswer(BaseModel):
    """How a branch was judged by the requesters who were asked in a month."""

    branch: str
    month: str = Field(description="As 2026-11, by the wall clock of the branch")
    asked: int
    answered: int
    average: float | None = Field(description="Of the scores from 1 to 5; null when nobody answered")
    dissatisfied: int = Field(description="Answers with 1 or 2")


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection, *, access: PublicAccess) -> None:
    """The routes of this room."""
    _add_asking(router, work, protection, access)
    _add_public(router, work, protection, access)


def _add_asking(router: APIRouter, work: UnitOfWork, protection: Protection, access: PublicAccess) -> None:
    @router.post("/cases/{number}/survey", tags=["casework"], responses=REFUSED)
    async def invite_to_survey(
        number: Number, body: SurveyAsked, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Send the requester of an ended case a link with which they say once how satisfied they are (001 §21)."""
        once = optional_once(protection, key, f"survey {number}", body)
        async with work.as_person(caller) as tx:
            case = await handlers.invite(tx, number, protection=protection, access=access, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/survey/answer", tags=["casework"], responses=REFUSED)
    async def take_down_opinion(
        number: Number, body: OpinionSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record what a requester said in person, by phone, letter or at a meeting, to somebody else than the owner."""
        once = optional_once(protection, key, f"opinion {number}", body)
        words = protection.encrypt(body.text)
        async with work.as_person(caller) as tx:
            case = await handlers.take_down(tx, number, score=body.score, words=words, once=once)
        return WorkedAnswer.of(case)

    @router.get("/cases/{number}/surveys", tags=["casework"])
    async def list_surveys(number: Number, caller: Caller) -> list[SurveyAnswer]:
        """The surveys of a case and their scores, the latest first."""
        async with work.as_person(caller) as tx:
            shown = await handlers.show_surveys(tx, number, protection=protection)
        return [
            SurveyAnswer(
                invited_at=each.survey.invited_at,
                invited_by=each.survey.invited_by,
                expires_at=each.survey.expires_at,
                answered_at=each.survey.answered_at,
                score=each.survey.score,
                text=each.words,
                led_to=each.survey.led_to,
            )
            for each in shown
        ]

    @router.get("/surveys/summary", tags=["casework"])
    async def summarise_surveys(
        caller: Caller,
        branch: Annotated[BranchCode | None, Query()] = None,
        since: Annotated[Instant | None, Query(description="Asked from then on")] = None,
        until: Annotated[Instant | None, Query(description="Asked before then")] = None,
    ) -> list[MonthAnswer]:
        """How requesters judged each branch, by the month in which they were asked."""
        async with work.as_person(caller) as tx:
            months = await handlers.summary(tx, branch=branch, since=since, until=until)
        return [
            MonthAnswer(
                branch=each.branch,
                month=each.month,
                asked=each.asked,
                answered=each.answered,
                average=None if each.average is None else round(each.average, 2),
                dissatisfied=each.dissatisfied,
            )
            for each in months
        ]


def _add_public(router: APIRouter, work: UnitOfWork, protection: Protection, access: PublicAccess) -> None:
    async def admitted(request: Request, token: str) -> tuple[Principal, UUID]:
        return await handlers.admit(
            work, token=token, address=address_of(request), protection=protection, access=access
        )

    @router.get("/public/survey/{token}", tags=["public"], responses=_ONCE)
    async def show_survey(request: Request, token: Token) -> QuestionAnswer:
        """What the link asks about. No account; the link is the permission."""
        requester, survey_id = await admitted(request, token)
        async with work.as_person(requester) as tx:
            case, asked = await handlers.show_question(tx, survey_id)
        return QuestionAnswer(
            number=case.number,
            type=case.type,
            received_at=case.received_at,
            ended_at=case.ended_at,
            expires_at=asked.expires_at,
            question=QUESTION,
        )

    @router.post("/public/survey/{token}", tags=["public"], responses=_ONCE)
    async def answer_survey(request: Request, token: Token, body: OpinionSent) -> ThanksAnswer:
        """Answer, once. No account; the link is the permission."""
        requester, survey_id = await admitted(request, token)
        words = protection.encrypt(body.text)
        async with work.as_person(requester) as tx:
            led_to = await handlers.answer(tx, survey_id, score=body.score, words=words)
        return ThanksAnswer(score=body.score, led_to=led_to)

    @router.get(
        "/public/survey/{token}/page",
        tags=["public"],
        response_class=HTMLResponse,
        responses=pages.responses(_ONCE),
    )
    async def show_survey_page(request: Request, token: Token) -> HTMLResponse:
        """The survey as a page; it needs no script. The link in the message leads here."""
        try:
            return _question_page(await show_survey(request, token))
        except Refused as error:
            return _refusal(error)

    @router.post(
        "/public/survey/{token}/page",
        tags=["public"],
        response_class=HTMLResponse,
        responses=pages.responses({**_ONCE, 422: {"description": "The page again, with what is wrong"}}),
        openapi_extra=pages.takes(*OpinionSent.model_fields),
    )
    async def answer_survey_page(request: Request, token: Token) -> HTMLResponse:
        """The page, filled in; the answer is a page."""
        given = await pages.typed(request)
        try:
            question = await show_survey(request, token)
            try:
                opinion = OpinionSent.model_validate(given)
            except ValidationError:
                return _question_page(question, given, status=422)
            thanks = await answer_survey(request, token, opinion)
        except Refused as error:
            return _refusal(error)
        return pages.html("感谢您的评价", f"<p>{escape(_THANKS[thanks.led_to])}</p>")


_SCORE_TEXTS: Mapping[int, str] = {1: "很不满意", 2: "不满意", 3: "一般", 4: "满意", 5: "非常满意"}
_THANKS: Mapping[Outcome, str] = {
    "nothing": "您的评价已收到。 Thank you, your answer was received.",
    "reopened": "很抱歉未能让您满意，我们将重新办理您的事项。 We are sorry, and take your matter up again.",
    "follow_up": "很抱歉未能让您满意，我们将尽快与您联系。 We are sorry, and will get in touch with you soon.",
}
_REFUSALS: Mapping[type[Refused], str] = {
    BadLink: "该链接无效，请完整打开消息中的链接。",
    SurveyUsed: "您已评价过，该链接仅可使用一次。如需补充，请致电承办人。",
    SurveyExpired: "评价时间已过。如有意见，请致电承办人。",
    TooManyAttempts: "请求过于频繁，请稍后再试。",
}


def _question_page(
    question: QuestionAnswer, given: Mapping[str, str] | None = None, *, status: int = 200
) -> HTMLResponse:
    given = given or {}
    choices = "".join(
        f'<label><input type="radio" name="score" value="{score}" required'
        f"{' checked' if given.get('score') == str(score) else ''}> {score} {text}</label>"
        for score, text in sorted(_SCORE_TEXTS.items(), reverse=True)
    )
    return pages.html(
        "服务评价",
        pages.wrong(["请选择 1 至 5 分；文字请勿超过两万字。 Choose 1 to 5."] if status == 422 else [])
        + f"<p>编号 Number: <strong>{escape(question.number)}</strong></p>"
        + f'<form method="post" accept-charset="utf-8"><fieldset><legend>{escape(question.question)}</legend>{choices}'
        + '</fieldset><label>意见（可不填） Words (optional)<textarea name="text" maxlength="20000">'
        + f"{escape(given.get('text', ''))}</textarea></label>"
        + '<button type="submit">提交 Send</button></form>',
        status=status,
    )


def _refusal(error: Refused) -> HTMLResponse:
    text = _REFUSALS.get(type(error), "")
    headers = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, TooManyAttempts) else None
    return pages.html("服务评价", pages.wrong([text, error.detail]), status=error.status, headers=headers)
