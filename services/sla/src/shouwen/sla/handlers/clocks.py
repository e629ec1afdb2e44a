"""Clocks explain themselves to people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.runtime.errors import NotFound
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.explanation import Segment, explain, remaining
from shouwen.sla.domain.instant import moment
from shouwen.sla.domain.policies import Policies
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.store import branches, clocks, facts
from shouwen.sla.store.clocks import ClockFilter


@dataclass(frozen=True, slots=True)
class Explained:
    """A clock as it is kept, why it is due when it is, and what it fires when."""

    row: asyncpg.Record
    segments: Sequence[Segment]
    remaining: int
    pauses: Sequence[Pause]
    clock: Clock | None


async def list_clocks(
    tx: Transaction, wanted: ClockFilter, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Clocks the person may see, the earliest deadline first."""
    return await clocks.list_clocks(tx, wanted, after, limit)


async def explain_clock(tx: Transaction, clock_id: UUID, policies: Policies) -> Explained:
    """One clock with its explanation, computed from the facts as the deadline was.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    row = await clocks.get_clock(tx, clock_id)
    if row is None:
        raise NotFound(f"There is no clock {clock_id} that you may see.", remedy="See GET /api/clocks.")
    subject = (row["branch"], row["subject"])
    branch = (await branches.get_branches(tx, [row["branch"]]))[row["branch"]]
    composition = policies.of(branch)
    told = (await facts.facts_of(tx, [subject]))[subject]
    clock = next((each for each in composition.evaluate(*subject, told, tx.now) if each.clock_id == clock_id), None)
    if clock is None:
        # The pack that armed it is gone; what is kept still stands, only the reasons are not known any more.
        return Explained(row, (), 0, (), None)
    segments = explain(clock, composition.timetable)
    return Explained(row, segments, remaining(clock, segments), clock.pauses, clock)


async def explain_as_decided(tx: Transaction, clock_id: UUID, rules: Rules) -> Explained:
    """One clock with its explanation; one that has ended by the rules that were in force then.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    found = await explain_clock(tx, clock_id, await rules.current())
    if _is_explained(found):
        return found
    earlier = await explain_clock(tx, clock_id, await rules.as_of(found.row["ended_at"]))
    # What is kept stands in any case; better no reasons than those of another deadline.
    return earlier if _is_explained(earlier) else Explained(found.row, (), 0, (), None)


def _is_explained(explained: Explained) -> bool:
    row, clock = explained.row, explained.clock
    return row["ended_at"] is None or (clock is not None and moment(clock.due_at) == row["due_at"])
