"""Clocks fire."""

from dataclasses import dataclass
from datetime import datetime

from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.sla", "sql/timers.sql")


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing that was just queued."""

    event_type: str
    branch: str
    subject: str
    target: str
    traceparent: str
    span: str
    late_seconds: float
    fired_at: datetime


async def fire_due(tx: Transaction, limit: int, source: str) -> list[Fired]:
    """Fire the next step of up to ``limit`` clocks that are due, and queue the events."""
    return [Fired(*row) for row in await tx.fetch(QUERIES.fire_due, limit, source)]


async def next_firing(tx: Transaction) -> float | None:
    """Seconds until the earliest firing; below 0 when it is overdue; None when no clock is armed."""
    return await tx.fetch_value(QUERIES.next_firing)
