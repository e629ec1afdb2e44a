"""Absences, and who stands in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.intake.domain import delegation as rules
from shouwen.intake.domain.delegation import Absence, Delegation, Period, Post
from shouwen.intake.handlers.shared import actor_of, person_of
from shouwen.intake.store import delegations, directory
from shouwen.runtime.errors import Invalid, NotFound
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


class NoSuchDelegation(NotFound):
    """There is no such delegation, or it is not of your branch."""

    def __init__(self) -> None:
        super().__init__(field="delegation_id", remedy="GET /api/delegations lists those of your branches.")


class NoSuchAbsence(NotFound):
    """There is no such absence, or it is not of your branch."""

    def __init__(self) -> None:
        super().__init__(field="absence_id", remedy="GET /api/absences lists those of your branches.")


@dataclass(frozen=True, slots=True)
class Away:
    """An absence as it was recorded, with the delegation named together with it."""

    absence: Absence
    delegation: Delegation | None


async def name_delegate(
    tx: Transaction, *, principal: str | None, delegate: str, starts_at: datetime | None, ends_at: datetime
) -> Delegation:
    """Let somebody stand in for the caller, or for a person of their branch.

    Raises:
        Forbidden, Invalid, Refused: what stands against it.
    """
    post = await _post(tx, principal or person_of(tx).person, field="principal")
    period = rules.period_of(starts_at, ends_at, now=tx.now)
    return await _name(tx, post, delegate, period)


async def end_delegation(tx: Transaction, delegation_id: UUID) -> Delegation:
    """Let a delegation end now.

    Raises:
        NoSuchDelegation, Forbidden, Refused: what stands against it; an absence that it covers must end first.
    """
    changed = rules.end(await _lock_delegation(tx, delegation_id), now=tx.now)
    return await _change(tx, changed)


async def cancel_delegation(tx: Transaction, delegation_id: UUID) -> Delegation:
    """Withdraw a delegation that has not begun.

    Raises:
        NoSuchDelegation, Forbidden, Refused: what stands against it; an absence that it covers must end first.
    """
    changed = rules.cancel(await _lock_delegation(tx, delegation_id), now=tx.now)
    return await _change(tx, changed)


async def record_absence(
    tx: Transaction, *, person: str | None, delegate: str | None, starts_at: datetime | None, ends_at: datetime
) -> Away:
    """Note that the caller, or a person of their branch, is away; with a delegate if one is named here.

    Raises:
        DelegateMissing: it takes more than half a working day, the person holds open work, and nobody stands in.
        Forbidden, Invalid, Refused: what else stands against it.
    """
    post = await _post(tx, person or person_of(tx).person, field="person")
    period = rules.period_of(starts_at, ends_at, now=tx.now, may_have_begun=True)
    delegation = None
    if delegate is not None:
        delegation = await _name(tx, post, delegate, Period(max(period.starts_at, tx.now), period.ends_at))
    standing = await delegations.standing(tx, post.branch, period)
    absence = rules.record_absence(
        new_id(tx.now),
        post,
        period,
        standing=standing,
        delegation=delegation,
        by=person_of(tx).person,
        now=tx.now,
    )
    await _require_cover(tx, absence)
    await delegations.add_absence(tx, absence)
    return Away(absence, delegation)


async def end_absence(tx: Transaction, absence_id: UUID) -> Away:
    """Somebody came back early; the delegation named together with the absence ends, too.

    Raises:
        NoSuchAbsence, Forbidden, Refused: what stands against it.
    """
    absence = await _lock_absence(tx, absence_id)
    return await _come_back(tx, rules.end(absence, now=tx.now))


async def cancel_absence(tx: Transaction, absence_id: UUID) -> Away:
    """Somebody will not be away after all; the delegation named together with the absence is withdrawn, too.

    Raises:
        NoSuchAbsence, Forbidden, Refused: what stands against it.
    """
    absence = await _lock_absence(tx, absence_id)
    return await _come_back(tx, rules.cancel(absence, now=tx.now))


async def leave(tx: Transaction, persons: Sequence[str]) -> None:
    """Break off every delegation of persons who left or went to another branch; the directory is locked."""
    for delegation in await delegations.delegations_of(tx, persons, at=tx.now):
        await _tell(tx, rules.broken_off(delegation, now=tx.now))


async def require_reachable(tx: Transaction, person: str, branch: str, *, field: str = "owner") -> None:
    """Refuse to make somebody of a branch responsible, or to ask them, who is away with nobody standing in.

    Raises:
        AwayWithoutDelegate: the person is, for more than half a working day.
    """
    standing = await delegations.standing(tx, branch, Period(tx.now, tx.now + rules.LONGEST))
    if any(each.person == person for each in standing.absences):
        entry = await directory.branch_entry(tx, branch)
        assert entry is not None, "the directory has every person's branch"
        rules.require_reachable(person, standing, field=field, time_zone=entry.time_zone, now=tx.now)


async def republish(tx: Transaction) -> int:
    """Tell every delegation of the caller's branches once more; the caller is an operator."""
    known = await delegations.all_delegations(tx)
    for delegation in known:
        tx.emit(delegation.described())
    return len(known)


