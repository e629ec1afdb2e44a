"""The weekly digest of suggestions: once a week each department gets what was suggested to it, by category
(002 七(四)2).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from shouwen.contracts.casework import SuggestionDigested
from shouwen.intake.domain.case import Case

HOUR = 8
"""On Mondays at this hour of the branch's day the digests of the week before are made."""
UNASSIGNED = "unassigned"
"""The digest of suggestions that belong to no department yet; the coordinator finds one for them."""


@dataclass(frozen=True, slots=True)
class CategoryShare:
    """How many suggestions of a digest are about something; None for those that nobody sorted."""

    category: str | None
    suggestions: int


@dataclass(frozen=True, slots=True)
class Digest:
    """What was suggested to one department; ``made_by`` is None when the week ended by itself."""

    id: UUID
    branch: str
    department: str
    made_at: datetime
    made_by: str | None
    categories: Sequence[CategoryShare] = ()

    @property
    def suggestions(self) -> int:
        """How many suggestions there are."""
        return sum(each.suggestions for each in self.categories)


def latest_monday(now: datetime, time_zone: str) -> datetime:
    """The last moment at which digests were due, by the wall clock of the branch."""
    local = now.astimezone(ZoneInfo(time_zone))
    monday = (local - timedelta(days=local.weekday())).replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return monday if monday <= local else monday - timedelta(days=7)


def by_department(suggestions: Iterable[Case]) -> Mapping[str, list[Case]]:
    """The suggestions of each department."""
    found: dict[str, list[Case]] = {}
    for case in suggestions:
        found.setdefault(case.department or UNASSIGNED, []).append(case)
    return found


def digested(case: Case, *, department: str, now: datetime) -> SuggestionDigested:
    """The fact that a suggestion went to its department."""
    return SuggestionDigested(
        branch=case.branch, case_id=case.id, number=case.number, digested_at=now, department=department
    )
