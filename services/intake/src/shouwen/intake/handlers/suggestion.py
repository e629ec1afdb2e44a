"""What suggestions are about, and decisions on them."""

from shouwen.intake.domain import suggestion as rules
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.suggestion import Decision
from shouwen.intake.handlers.notices import request_notice
from shouwen.intake.handlers.shared import NoSuchCase, Once, actor_of, claim, locked, person_of, tell
from shouwen.intake.store import cases
from shouwen.intake.store import suggestion as store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import NotFound
from shouwen.runtime.unit_of_work import Transaction


class NoDecision(NotFound):
    """Nothing was decided about this suggestion."""

    def __init__(self) -> None:
        super().__init__(field="decision", remedy="POST /api/cases/{number}/decision decides about a suggestion.")


async def decide_suggestion(
    tx: Transaction,
    number: str,
    *,
    adopted: bool,
    reason: str,
    inform: bool,
    protection: Protection,
    once: Once | None = None,
) -> Case:
    """Decide whether a suggestion is adopted, and have its requester told where a reply was promised.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case
    decision, fact = rules.decide(
        case,
        is_decided=await store.decision(tx, case.id) is not None,
        adopted=adopted,
        tell=inform,
        actor=actor_of(tx),
        now=tx.now,
    )
    await store.add_decision(tx, decision, protection.keys.encrypt(reason))
    await tell(tx, case, "decide suggestion", fact)
    if decision.sent_at is not None:
        outcome = "采纳" if adopted else "未采纳"
        await request_notice(
            tx, filed, "suggestion_decision", protection=protection, values={"decision": f"{outcome}。{reason}"}
        )
    return case


async def sort_suggestion(tx: Transaction, number: str, *, category: str, once: Once | None = None) -> Case:
    """Say what a suggestion is about; digests give them to their department by category.

    Raises:
        NoSuchCase, Forbidden, NothingToSort: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case
    rules.require_sortable(case)
    await store.save_category(tx, case, category, person=person_of(tx).person)
    return case


async def show_decision(tx: Transaction, number: str, *, protection: Protection) -> tuple[Decision, str]:
    """What was decided about a suggestion, and why.

    Raises:
        NoSuchCase, NoDecision: there is none.
    """
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    decided = await store.decision(tx, filed.case.id)
    if decided is None:
        raise NoDecision
    decision, reason = decided
    return decision, protection.keys.decrypt(reason)
