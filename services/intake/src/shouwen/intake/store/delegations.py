"""Absences, and who stands in."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shouwen.intake.domain.delegation import Absence, Delegation, Period, Post, Standing
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/delegations.sql")


async def post(tx: Transaction, person: str) -> Post | None:
    """What of a person decides whether they can stand in; None also when they are another branch's."""
    row = await tx.fetch_one(QUERIES.post, person)
    if row is None:
        return None
    return Post(person=row["person"], branch=row["branch"], roles=frozenset(row["roles"]), is_active=row["active"])


async def standing(tx: Transaction, branch: str, period: Period) -> Standing:
    """The delegations and absences of a branch that touch a period."""
    bounds = (branch, period.starts_at, period.ends_at)
    return Standing(
        delegations=[_delegation(row) for row in await tx.fetch(QUERIES.standing_delegations, *bounds)],
        absences=[_absence(row) for row in await tx.fetch(QUERIES.standing_absences, *bounds)],
    )


async def add_delegation(tx: Transaction, delegation: Delegation) -> None:
    """Keep a new delegation."""
    await tx.execute(
        QUERIES.add_delegation,
        delegation.id,
        delegation.branch,
        delegation.principal,
        delegation.delegate,
        delegation.period.starts_at,
        delegation.period.ends_at,
        delegation.cancelled_at,
        delegation.named_by,
        delegation.named_at,
    )


async def add_absence(tx: Transaction, absence: Absence) -> None:
    """Keep a new absence."""
    await tx.execute(
        QUERIES.add_absence,
        absence.id,
        absence.branch,
        absence.person,
        absence.period.starts_at,
        absence.period.ends_at,
        absence.cancelled_at,
        absence.delegation_id,
        absence.recorded_by,
        absence.recorded_at,
    )


async def save_delegation(tx: Transaction, delegation: Delegation) -> None:
    """Keep how a delegation ended."""
    await tx.execute(QUERIES.save_delegation, delegation.id, delegation.period.ends_at, delegation.cancelled_at)


async def save_absence(tx: Transaction, absence: Absence) -> None:
    """Keep how an absence ended."""
    await tx.execute(QUERIES.save_absence, absence.id, absence.period.ends_at, absence.cancelled_at)


async def lock_delegation(tx: Transaction, delegation_id: UUID) -> Delegation | None:
    """A delegation for a change; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.lock_delegation, delegation_id)
    return None if row is None else _delegation(row)


async def lock_absence(tx: Transaction, absence_id: UUID) -> Absence | None:
    """An absence for a change; None also when it is another branch's."""
    row = await tx.fetch_one(QUERIES.lock_absence, absence_id)
    return None if row is None else _absence(row)


async def delegations_page(
    tx: Transaction,
    *,
    after: UUID | None,
    limit: int,
    branch: str | None,
    principal: str | None,
    delegate: str | None,
    in_force_at: datetime | None,
) -> list[Delegation]:
    """Delegations below ``after``, the newest first."""
    rows = await tx.fetch(QUERIES.delegations_page, after, branch, principal, delegate, in_force_at, limit)
    return [_delegation(row) for row in rows]


async def absences_page(
    tx: Transaction,
    *,
    after: UUID | None,
    limit: int,
    branch: str | None,
    person: str | None,
    at: datetime | None,
) -> list[Absence]:
    """Absences below ``after``, the newest first."""
    return [_absence(row) for row in await tx.fetch(QUERIES.absences_page, after, branch, person, at, limit)]


async def all_delegations(tx: Transaction) -> list[Delegation]:
    """Every delegation one may see, the oldest first."""
    return [_delegation(row) for row in await tx.fetch(QUERIES.all_delegations)]


async def delegations_of(tx: Transaction, persons: Sequence[str], *, at: datetime) -> list[Delegation]:
    """The delegations, not over at a moment, in which these persons have a part; for a change."""
    return [_delegation(row) for row in await tx.fetch(QUERIES.delegations_of, list(persons), at)]


async def delegates_of(tx: Transaction, person: str, *, at: datetime) -> tuple[str, ...]:
    """Who stands in for a person at a moment: their delegate, that one's delegate, and so on."""
    return tuple(row["delegate"] for row in await tx.fetch(QUERIES.delegates_of, person, at))


async def delegates_named(tx: Transaction, persons: Collection[str], *, at: datetime) -> Mapping[str, str]:
    """Whom each of these persons named to stand in at a moment, if anybody."""
    rows = await tx.fetch(QUERIES.delegates_named, list(persons), at)
    return {row["principal"]: row["delegate"] for row in rows}


def _delegation(row: asyncpg.Record) -> Delegation:
    return Delegation(
        id=UUID(int=row["id"].int),
        branch=row["branch"],
        principal=row["principal"],
        delegate=row["delegate"],
        period=Period(row["starts_at"], row["ends_at"]),
        named_by=row["named_by"],
        named_at=row["named_at"],
        cancelled_at=row["cancelled_at"],
    )


def _absence(row: asyncpg.Record) -> Absence:
    return Absence(
        id=UUID(int=row["id"].int),
        branch=row["branch"],
        person=row["person"],
        period=Period(row["starts_at"], row["ends_at"]),
        recorded_by=row["recorded_by"],
        recorded_at=row["recorded_at"],
        delegation_id=None if row["delegation_id"] is None else UUID(int=row["delegation_id"].int),
        cancelled_at=row["cancelled_at"],
    )
