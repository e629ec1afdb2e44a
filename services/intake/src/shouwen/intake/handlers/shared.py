"""What every command needs: who asks, the case they mean, and that the same request has its effect once."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from shouwen.contracts.casework import CaseEvent
from shouwen.intake.domain.case import CLERKS, Actor, Case
from shouwen.intake.domain.custody import passing
from shouwen.intake.store import cases, custody, delegations, facts, requests
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
    filed: Filed,
    name: str,
    decide: Callable[[Case], tuple[Case, CaseEvent]],
    *,
    note: bytes | None = None,
    once: Once | None = None,
) -> Case:
    """Carry out one command on a locked case, inside its own trace; the same request again changes nothing."""
    case = filed.case
    if once and not await claim(tx, case, once):
        return case
    changed, fact = decide(case)
    await record(tx, case, changed, fact, name, note=note)
    return changed


async def record(
    tx: Transaction, before: Case, after: Case, fact: CaseEvent, name: str, *, note: bytes | None = None
) -> None:
    """Keep what a command made of a locked case, and tell it inside the case's own trace.

    The chain of custody follows by itself. On the event path the fact has no actor.
    """
    with telemetry.continued(before.traceparent, name, case_id=str(before.id), branch=before.branch):
        await cases.save_case(tx, after)
        passed = passing(before, after, fact, now=tx.now)
        if passed is not None:
            await custody.pass_on(tx, after, passed)
        actor = None if tx.principal is None else tx.principal.person
        await facts.add_fact(tx, tx.emit(fact), actor=actor, note=note)


async def tell(tx: Transaction, case: Case, name: str, fact: CaseEvent, *, note: bytes | None = None) -> None:
    """Emit a fact about work beside the case's own life cycle, and keep it, inside the case's own trace."""
    person = None if tx.principal is None else tx.principal.person
    with telemetry.continued(case.traceparent, name, case_id=str(case.id), branch=case.branch):
        await facts.add_fact(tx, tx.emit(fact), actor=person, note=note)


async def locked(tx: Transaction, number: str) -> Filed:
    """A case for a command of a person: held until the end of the transaction.

    Raises:
        Forbidden, NoSuchCase: the caller does not work on cases, or not on this one.
    """
    person_of(tx).require_role(*CLERKS)
    filed = await cases.lock_case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    return await with_delegates(tx, filed)


async def with_delegates(tx: Transaction, filed: Filed) -> Filed:
    """The case with who stands in for its owner now."""
    delegates = await delegations.delegates_of(tx, filed.case.owner, at=tx.now)
    return replace(filed, case=replace(filed.case, delegates=delegates)) if delegates else filed


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


def unknown_owner(field: str = "owner") -> Invalid:
    """The person named is not at work in the branch."""
    return Invalid(
        "The directory has no such active person in this branch.",
        field=field,
        remedy="GET /api/directory lists the branch's persons.",
    )
