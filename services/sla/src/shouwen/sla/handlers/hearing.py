"""Facts take effect on the clocks of their subjects."""

from collections import Counter
from collections.abc import Mapping, Sequence
from uuid import UUID

from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.errors import Refused
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.arming import Armed, Kept, decide
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.policies import Policies
from shouwen.sla.store import branches, clocks, facts
from shouwen.sla.store.facts import HeardFact, Subject


class UnknownBranch(Refused):
    """The directory has no such branch, so no pack binds it."""


async def hear(events: Sequence[CloudEvent[Event]], tx: Transaction, policies: Policies) -> None:
    """Let facts take effect on the clocks of their subjects: a few statements, however many facts.

    Raises:
        UnknownBranch: a fact's branch is not in the directory.
    """
    heard = [HeardFact.of(event) for event in events]
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
    changed: list[Armed] = []
    for (branch, subject), known_facts in told.items():
        for clock in compositions[branch].evaluate(branch, subject, known_facts):
            decision = decide(clock, kept.get(clock.clock_id), tx.now)
            if decision.armed is None:
                continue
            changed.append(decision.armed)
            for telling in decision.tellings:
                cause = causes[branch, subject]
                tx.emit(telling.event, event_id=telling.event_id, traceparent=cause)
    if changed:
        await clocks.save_clocks(tx, changed)


async def _compositions(codes: set[str], tx: Transaction, policies: Policies) -> dict[str, Composition]:
    found = await branches.get_branches(tx, codes)
    for code in sorted(codes - found.keys()):
        raise UnknownBranch(
            f"The branch {code} is not in the directory.",
            field="branch",
            remedy="Correct the branch code, or describe the branch in the directory and replay.",
        )
    return {code: policies.of(branch) for code, branch in found.items()}
