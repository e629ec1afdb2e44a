"""Surveys of requesters' satisfaction."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from shouwen.intake.domain.survey import Survey
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/survey.sql")


@dataclass(frozen=True, slots=True)
class WrittenSurvey:
    """A survey with the words of its answer, encrypted."""

    survey: Survey
    words: bytes | None


@dataclass(frozen=True, slots=True)
class MonthOfSurveys:
    """How a branch was judged in a month."""

    branch: str
    month: str
    asked: int
    answered: int
    average: float | None
    dissatisfied: int


async def add_survey(tx: Transaction, survey: Survey) -> None:
    """Keep that a requester is asked."""
    await tx.execute(
        QUERIES.add_survey,
        survey.id,
        survey.case_id,
        survey.branch,
        survey.invited_at,
        survey.invited_by,
        survey.expires_at,
    )


async def survey(tx: Transaction, survey_id: UUID) -> Survey | None:
    """One survey."""
    row = await tx.fetch_one(QUERIES.survey, survey_id)
    return None if row is None else _survey(row)


async def latest_survey(tx: Transaction, case_id: UUID) -> Survey | None:
    """The latest survey of a case."""
    row = await tx.fetch_one(QUERIES.latest_survey, case_id)
    return None if row is None else _survey(row)


async def latest_score(tx: Transaction, case_id: UUID) -> int | None:
    """What the requester of a case answered last."""
    return cast("int | None", await tx.fetch_value(QUERIES.latest_score, case_id))


async def surveys(tx: Transaction, case_id: UUID) -> list[WrittenSurvey]:
    """The surveys of a case, the latest first."""
    return [WrittenSurvey(survey=_survey(row), words=row["words"]) for row in await tx.fetch(QUERIES.surveys, case_id)]


async def answer_survey(tx: Transaction, survey: Survey, words: bytes | None) -> None:
    """Keep the answer, and what it led to."""
    await tx.execute(QUERIES.answer_survey, survey.id, survey.answered_at, survey.score, words, survey.led_to)


async def survey_summary(
    tx: Transaction, *, branch: str | None, since: datetime | None, until: datetime | None
) -> list[MonthOfSurveys]:
    """How the branches were judged, month by month."""
    return [
        MonthOfSurveys(
            branch=row["branch"],
            month=row["month"],
            asked=row["asked"],
            answered=row["answered"],
            average=row["average"],
            dissatisfied=row["dissatisfied"],
        )
        for row in await tx.fetch(QUERIES.survey_summary, branch, since, until)
    ]


def _survey(row: asyncpg.Record) -> Survey:
    return Survey(
        id=UUID(int=row["id"].int),
        case_id=UUID(int=row["case_id"].int),
        branch=row["branch"],
        invited_at=row["invited_at"],
        invited_by=row["invited_by"],
        expires_at=row["expires_at"],
        answered_at=row["answered_at"],
        score=row["score"],
        led_to=row["led_to"],
    )
