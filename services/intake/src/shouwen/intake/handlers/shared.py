"""What every command needs: who asks, the case they mean, and that the same request has its effect once."""

from collections.abc import Callable
from dataclasses import dataclass

from shouwen.contracts.casework import CaseEvent
from shouwen.intake.domain.case import CLERKS, Actor, Case
from shouwen.intake.store import cases, facts, requests
from shouwen.intake.store.cases import Filed
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Invalid, NotFound
from shouwen.runtime.unit_of_work import Transaction

SYSTEM = "system"
"""The role of other systems."""


class KeyUsedOtherwise(Invalid):
    """The idempotency key was used for another request."""

    def __init__(self) -> None:
        super().__init__(
            field="Idempotency-Key",
            remedy="Send a new key with a new request; send the old key only with the unchanged request.",
        )


class NoSuchCase(NotFound):
    """There is no case of this number, or it is not of your branch."""

    def __init__(self) -> None:
        super().__init__(field="number", remedy="Check the number; GET /api/cases lists the cases you may see.")


@dataclass(frozen=True, slots=True)
class Once:
    """A request that must have its effect once: the caller's key, and a hash of what is asked."""

    key: str
    request_hash: str


async def work_on(
    tx: Transaction,
    number: str,
    name: str,
    decide: Callable[[Case], tuple[Case, CaseEvent]],
    *,
    note: bytes | None = None,
    once: Once | None = None,
) -> Case:
    """Carry out one command on a case, inside the case's own trace; the same request again changes nothing."""
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    changed, fact = decide(case)
    with telemetry.continued(case.traceparent, name, case_id=str(case.id), branch=case.branch):
        await cases.save_case(tx, changed)
        await facts.add_fact(tx, tx.emit(fact), actor=person_of(tx).person, note=note)
    return changed


async def locked(tx: Transaction, number: str) -> Filed:
    person_of(tx).require_role(*CLERKS)
    filed = await cases.lock_case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return filed


async def claim(tx: Transaction, case: Case, once: Once) -> bool:
    """Whether the command is to be carried out; False when it was, under the same key.

    Raises:
        KeyUsedOtherwise: the key was used for something else.
    """
    person = person_of(tx).person
    if await requests.claim_key(
        tx, person=person, key=once.key, branch=case.branch, request_hash=once.request_hash, case_id=case.id
    ):
        return True
    if await requests.claimed_key(tx, person=person, key=once.key) != (once.request_hash, case.id):
        raise KeyUsedOtherwise
    return False


def person_of(tx: Transaction) -> Principal:
    """Who asks; a transaction of the event path has nobody."""
    assert tx.principal is not None
    return tx.principal


def actor_of(tx: Transaction) -> Actor:
    """Who asks, as the domain knows them."""
    principal = person_of(tx)
    return Actor(person=principal.person, roles=principal.roles, branches=principal.branches)


def unknown_owner() -> Invalid:
    """The person named as responsible is not at work in the branch."""
    return Invalid(
        "The directory has no such active person in this branch.",
        field="owner",
        remedy="GET /api/directory lists the branch's persons.",
    )
