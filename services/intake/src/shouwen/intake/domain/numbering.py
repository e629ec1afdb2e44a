"""The number that people quote (I-01), and the id that machines use."""

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

ENTROPY_BYTES = 10


def registration_year(registered_at: datetime, time_zone: str) -> int:
    """The year whose series a case counts in: that of its registration, by the wall clock of its branch."""
    return registered_at.astimezone(ZoneInfo(time_zone)).year


def case_number(prefix: str, year: int, position: int) -> str:
    """The number of the ``position``-th case of a branch and year: ``BJ-2026-000001``; it may grow past six digits."""
    return f"{prefix}-{year}-{position:06}"


def case_id(registered_at: datetime, entropy: bytes) -> UUID:
    """A UUID version 7: ids sort by registration, so that pages and indexes follow the register.

    Args:
        registered_at: the time that the id begins with, at milliseconds.
        entropy: ten random bytes.
    """
    milliseconds = int(registered_at.timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(entropy[:ENTROPY_BYTES])
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
