"""What a suggestion is about, and whether it is adopted (002 七(四)2): decided by who directs, told to whom a reply was
promised.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.casework import SuggestionDecided
from shouwen.intake.domain.case import DIRECTORS, Actor, Case
from shouwen.runtime.errors import Forbidden, Refused


class NotASuggestion(Refused):
    """Only an open suggestion is adopted or not."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is a {case.type} and {case.state}: only an open suggestion is decided on.",
            field="type" if case.type != "suggestion" else "state",
            remedy="Correct the kind of the case, or take it up again first.",
        )


class NothingToSort(Refused):
    """Only suggestions are sorted by what they are about."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"Case {case.number} is a {case.type}: only suggestions have a category.",
            field="type",
            remedy="Correct the kind of the case first.",
        )


class SuggestionAlreadyDecided(Refused):
    """It was decided already whether the suggestion is adopted."""

    def __init__(self, case: Case) -> None:
        super().__init__(
            f"It was decided already whether suggestion {case.number} is adopted.",
            field="decision",
            remedy=f"GET /api/cases/{case.number}/decision shows how.",
        )


class NotLeading(Forbidden):
    """A person with a directing role decides (002 七(四)2)."""

    def __init__(self) -> None:
        super().__init__(
            field="decided_by", remedy=f"Ask somebody of the branch with one of the roles {', '.join(DIRECTORS)}."
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a suggestion is adopted, without the reason; ``sent_at`` when its requester was to be told."""

    case_id: UUID
    branch: str
    adopted: bool
    decided_at: datetime
    decided_by: str
    sent_at: datetime | None


def decide(
    case: Case, *, is_decided: bool, adopted: bool, tell: bool, actor: Actor, now: datetime
) -> tuple[Decision, SuggestionDecided]:
    """Decide whether the suggestion is adopted; its requester is told if they were promised a reply, or on demand.

    Raises:
        NotASuggestion, NotLeading, SuggestionAlreadyDecided: what stands against it.
    """
    case.require_unmerged()
    if case.type != "suggestion" or not case.is_open:
        raise NotASuggestion(case)
    if not actor.directs(case.branch):
        raise NotLeading
    if is_decided:
        raise SuggestionAlreadyDecided(case)
    decision = Decision(
        case_id=case.id,
        branch=case.branch,
        adopted=adopted,
        decided_at=now,
        decided_by=actor.person,
        sent_at=now if tell or case.promised_at is not None else None,
    )
    fact = SuggestionDecided(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        decided_at=now,
        adopted=adopted,
        decided_by=actor.person,
    )
    return decision, fact


def require_sortable(case: Case) -> None:
    """Raise NothingToSort unless the case is a suggestion; one that has ended may still be sorted."""
    if case.type != "suggestion":
        raise NothingToSort(case)
