"""Facts take effect on the clocks of their subjects."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.errors import Refused
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.alerting import alert_once
from shouwen.sla.domain.arming import Armed, Decision, Kept, Telling, decide
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.instant import moment
from shouwen.sla.domain.policies import Policies
from shouwen.sla.handlers.delegation import with_delegates
from shouwen.sla.handlers.recalculation import cancel_clocks
from shouwen.sla.store import branches, clocks, facts
from shouwen.sla.store.facts import HeardFact, Subject

SUPERSEDED = "superseded"
"""Reason for which a clock is cancelled that, as facts known later tell, never was."""


class UnknownBranch(Refused):
    """The directory has no such branch, so no pack binds it."""


@dataclass
class _Known:
    """What is known of some locked subjects, and what moves them now."""

    compositions: Mapping[str, Composition]
    facts: Mapping[Subject, Sequence[Fact]]
    kept: Mapping[UUID, Kept]
    causes: Mapping[Subject, str | None]
    wakes: Mapping[Subject, datetime | None]


async def hear(events: Sequence[CloudEvent[Event]], tx: Transaction, policies: Policies) -> None:
    """Let facts take effect on the clocks of their subjects: a few statements, however many facts.

    Raises:
        UnknownBranch: a fact's branch is not in the directory.
    """
    await take([HeardFact.of(event) for event in events], tx, policies)


async def take(heard: Sequence[HeardFact], tx: Transaction, policies: Policies) -> None:
    """Keep facts, heard or recorded by a person, and let them take effect.

    Raises:
        UnknownBranch: a fact's branch is not in the directory.
    """
    compositions = await _compositions({each.subject[0] for each in heard}, tx, policies)
    counts = Counter(each.subject for each in heard)
    known = await facts.lock_subjects(tx, counts)
    await facts.add_facts(tx, heard)
    told: dict[Subject, list[Fact]] = {subject: [] for subject in counts}
    causes: dict[Subject, str | None] = {}
    for each in heard:
        told[each.subject].append(each.fact)
        causes[each.subject] = each.fact.traceparent
    kept: Mapping[UUID, Kept] = {}
    if known:
        told |= await facts.facts_of(tx, known)
        kept = await clocks.lock_clocks(tx, known)
    await _take_effect(tx, _Known(compositions, told, kept, causes, known))


async def wake(tx: Transaction, policies: Policies, limit: int) -> int:
    """Look again at up to so many subjects that change by the passing of time; the answer is how many there were."""
    woken = await facts.claim_woken(tx, limit)
    if not woken:
        return 0
    compositions = await _compositions({branch for branch, _ in woken}, tx, policies)
    told = await facts.facts_of(tx, woken)
    kept = await clocks.lock_clocks(tx, woken)
    await _take_effect(tx, _Known(compositions, told, kept, {}, dict.fromkeys(woken, tx.now)))
    return len(woken)


async def _take_effect(tx: Transaction, known: _Known) -> None:
    changed: list[Armed] = []
    tellings: list[tuple[Telling, str | None]] = []
    wakes: dict[Subject, datetime | None] = {}
    bound: set[UUID] = set()
    for subject, told in known.facts.items():
        found = known.compositions[subject[0]].evaluate(*subject, told, tx.now)
        cause = known.causes.get(subject)
        for decision in _decided(found, known.kept, tx.now):
            if decision.armed is not None:
                changed.append(decision.armed)
                trace = cause or decision.armed.clock.traceparent
                tellings += [(telling, trace) for telling in decision.tellings]
        bound.update(clock.clock_id for clock in found)
        wake_at = min(filter(None, (clock.wakes_at(tx.now) for clock in found)), default=None)
        wakes_at = None if wake_at is None else moment(wake_at)
        if wakes_at != known.wakes.get(subject):
            wakes[subject] = wakes_at
    told_now = await with_delegates(tx, [telling for telling, _ in tellings])
    for telling, (_, trace) in zip(told_now, tellings, strict=True):
        tx.emit(telling.event, event_id=telling.event_id, traceparent=trace)
    if changed:
        await clocks.save_clocks(tx, changed)
    if wakes:
        await facts.set_wakes(tx, wakes)
    # A fact that came late can tell that a cycle never was: a promise that held after all, a stop before a start.
    unbound = [clock_id for clock_id, each in known.kept.items() if each.is_open and clock_id not in bound]
    if unbound:
        await cancel_clocks(tx, unbound, SUPERSEDED)


def _decided(found: Sequence[Clock], kept: Mapping[UUID, Kept], now: datetime) -> list[Decision]:
    decisions = [decide(clock, kept.get(clock.clock_id), now) for clock in found]
    begun = [clock.clock_id not in kept for clock in found]
    if sum(begun) < 2:
        return decisions
    old = [each for each, is_new in zip(decisions, begun, strict=True) if not is_new]
    return [*old, *alert_once([each for each, is_new in zip(decisions, begun, strict=True) if is_new], now)]


async def _compositions(codes: set[str], tx: Transaction, policies: Policies) -> dict[str, Composition]:
    found = await branches.get_branches(tx, codes)
    for code in sorted(codes - found.keys()):
        raise UnknownBranch(
            f"The branch {code} is not in the directory.",
            field="branch",
            remedy="Correct the branch code, or describe the branch in the directory and replay.",
        )
    return {code: policies.of(branch) for code, branch in found.items()}
