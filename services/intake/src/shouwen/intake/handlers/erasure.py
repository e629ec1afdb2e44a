"""Erasing a person's data, and showing who looked at such data."""

from datetime import datetime
from uuid import UUID

from shouwen.contracts.case import ClientMention
from shouwen.contracts.casework import CaseErased
from shouwen.contracts.event import CloudEvent
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.erasure import (
    ERASED_TEXT,
    ROLE,
    AskedAlready,
    Erasure,
    FoundBy,
    NothingToErase,
    OpenCases,
    State,
    whose_of,
)
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.intake.handlers.shared import person_of
from shouwen.intake.store import erasure as store
from shouwen.intake.store import facts
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.erasure import Look
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.errors import NotFound
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction

AUDITOR = "group_auditor"


class NoSuchErasure(NotFound):
    """There is no erasure of this id."""

    def __init__(self) -> None:
        super().__init__(field="id", remedy="GET /api/erasures lists them.")


async def propose_erasure(
    tx: Transaction, *, found_by: FoundBy, person_hash: str, reason: str, protection: Protection
) -> Erasure:
    """Ask for the data of a person to be erased in all branches.

    Raises:
        Forbidden: the caller is no group_admin.
        NothingToErase, OpenCases, AskedAlready: what stands against it.
    """
    person_of(tx).require_role(ROLE)
    held = await _held(tx, found_by, person_hash)
    asked = Erasure(
        id=new_id(tx.now),
        whose=whose_of(found_by),
        found_by=found_by,
        person_hash=person_hash,
        state="proposed",
        proposed_by=person_of(tx).person,
        proposed_at=tx.now,
        decided_by=None,
        decided_at=None,
        cases=len(held),
    )
    if not await store.add_erasure(tx, asked, protection.keys.encrypt(reason)):
        raise AskedAlready
    return asked


async def confirm_erasure(tx: Transaction, erasure_id: UUID, *, protection: Protection) -> Erasure:
    """Erase, as a second person. It cannot be undone.

    Raises:
        Forbidden: the caller is no group_admin, or asked for it themselves.
        NoSuchErasure, Decided, NothingToErase, OpenCases: what stands against it.
    """
    person_of(tx).require_role(ROLE)
    asked = await _locked(tx, erasure_id)
    held = await _held(tx, asked.found_by, asked.person_hash)
    done = asked.carried_out(by=person_of(tx).person, at=tx.now, cases=len(held))
    await _erase(tx, done, held, protection)
    await store.save_erasure(tx, done)
    return done


async def reject_erasure(tx: Transaction, erasure_id: UUID) -> Erasure:
    """Leave the data as they are.

    Raises:
        Forbidden: the caller is no group_admin.
        NoSuchErasure, Decided: what stands against it.
    """
    person_of(tx).require_role(ROLE)
    rejected = (await _locked(tx, erasure_id)).rejected(by=person_of(tx).person, at=tx.now)
    await store.save_erasure(tx, rejected)
    return rejected


async def erase_again(tx: Transaction, *, protection: Protection) -> int:
    """Carry out what was erased on data that came back with a backup, and tell the others of every erasure once more.

    Cases that were registered after an erasure are a new matter and stay. The answer is how many cases came back.
    """
    count = 0
    for done in await store.erasures_done(tx):
        held = await store.lock_cases_of(tx, done.found_by, done.person_hash)
        of_then = [each for each in held if done.decided_at is not None and each.case.registered_at <= done.decided_at]
        for case in await store.cases_erased(tx, done):
            _tell_erased(tx, done, case)
        await _erase(tx, done, of_then, protection)
        count += len(of_then)
    return count


async def list_erasures(
    tx: Transaction, *, after: UUID | None, state: State | None, limit: int, protection: Protection
) -> list[tuple[Erasure, str]]:
    """The erasures with their reasons, the newest first.

    Raises:
        Forbidden: the caller is neither group_admin nor group_auditor.
    """
    person_of(tx).require_role(ROLE, AUDITOR)
    page = await store.erasures_page(tx, after=after, state=state, limit=limit)
    return [(each, protection.keys.decrypt(reason)) for each, reason in page]


async def list_looks(
    tx: Transaction,
    *,
    after: int | None,
    person: str | None,
    number: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[Look]:
    """Who saw personal data unmasked, the newest look first (000 §15, 001 §8).

    Raises:
        Forbidden: the caller is no group_auditor.
    """
    person_of(tx).require_role(AUDITOR)
    return await store.looks_page(tx, after=after, person=person, number=number, since=since, until=until, limit=limit)


async def _locked(tx: Transaction, erasure_id: UUID) -> Erasure:
    asked = await store.lock_erasure(tx, erasure_id)
    if asked is None:
        raise NoSuchErasure
    return asked


async def _held(tx: Transaction, found_by: FoundBy, person_hash: str) -> list[Filed]:
    held = await store.lock_cases_of(tx, found_by, person_hash)
    if not held:
        raise NothingToErase
    if still_open := tuple(each.case.number for each in held if each.case.state in OPEN_STATES):
        raise OpenCases(still_open)
    return held


async def _erase(tx: Transaction, done: Erasure, held: list[Filed], protection: Protection) -> None:
    words = protection.keys.encrypt(ERASED_TEXT)
    for case in (each.case for each in held):
        await store.erase_case(tx, case.id, done.whose, words)
        await facts.add_fact(tx, _tell_erased(tx, done, case), actor=person_of(tx).person)


def _tell_erased(tx: Transaction, done: Erasure, case: Case) -> CloudEvent[CaseErased]:
    with telemetry.continued(case.traceparent, "erase data", case_id=str(case.id), branch=case.branch):
        return tx.emit(
            CaseErased(
                branch=case.branch,
                case_id=case.id,
                number=case.number,
                whose=done.whose,
                erased_at=done.decided_at or tx.now,
                client=ClientMention(identifier_hash=done.person_hash) if done.whose == "client" else None,
            )
        )
