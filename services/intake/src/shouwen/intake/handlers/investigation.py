"""Investigations: who looks into a complaint, what they find, who rules, and what is put right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.casework import Finding
from shouwen.intake.domain import investigation as rules
from shouwen.intake.domain import malicious
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.investigation import CorrectiveAction, Investigation
from shouwen.intake.domain.malicious import Proposal
from shouwen.intake.handlers.shared import (
    NoSuchCase,
    Once,
    actor_of,
    claim,
    locked,
    person_of,
    record,
    tell,
    unknown_owner,
)
from shouwen.intake.store import cases, directory, facts
from shouwen.intake.store import investigation as store
from shouwen.intake.store import malicious as malicious_store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import NotFound
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


class NoSuchAction(NotFound):
    """The case has no such corrective action."""

    def __init__(self) -> None:
        super().__init__(field="action_id", remedy="GET /api/cases/{number}/investigations lists them.")


@dataclass(frozen=True, slots=True)
class FactShown:
    """What an investigator found out; the words are None for who may not read them."""

    at: datetime
    by: str
    text: str | None


@dataclass(frozen=True, slots=True)
class ActionShown:
    """What somebody has to put right; the words are None for who may not read them."""

    action: CorrectiveAction
    task: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class InvestigationShown:
    """One round as one person may see it."""

    investigation: Investigation
    reasoning: str | None
    ruling: str | None
    explanation: str | None
    help_offered: str | None
    facts: Sequence[FactShown]
    actions: Sequence[ActionShown]
    is_readable: bool


async def appoint(
    tx: Transaction, number: str, *, investigator: str, complained_of: Sequence[str], once: Once | None = None
) -> Case:
    """Open the investigation of a case, or change who investigates and who is complained of.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    latest = await store.latest_investigation(tx, case.id)
    appointed, fact = rules.appoint(
        case, latest, investigator=investigator, complained_of=complained_of, actor=actor_of(tx), now=tx.now
    )
    await _require_known(tx, case, investigator, "investigator")
    await store.save_investigation(tx, appointed)
    if fact is not None:
        if latest is not None and latest.round == appointed.round:
            await store.save_reasoning(tx, appointed, None)
        await tell(tx, case, "open investigation", fact)
    return case


async def record_facts(tx: Transaction, number: str, *, words: bytes, once: Once | None = None) -> Case:
    """Write down what the investigator found out.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    latest = await store.latest_investigation(tx, case.id)
    investigation = rules.require_investigator(case, latest, actor_of(tx))
    await store.add_investigation_fact(tx, investigation, fact_id=new_id(tx.now), by=person_of(tx).person, words=words)
    return case


async def find(tx: Transaction, number: str, *, finding: Finding, reasoning: bytes, once: Once | None = None) -> Case:
    """Record what the investigator came to.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    latest = await store.latest_investigation(tx, case.id)
    has_facts = latest is not None and await store.has_investigation_facts(tx, latest)
    found, fact = rules.find(case, latest, has_facts=has_facts, finding=finding, actor=actor_of(tx), now=tx.now)
    await store.save_investigation(tx, found)
    await store.save_reasoning(tx, found, reasoning)
    await tell(tx, case, "record finding", fact)
    return case


async def approve(
    tx: Transaction, number: str, *, finding: Finding, ruling: bytes, protection: Protection, once: Once | None = None
) -> Case:
    """Approve the finding and rule on it, as a second person; approved as malicious, the complaint is so from now on.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    latest = await store.latest_investigation(tx, case.id)
    ruled, fact = rules.approve(case, latest, finding=finding, actor=actor_of(tx), now=tx.now)
    await store.save_investigation(tx, ruled)
    await store.save_ruling(tx, ruled, ruling)
    await tell(tx, case, "approve ruling", fact)
    if finding == "malicious" and case.found_malicious_at is None:
        return await _find_malicious(tx, case, ruled, protection)
    return case


async def explain(
    tx: Transaction, number: str, *, explanation: bytes, help_offered: bytes, once: Once | None = None
) -> Case:
    """Record what the client was told about what we did not cause, and the help offered (000 §18).

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    latest = await store.latest_investigation(tx, case.id)
    explained = rules.explain(case, latest, actor=actor_of(tx), now=tx.now)
    await store.save_investigation(tx, explained)
    await store.save_explanation(tx, explained, explanation=explanation, help_offered=help_offered)
    return case


