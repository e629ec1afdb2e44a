"""Open clocks are computed anew after a change of the rules, batch by batch; those that ended stay as they are."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.contracts.clock import ClockCancelled, Responsible
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.arming import Armed, Kept, decide
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.instant import moment
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.store import branches, clocks, facts, recalculations
from shouwen.sla.store.facts import Subject

SUBJECTS_AT_ONCE = 500
REMOVED = "target_removed"


async def recalculate(tx: Transaction, rules: Rules) -> bool:
    """Compute the open clocks of the next subjects anew; False when nothing is left to do.

    A crash undoes one batch, which the next replica does again.
    """
    under_way = await recalculations.claim_recalculation(tx)
    if under_way is None:
        return False
    subjects = await recalculations.open_subjects(tx, under_way, SUBJECTS_AT_ONCE)
    if not subjects:
        await recalculations.finish_recalculation(tx, under_way.recalculation_id)
        return True
    looked_at, moved = await _compute(tx, subjects, rules)
    await recalculations.note_progress(tx, under_way.recalculation_id, subjects[-1], looked_at, moved)
    return True


async def _compute(tx: Transaction, subjects: Sequence[Subject], rules: Rules) -> tuple[int, int]:
    """How many open clocks these subjects have, and how many of them are due at another time now."""
    policies = await rules.held(tx)
    known = await branches.get_branches(tx, {branch for branch, _ in subjects})
    compositions = {code: policies.of(branch) for code, branch in known.items()}
    known_wakes = await facts.lock_subjects(tx, dict.fromkeys(subjects, 0))
    told = await facts.facts_of(tx, subjects)
    kept = await clocks.lock_clocks(tx, subjects)
    changed: list[Armed] = []
    bound: set[UUID] = set()
    wakes: dict[Subject, datetime | None] = {}
    moved = 0
    for branch, subject in subjects:
        found = compositions[branch].evaluate(branch, subject, told[branch, subject], tx.now)
        wake_at = min(filter(None, (clock.wakes_at(tx.now) for clock in found)), default=None)
        wakes_at = None if wake_at is None else moment(wake_at)
        if wakes_at != known_wakes.get((branch, subject)):
            wakes[branch, subject] = wakes_at
        for clock in found:
            before = kept.get(clock.clock_id)
            bound.add(clock.clock_id)
            # A clock that has ended is history, and one that is not there yet begins with the next fact.
            if before is None or not before.is_open:
                continue
            armed = _decided(tx, clock, before)
            if armed is not None:
                changed.append(armed)
                moved += clock.due_at != before.due_at
    if changed:
        await clocks.save_clocks(tx, changed)
    if wakes:
        await facts.set_wakes(tx, wakes)
    unbound = [clock_id for clock_id, each in kept.items() if each.is_open and clock_id not in bound]
    if unbound:
        await cancel_clocks(tx, unbound, REMOVED)
    return sum(each.is_open for each in kept.values()), moved


def _decided(tx: Transaction, clock: Clock, before: Kept) -> Armed | None:
    decision = decide(clock, before, tx.now)
    for telling in decision.tellings:
        # In the trace of the matter: the change of the rules has one for itself and concerns many.
        tx.emit(telling.event, event_id=telling.event_id, traceparent=clock.traceparent)
    return decision.armed


async def cancel_clocks(tx: Transaction, clock_ids: Sequence[UUID], reason: str) -> None:
    """End open clocks that nothing gives any more, and tell so."""
    for row in await recalculations.cancel_clocks(tx, clock_ids, reason):
        cancelled = ClockCancelled(
            branch=row["branch"],
            clock_id=row["clock_id"],
            timed_subject=row["subject"],
            pack=row["pack"],
            policy=row["policy"],
            target=row["target"],
            clause=row["clause"],
            cycle=row["cycle"],
            responsible=Responsible(owner=row["owner"], department=row["department"]),
            cancelled_at=row["ended_at"],
            reason=reason,
        )
        tx.emit(cancelled, traceparent=row["traceparent"])


async def list_recalculations(tx: Transaction, before: int | None, limit: int) -> list[asyncpg.Record]:
    """Those the person may see, the newest first."""
    return await recalculations.list_recalculations(tx, before, limit)
