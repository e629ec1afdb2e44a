"""Work on a case: one function for each command."""

from datetime import datetime

from shouwen.contracts.casework import CaseEvent
from shouwen.intake.domain import case as life
from shouwen.intake.domain.case import Case
from shouwen.intake.handlers.shared import Once, actor_of, locked, unknown_owner, work_on
from shouwen.intake.store import directory, dossier
from shouwen.runtime.unit_of_work import Transaction


async def assign_case(
    tx: Transaction, number: str, *, owner: str, department: str | None, once: Once | None = None
) -> Case:
    """Pass the responsibility for a case to another person of its branch.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    branch = (await locked(tx, number)).case.branch
    is_known, own_department = await directory.active_person(tx, owner, branch)
    if not is_known:
        raise unknown_owner()
    department = department or own_department

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.assign(case, owner=owner, department=department, actor=actor, now=tx.now)

    return await work_on(tx, number, "assign case", decide, once=once)


async def reply_case(
    tx: Transaction,
    number: str,
    *,
    replied_at: datetime | None,
    written: bool,
    note: bytes | None,
    once: Once | None = None,
) -> Case:
    """Record that the requester was answered.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    beside = await dossier.dossier(tx, (await locked(tx, number)).case.id)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.reply(case, replied_at=replied_at, written=written, actor=actor, now=tx.now, dossier=beside)

    return await work_on(tx, number, "reply case", decide, note=note, once=once)


async def plan_case(
    tx: Transaction, number: str, *, delivered_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """Record that a written plan reached the requester.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.deliver_plan(case, delivered_at=delivered_at, actor=actor, now=tx.now)

    return await work_on(tx, number, "plan case", decide, note=note, once=once)


async def resolve_case(
    tx: Transaction, number: str, *, resolved_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """End a case that was handled.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    beside = await dossier.dossier(tx, (await locked(tx, number)).case.id)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.resolve(case, resolved_at=resolved_at, actor=actor, now=tx.now, dossier=beside)

    return await work_on(tx, number, "resolve case", decide, note=note, once=once)


async def withdraw_case(
    tx: Transaction, number: str, *, withdrawn_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """End a case that its requester withdrew.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.withdraw(case, withdrawn_at=withdrawn_at, actor=actor, now=tx.now)

    return await work_on(tx, number, "withdraw case", decide, note=note, once=once)
