"""Who answered for a subject, and when: the facts that pass responsibility on, one after another (001 §13, 003 §10)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from shouwen.sla.domain.clock import Responsible
from shouwen.sla.domain.fact import Fact, instant_of
from shouwen.sla.domain.instant import micros

_OWNED_SINCE: Mapping[str, str] = {
    "case.registered.v1": "received_at",
    "case.assigned.v1": "assigned_at",
    "case.handover_accepted.v1": "accepted_at",
    "case.reopened.v1": "reopened_at",
}
"""The facts of a case that pass responsibility on, and since when. Others name persons for other reasons."""


class Custody:
    """Who answered for a subject, and when."""

    def __init__(self, facts: Iterable[Fact], zone: ZoneInfo) -> None:
        self._told: list[tuple[int, datetime, str, Mapping[str, Any]]] = []
        for fact in facts:
            names_somebody = fact.data.get("owner") or fact.data.get("department")
            if not names_somebody or (fact.type.startswith("case.") and fact.type not in _OWNED_SINCE):
                continue
            at = instant_of(fact, _OWNED_SINCE.get(fact.type), zone)
            self._told.append((micros(fact.time) if at is None else at, fact.time, fact.id, fact.data))
        self._told.sort(key=lambda told: told[:3])
        self._now = self._until(None)

    def at(self, instant: int | None) -> Responsible:
        """Who answered at an instant, or answers now: the last fact that names an owner, and a department."""
        return self._now if instant is None or len(self._told) < 2 else self._until(instant)

    def _until(self, instant: int | None) -> Responsible:
        owner = department = None
        for place, (since, _, _, data) in enumerate(self._told):
            if place > 0 and instant is not None and since > instant:
                break
            owner = _text(data.get("owner")) or owner
            department = _text(data.get("department")) or department
        return Responsible(owner, department)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
