"""The number that people quote (I-01)."""

from datetime import datetime
from zoneinfo import ZoneInfo


def registration_year(registered_at: datetime, time_zone: str) -> int:
    """The year whose series a case counts in: that of its registration, by the wall clock of its branch."""
    return registered_at.astimezone(ZoneInfo(time_zone)).year


def case_number(prefix: str, year: int, position: int) -> str:
    """The number of the ``position``-th case of a branch and year: ``BJ-2026-000001``; it may grow past six digits."""
    return f"{prefix}-{year}-{position:06}"


def part_number(parent: str, position: int) -> str:
    """The number of the ``position``-th part of a split case: ``BJ-2026-000001-2``."""
    return f"{parent}-{position}"


def number_of_parent(number: str) -> str | None:
    """The number of the case that a part belongs to; None for a case that is no part."""
    prefix, year, position, *part = number.split("-")
    return f"{prefix}-{year}-{position}" if part else None
