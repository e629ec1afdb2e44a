"""Who is responsible for a case, from when until when (I-05; 001 §13(一), 003 §10(一))."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shouwen.contracts.case import CaseAssigned, CaseReopened
from shouwen.contracts.casework import CaseEvent, HandoverAccepted
from shouwen.intake.domain.case import Case

How = Literal["registered", "assigned", "accepted", "reopened"]
"""How somebody came to a case: was asked first, got it assigned, accepted it, took it up again."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One link of the chain: a person's time with a case; open while ``until`` is None."""

    person: str
    department: str | None
    since: datetime
    until: datetime | None
    how: How


@dataclass(frozen=True, slots=True)
class Passing:
    """The last link ends, and where ``begins`` is given a new one begins then."""

    at: datetime
    begins: How | None


def passing(before: Case, after: Case, fact: CaseEvent, *, now: datetime) -> Passing | None:
    """What a command does to the chain; None when whoever had the case has it still, or nobody."""
    if not after.is_open:
        return Passing(after.ended_at or now, None) if before.is_open else None
    if before.is_open and (before.owner, before.department) == (after.owner, after.department):
        return None
    return Passing(now, _how(fact))


def _how(fact: CaseEvent) -> How:
    match fact:
        case HandoverAccepted():
            return "accepted"
        case CaseReopened():
            return "reopened"
        case CaseAssigned() | _:
            return "assigned"