async def list_delegations(
    tx: Transaction,
    *,
    after: UUID | None,
    limit: int,
    branch: str | None,
    principal: str | None,
    delegate: str | None,
    in_force: bool,
) -> list[Delegation]:
    """A part of the delegations of the caller's branches, the newest first."""
    return await delegations.delegations_page(
        tx,
        after=after,
        limit=limit,
        branch=branch,
        principal=principal,
        delegate=delegate,
        in_force_at=tx.now if in_force else None,
    )


async def list_absences(
    tx: Transaction, *, after: UUID | None, limit: int, branch: str | None, person: str | None, now_only: bool
) -> list[Absence]:
    """A part of the absences of the caller's branches, the newest first."""
    return await delegations.absences_page(
        tx, after=after, limit=limit, branch=branch, person=person, at=tx.now if now_only else None
    )


async def _name(tx: Transaction, principal: Post, delegate: str, period: Period) -> Delegation:
    delegation = rules.name_delegate(
        new_id(tx.now),
        principal,
        await delegations.post(tx, delegate),
        period,
        standing=await delegations.standing(tx, principal.branch, period),
        by=person_of(tx).person,
        now=tx.now,
    )
    await delegations.add_delegation(tx, delegation)
    tx.emit(delegation.described())
    return delegation


async def _post(tx: Transaction, person: str, *, field: str) -> Post:
    """The person in the directory, for whom the caller may arrange.

    From here on nobody else changes the directory or who stands in for whom.
    """
    await directory.lock_directory(tx)
    post = await delegations.post(tx, person)
    if post is None or not post.is_active:
        raise Invalid(
            "The directory has no such active person in your branches.",
            field=field,
            remedy="GET /api/persons lists the persons of your branches.",
        )
    rules.require_say(actor_of(tx), person=post.person, branch=post.branch)
    return post


async def _lock_delegation(tx: Transaction, delegation_id: UUID) -> Delegation:
    await directory.lock_directory(tx)
    found = await delegations.lock_delegation(tx, delegation_id)
    if found is None:
        raise NoSuchDelegation
    rules.require_say(actor_of(tx), person=found.principal, branch=found.branch)
    return found


async def _lock_absence(tx: Transaction, absence_id: UUID) -> Absence:
    await directory.lock_directory(tx)
    found = await delegations.lock_absence(tx, absence_id)
    if found is None:
        raise NoSuchAbsence
    rules.require_say(actor_of(tx), person=found.person, branch=found.branch)
    return found


async def _change(tx: Transaction, changed: Delegation) -> Delegation:
    await _tell(tx, changed)
    await _require_all_cover(tx, changed.principal, changed.branch)
    return changed


async def _come_back(tx: Transaction, absence: Absence) -> Away:
    await delegations.save_absence(tx, absence)
    found = None if absence.delegation_id is None else await delegations.lock_delegation(tx, absence.delegation_id)
    if found is None or found.cancelled_at is not None or found.period.ends_at <= tx.now:
        return Away(absence, found)
    return Away(absence, await _change(tx, rules.broken_off(found, now=tx.now)))


async def _tell(tx: Transaction, changed: Delegation) -> None:
    await delegations.save_delegation(tx, changed)
    tx.emit(changed.described())


async def _require_all_cover(tx: Transaction, person: str, branch: str) -> None:
    to_come = Period(tx.now, tx.now + rules.LONGEST)
    for absence in (await delegations.standing(tx, branch, to_come)).absences:
        if absence.person == person:
            await _require_cover(tx, absence)


async def _require_cover(tx: Transaction, absence: Absence) -> None:
    branch = await directory.branch_entry(tx, absence.branch)
    assert branch is not None, "the directory has every person's branch"
    covering = (await delegations.standing(tx, absence.branch, absence.period)).delegations
    # Who stands in for others is away from their work, too.
    others = rules.stood_in_for(absence.person, covering, absence.period)
    rules.require_cover(
        absence,
        covering,
        open_cases=await directory.open_cases(tx, [absence.person, *others]),
        time_zone=branch.time_zone,
        now=tx.now,
    )
