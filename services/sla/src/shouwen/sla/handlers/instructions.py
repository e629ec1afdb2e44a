"""What people do to clocks: each is a fact of the subject, so that a replay gives the same clocks."""

from typing import Any
from uuid import UUID

from shouwen.runtime.errors import NotFound, Refused, Transient
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.fact import INSTRUCTED, Fact
from shouwen.sla.domain.instruction import Extending, Instructing, Pausing, check
from shouwen.sla.domain.policies import Policies
from shouwen.sla.handlers import hearing
from shouwen.sla.handlers.clocks import Explained, explain_clock
from shouwen.sla.store import branches, clocks, facts, revision
from shouwen.sla.store.facts import HeardFact

_SOURCE = "/shouwen/sla"
_STAFF = ("clerk", "manager", "department_head", "coordinator", "general_manager")


class RulesChanged(Transient):
    """The rules changed at this moment."""


class NothingChanges(Refused):
    """The clock would stay as it is."""


async def instruct(tx: Transaction, clock_id: UUID, asked: Instructing, policies: Policies) -> Explained:
    """Pause, resume or extend a clock; the answer is the clock as it is then.

    Raises:
        NotFound: there is no such clock, or the person may not see it.
        Forbidden: the person's roles do not allow it.
        CannotPause, CannotResume, CannotExtend, NothingChanges: the clock does not allow it; it says why.
        Invalid: a field is wrong.
    """
    person = tx.principal
    assert person is not None
    person.require_role(*_STAFF)
    if await revision.hold_revision(tx) != policies.revision:
        raise RulesChanged(remedy="Ask again.")
    row = await clocks.get_clock(tx, clock_id)
    if row is None:
        raise NotFound(f"There is no clock {clock_id} that you may see.", remedy="See GET /api/clocks.")
    subject = (row["branch"], row["subject"])
    await facts.lock_subjects(tx, {subject: 0})
    known = (await facts.facts_of(tx, [subject]))[subject]
    composition = policies.of((await branches.get_branches(tx, [row["branch"]]))[row["branch"]])
    before = {each.clock_id: each for each in composition.evaluate(*subject, known, tx.now)}
    clock = before.get(clock_id)
    if clock is None:
        raise NothingChanges(
            f"The rule {row['pack']} {row['policy']} {row['target']} no longer binds this branch.",
            remedy="See GET /api/packs for the rules in force.",
        )
    check(clock, asked, person.roles, tx.now)
    told: dict[str, Any] = {
        "branch": row["branch"],
        "at": tx.now.isoformat(),
        "by": person.person,
        "pack": row["pack"],
        "policy": row["policy"],
        "target": row["target"],
        **_told(asked),
    }
    event_id = str(new_id(tx.now))
    fact = Fact(f"{_SOURCE} {event_id}", INSTRUCTED, tx.now, told, row["traceparent"])
    after = {each.clock_id: each for each in composition.evaluate(*subject, [*known, fact], tx.now)}
    if after.get(clock_id) == clock:
        raise NothingChanges(
            f"{row['policy']} {row['target']} has used up what its pack allows.", remedy="Finish the matter in time."
        )
    await hearing.take([HeardFact(subject, _SOURCE, event_id, fact)], tx, policies)
    return await explain_clock(tx, clock_id, policies)


def _told(asked: Instructing) -> dict[str, Any]:
    told: dict[str, Any] = {"do": asked.do}
    match asked:
        case Pausing():
            until = None if asked.until is None else asked.until.isoformat()
            told |= {"reason": asked.reason, "until": until, "evidence": asked.evidence}
        case Extending():
            told |= {"reason": asked.reason, "units": asked.units, "informed_at": asked.informed_at.isoformat()}
        case _:
            pass
    return told