async def assign_action(
    tx: Transaction, number: str, *, owner: str, due_at: datetime, task: bytes, once: Once | None = None
) -> Case:
    """Give somebody something to put right.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    latest = await store.latest_investigation(tx, case.id)
    action, fact = rules.assign_action(
        case, latest, action_id=new_id(tx.now), owner=owner, due_at=due_at, actor=actor_of(tx), now=tx.now
    )
    await _require_known(tx, case, owner, "owner")
    await store.add_action(tx, action, task)
    await tell(tx, case, "assign corrective action", fact)
    return case


async def complete_action(
    tx: Transaction, number: str, action_id: UUID, *, outcome: bytes | None, once: Once | None = None
) -> Case:
    """Record that something was put right.

    Raises:
        NoSuchCase, NoSuchAction, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    action = await store.action(tx, case.id, action_id)
    if action is None:
        raise NoSuchAction
    completed, fact = rules.complete_action(case, action, actor=actor_of(tx), now=tx.now)
    await store.complete_action(tx, completed, outcome)
    await tell(tx, case, "complete corrective action", fact)
    return case


async def show_investigations(tx: Transaction, number: str, *, protection: Protection) -> list[InvestigationShown]:
    """The investigations of a case, the latest first; each answer with what was written down is recorded as a look.

    Raises:
        NoSuchCase: there is none of this number in the caller's branches.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    case, actor = filed.case, actor_of(tx)
    written = await store.investigations(tx, case.id)
    found_out = await store.investigation_facts(tx, case.id)
    actions = await store.actions(tx, case.id)

    def shown(each: store.WrittenInvestigation) -> InvestigationShown:
        is_readable = each.investigation.is_readable_by(actor, case)

        def read(words: bytes | None) -> str | None:
            return protection.decrypt(words) if is_readable else None

        return InvestigationShown(
            investigation=each.investigation,
            reasoning=read(each.reasoning),
            ruling=read(each.ruling),
            explanation=read(each.explanation),
            help_offered=read(each.help_offered),
            facts=[
                FactShown(at=fact.recorded_at, by=fact.recorded_by, text=read(fact.words))
                for fact in found_out
                if fact.round == each.investigation.round
            ],
            actions=[
                ActionShown(
                    action=one.action,
                    # Who has to put something right may read what.
                    task=protection.decrypt(one.task) if one.action.owner == actor.person else read(one.task),
                    outcome=protection.decrypt(one.outcome) if one.action.owner == actor.person else read(one.outcome),
                )
                for one in actions
                if one.action.round == each.investigation.round
            ],
            is_readable=is_readable,
        )

    rounds = [shown(each) for each in written]
    if any(each.is_readable and each.facts for each in rounds):
        await facts.add_look(tx, case, person=actor.person, fields=["investigation.facts"])
    return rounds


async def _find_malicious(tx: Transaction, case: Case, ruled: Investigation, protection: Protection) -> Case:
    """The investigator is the first of the two persons it takes, unless somebody proposed it before (002 七(二)).

    What was written down stays with the investigation, which not everybody may read.
    """
    see = protection.keys.encrypt(f"经调查认定，详见第 {ruled.round} 次调查记录。")
    proposal = await malicious_store.open_proposal(tx, case.id)
    if proposal is None:
        assert ruled.found_at is not None
        proposal = Proposal(id=new_id(tx.now), proposed_by=ruled.investigator, proposed_at=ruled.found_at)
        await malicious_store.add_proposal(tx, case, proposal, reason=see)
    changed, decided, fact = malicious.confirm(case, proposal, actor=actor_of(tx), now=tx.now)
    await malicious_store.decide(tx, decided, decision=see)
    await record(tx, case, changed, fact, "find malicious")
    return changed


async def _require_known(tx: Transaction, case: Case, person: str, field: str) -> None:
    is_known, _ = await directory.active_person(tx, person, case.branch)
    if not is_known:
        raise unknown_owner(field)
