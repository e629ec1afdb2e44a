"""Load, decide, save, emit: what sla does when it hears facts, when time passes, and when a person asks."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.errors import NotFound, Refused
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla import store
from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.arming import decide
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.explanation import Segment, explain, remaining
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.policies import Branch, Policies
from shouwen.sla.store import ClockFilter, Fired, HeardFact, Subject


class UnknownBranch(Refused):
    """The directory has no such branch, so no pack binds it."""


async def describe_branch(event: CloudEvent[BranchDescribed], tx: Transaction, policies: Policies) -> None:
    """Learn which packs bind a branch.

    Raises:
        UnknownPack: it composes one that is not here.
    """
    await _learn(event.data, tx, policies, from_file=False)


async def learn_directory_file(branches: Iterable[BranchDescribed], tx: Transaction, policies: Policies) -> None:
    """Learn the branches of the directory file, as far as the directory stream has not told of them.

    Raises:
        UnknownPack: one of them composes a pack that is not here.
    """
    for branch in branches:
        await _learn(branch, tx, policies, from_file=True)


async def _learn(branch: BranchDescribed, tx: Transaction, policies: Policies, *, from_file: bool) -> None:
    policies.check(Branch(branch.branch, branch.time_zone, branch.packs))
    await store.save_branch(tx, branch, from_file=from_file)


async def hear(events: Sequence[CloudEvent[Event]], tx: Transaction, policies: Policies) -> None:
    """Let facts take effect on the clocks of their subjects: a few statements, however many facts.

    Raises:
        UnknownBranch: a fact's branch is not in the directory.
    """
    heard = [HeardFact.of(event) for event in events]
    compositions = await _compositions({each.subject[0] for each in heard}, tx, policies)
    counts = Counter(each.subject for each in heard)
    known = await store.lock_subjects(tx, counts)
    await store.add_facts(tx, heard)
    facts: dict[Subject, list[Fact]] = {subject: [] for subject in counts}
    causes: dict[Subject, str | None] = {}
    for each in heard:
        facts[each.subject].append(each.fact)
        causes[each.subject] = each.fact.traceparent
    kept: Mapping[UUID, store.Kept] = {}
    if known:
        facts |= await store.facts_of(tx, known)
        kept = await store.lock_clocks(tx, known)
    changed: list[store.Armed] = []
    for (branch, subject), told in facts.items():
        for clock in compositions[branch].evaluate(branch, subject, told):
            decision = decide(clock, kept.get(clock.clock_id), tx.now)
            if decision.armed is None:
                continue
            changed.append(decision.armed)
            for telling in decision.tellings:
                cause = causes[branch, subject]
                tx.emit(telling.event, event_id=telling.event_id, traceparent=cause)
    if changed:
        await store.save_clocks(tx, changed)


async def _compositions(codes: set[str], tx: Transaction, policies: Policies) -> dict[str, Composition]:
    branches = await store.get_branches(tx, codes)
    for code in sorted(codes - branches.keys()):
        raise UnknownBranch(
            f"The branch {code} is not in the directory.",
            field="branch",
            remedy="Correct the branch code, or describe the branch in the directory and replay.",
        )
    return {code: policies.of(branch) for code, branch in branches.items()}


async def fire_due(tx: Transaction, limit: int, source: str) -> list[Fired]:
    """Fire what is due by the database's time; the events are queued in the same statement."""
    return await store.fire_due(tx, limit, source)


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
    return await store.list_clocks(tx, wanted, after, limit)


async def explain_clock(tx: Transaction, clock_id: UUID, policies: Policies) -> Explained:
    """One clock with its explanation, computed from the facts as the deadline was.

    Raises:
        NotFound: there is none, or the person may not see it.
    """
    row = await store.get_clock(tx, clock_id)
    if row is None:
        raise NotFound(f"There is no clock {clock_id} that you may see.", remedy="See GET /api/clocks.")
    subject = (row["branch"], row["subject"])
    branch = (await store.get_branches(tx, [row["branch"]]))[row["branch"]]
    composition = policies.of(branch)
    facts = (await store.facts_of(tx, [subject]))[subject]
    clocks = composition.evaluate(*subject, facts)
    clock = next((each for each in clocks if each.clock_id == clock_id), None)
    if clock is None:
        # The pack that armed it is gone; what is kept still stands, only the reasons are not known any more.
        return Explained(row, (), 0, (), None)
    segments = explain(clock, composition.timetable)
    return Explained(row, segments, remaining(clock, segments), clock.pauses, clock)
