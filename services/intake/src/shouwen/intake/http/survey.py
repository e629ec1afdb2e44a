"""Surveys: asking a requester, the public link, and how branches are judged."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from shouwen.contracts.case import CaseType
from shouwen.contracts.event import BranchCode, Instant
from shouwen.intake.domain.progress import PublicAccess
from shouwen.intake.domain.survey import Outcome
from shouwen.intake.handlers import survey as handlers
from shouwen.intake.http.fields import REFUSED, Number, OptionalKey, Sent, Words, WorkedAnswer, once_of
from shouwen.intake.http.public import PUBLIC, address_of
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller, Principal
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
        once = once_of(protection, key, f"survey {number}", body) if key else None
        async with work.as_person(caller) as tx:
            case = await handlers.invite(tx, number, protection=protection, access=access, once=once)
        return WorkedAnswer.of(case)

    @router.post("/cases/{number}/survey/answer", tags=["casework"], responses=REFUSED)
    async def take_down_opinion(
        number: Number, body: OpinionSent, caller: Caller, key: OptionalKey = None
    ) -> WorkedAnswer:
        """Record what a requester said in person, by phone, letter or at a meeting, to somebody else than the owner."""
        once = once_of(protection, key, f"opinion {number}", body) if key else None
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
