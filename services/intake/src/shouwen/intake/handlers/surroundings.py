"""What lies around a case beside its own fields: shown with it, and read in one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.malicious import Proposal
from shouwen.intake.store import malicious, relatives, runs, suggestion, survey
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.protection import Protection
from shouwen.intake.store.relatives import ALONE, Relatives
from shouwen.intake.store.runs import Run
from shouwen.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class ProposalShown:
    """What somebody holds a complaint to be, with their words."""

    proposal: Proposal
    reason: str
    decision: str | None


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """What a part was answered with."""

    at: datetime
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class PartShown:
    """A part of a split case, with its answers."""

    case: Case
    subject: str
    answers: Sequence[AnswerShown]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A case's earlier runs, its parts, the cases that belong to it, and what persons hold it to be."""

    runs: Sequence[Run] = ()
    parts: Sequence[PartShown] = ()
    relatives: Relatives = ALONE
    malicious: Sequence[ProposalShown] = ()
    score: int | None = None
    """How satisfied the requester was when they were last asked, from 1 to 5."""
    category: str | None = None
    """What a suggestion is about."""


NONE = Surroundings()


async def surroundings(tx: Transaction, filed: Filed, *, protection: Protection) -> Surroundings:
    """What is shown with a case, as far as there is any: most cases have little around them."""
    case = filed.case
    return Surroundings(
        runs=await runs.runs(tx, case.id) if case.cycle > 1 else (),
        parts=await _parts(tx, case, protection) if case.parts else (),
        relatives=await relatives.relatives(tx, case.id),
        malicious=[
            ProposalShown(
                proposal=each.proposal,
                reason=protection.keys.decrypt(each.reason),
                decision=protection.decrypt(each.decision),
            )
            for each in await malicious.proposals(tx, case.id)
        ],
        score=await survey.latest_score(tx, case.id) if case.ended_at or case.cycle > 1 else None,
        category=(await suggestion.categories(tx, [case.id])).get(case.id) if case.type == "suggestion" else None,
    )


async def _parts(tx: Transaction, case: Case, protection: Protection) -> list[PartShown]:
    answers = await relatives.answers_of_parts(tx, case.id)
    return [
        PartShown(
            case=each.case,
            subject=protection.keys.decrypt(each.protected.subject),
            answers=[
                AnswerShown(answer.at, answer.by, protection.keys.decrypt(answer.text))
                for answer in answers.get(each.case.id, ())
            ],
        )
        for each in await relatives.parts(tx, case.id)
    ]
