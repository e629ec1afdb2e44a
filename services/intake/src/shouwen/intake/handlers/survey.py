"""Surveys: asking the requester of an ended case, and what follows from the answer."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from shouwen.contracts.casework import SurveyAnswered
from shouwen.intake.domain import remedy, survey
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.progress import PublicAccess
from shouwen.intake.domain.survey import DISSATISFIED, BadLink, NoAddress, Outcome, Survey
from shouwen.intake.handlers.attempts import count_attempt, requester_of
from shouwen.intake.handlers.commands import take_up_again
from shouwen.intake.handlers.notices import request_notice
from shouwen.intake.handlers.shared import NoSuchCase, Once, actor_of, claim, locked, person_of, tell
from shouwen.intake.store import cases, tokens
from shouwen.intake.store import remedy as follow_ups
from shouwen.intake.store import survey as store
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.protection import Protection
from shouwen.intake.store.survey import MonthOfSurveys
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Refused
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class SurveyShown:
    """A survey with the words of its answer."""

    survey: Survey
    words: str | None


async def invite(
    tx: Transaction, number: str, *, protection: Protection, access: PublicAccess, once: Once | None = None
) -> Case:
    """Send the requester of an ended case a link with which they say once how satisfied they are.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case
    invited, fact = survey.invite(
        case,
        await store.latest_survey(tx, case.id),
        survey_id=new_id(tx.now),
        has_address=filed.protected.requester_email is not None,
        valid_for=access.survey_valid_for,
        actor=actor_of(tx),
        now=tx.now,
    )
    await store.add_survey(tx, invited)
    await tell(tx, case, "invite to survey", fact)
    token = tokens.survey_token(protection.hash_key, branch=case.branch, survey_id=invited.id)
    link = f"{access.base_url}/api/public/survey/{token}/page"
    await request_notice(tx, filed, "survey", protection=protection, values={"link": link})
    return case


async def ask_after_end(tx: Transaction, case: Case, *, protection: Protection, access: PublicAccess) -> None:
    """Ask the requester of a case that was just resolved or closed, where the operator wants it.

    Once for each end, if there is an address. Of a part the requester hears nothing: the whole is one matter to them.
    """
    if not access.asks_after_end or not survey.is_asked_by_itself(case, await store.latest_survey(tx, case.id)):
        return
    with suppress(NoAddress):
        await invite(tx, case.number, protection=protection, access=access)


async def take_down(tx: Transaction, number: str, *, score: int, words: bytes | None, once: Once | None = None) -> Case:
    """Record what a requester said in person.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    if once and not await claim(tx, filed.case, once):
        return filed.case
    answered, fact = survey.take_down(
        filed.case,
        await store.latest_survey(tx, filed.case.id),
        survey_id=new_id(tx.now),
        score=score,
        actor=actor_of(tx),
        now=tx.now,
    )
    await store.add_survey(tx, answered)
    case, _ = await _keep(tx, filed, answered, fact, words)
    return case


async def admit(
    work: UnitOfWork, *, token: str, address: str, protection: Protection, access: PublicAccess
) -> tuple[Principal, UUID]:
    """Who the bearer of a survey's link is to the database, and the survey it is for.

    Raises:
        TooManyAttempts: from this address.
        BadLink: the link was not made here.
    """
    async with work.as_worker() as tx:
        attempt = await count_attempt(tx, address=address, number=None, access=access, protection=protection)
    attempt.require_allowed()
    signed = tokens.read_survey_token(protection.hash_key, token)
    if signed is None:
        raise BadLink
    branch, survey_id = signed
    return requester_of(branch), survey_id


async def show_question(tx: Transaction, survey_id: UUID) -> tuple[Case, Survey]:
    """The case that a survey asks about, while it may be answered.

    Raises:
        BadLink, SurveyUsed, SurveyExpired: what stands against it.
    """
    asked = await store.survey(tx, survey_id)
    filed = None if asked is None else await cases.case_by_id(tx, asked.case_id)
    if asked is None or filed is None:
        raise BadLink
    survey.require_answerable(asked, now=tx.now)
    return filed.case, asked


async def answer(tx: Transaction, survey_id: UUID, *, score: int, words: bytes | None) -> Outcome:
    """Record the requester's answer; a dissatisfied one takes the case up again, or has somebody follow up.

    Raises:
        BadLink, SurveyUsed, SurveyExpired: what stands against it.
    """
    asked = await store.survey(tx, survey_id)
    filed = None if asked is None else await cases.lock_case_by_id(tx, asked.case_id)
    # Read again: another answer may have been given while this one waited for the case.
    asked = await store.survey(tx, survey_id)
    if asked is None or filed is None:
        raise BadLink
    answered, fact = survey.answer(filed.case, asked, score=score, now=tx.now)
    _, outcome = await _keep(tx, filed, answered, fact, words)
    return outcome


async def show_surveys(tx: Transaction, number: str, *, protection: Protection) -> list[SurveyShown]:
    """The surveys of a case, the latest first.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return [SurveyShown(each.survey, protection.decrypt(each.words)) for each in await store.surveys(tx, filed.case.id)]


async def summary(
    tx: Transaction, *, branch: str | None, since: datetime | None, until: datetime | None
) -> Sequence[MonthOfSurveys]:
    """How the caller's branches were judged, month by month."""
    return await store.survey_summary(tx, branch=branch, since=since, until=until)


async def _keep(
    tx: Transaction, filed: Filed, answered: Survey, fact: SurveyAnswered, words: bytes | None
) -> tuple[Case, Outcome]:
    await tell(tx, filed.case, "answer survey", fact)
    case, outcome = await _follow(tx, filed, answered, words)
    await store.answer_survey(tx, replace(answered, led_to=outcome), words)
    return case, outcome


async def _follow(tx: Transaction, filed: Filed, answered: Survey, words: bytes | None) -> tuple[Case, Outcome]:
    if answered.score not in DISSATISFIED:
        return filed.case, "nothing"
    try:
        by = person_of(tx).person
        return await take_up_again(tx, filed, reason="dissatisfied", owner=None, by=by, note=words), "reopened"
    except Refused:
        # It was taken up meanwhile, goes on elsewhere, or its owner has left: somebody gets in touch all the same.
        case = filed.case
        planned, assigned = remedy.plan_follow_up(
            case,
            follow_up_id=new_id(tx.now),
            reason="survey",
            owner=case.owner,
            due_at=tx.now + remedy.SURVEY_FOLLOW_UP,
            now=tx.now,
        )
        await follow_ups.add_follow_up(tx, planned)
        await tell(tx, case, "plan follow-up", assigned)
        return case, "follow_up"
