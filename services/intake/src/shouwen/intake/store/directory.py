"""Branches, departments and persons."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import asyncpg

from shouwen.contracts.directory import Duty
from shouwen.intake.domain.directory import Branch, Department, Person, Stored
from shouwen.intake.domain.life_cycle import OPEN_STATES
from shouwen.intake.store.protection import Protection
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/directory.sql")


@dataclass(frozen=True, slots=True)
class Place:
    """Which part of a list: after this place, at most so many; None for all of it."""

    after: str | None = None
    limit: int | None = None


WHOLE = Place()


async def branch_entry(tx: Transaction, branch: str) -> Branch | None:
    """A branch, if the directory has it."""
    stored = await stored_branch(tx, branch)
    return None if stored is None else stored.entry


async def stored_branch(tx: Transaction, branch: str) -> Stored[Branch] | None:
    """A branch, and who keeps it up to date."""
    row = await tx.fetch_one(QUERIES.branch_entry, branch)
    return None if row is None else _branch(row)


async def active_person(tx: Transaction, person: str, branch: str) -> tuple[bool, str | None]:
    """Whether the directory has this person at work in the branch, and their department."""
    row = await tx.fetch_one(QUERIES.person_department, person, branch)
    return (False, None) if row is None else (True, row["department"])


async def lock_directory(tx: Transaction) -> None:
    """Hold back others who change the directory: what stands against a change stays as it was read."""
    await tx.execute(QUERIES.lock_directory)


async def branches(tx: Transaction, place: Place = WHOLE) -> list[Stored[Branch]]:
    """The branches one may see."""
    return [_branch(row) for row in await tx.fetch(QUERIES.branches, place.after, place.limit)]


async def departments(
    tx: Transaction,
    protection: Protection,
    place: Place = WHOLE,
    *,
    branch: str | None = None,
    topic: str | None = None,
    active: bool | None = None,
) -> list[Stored[Department]]:
    """The departments one may see; a place among them is ``branch/department``."""
    of_branch, _, department = (place.after or "").partition("/")
    after = (of_branch, department) if place.after else (None, None)
    rows = await tx.fetch(QUERIES.departments, *after, branch, topic, active, place.limit)
    return [_department(row, protection) for row in rows]


async def department_entry(
    tx: Transaction, protection: Protection, *, branch: str, department: str
) -> Stored[Department] | None:
    """A department, if the directory has it."""
    row = await tx.fetch_one(QUERIES.department_entry, branch, department)
    return None if row is None else _department(row, protection)


async def persons(
    tx: Transaction,
    protection: Protection,
    place: Place = WHOLE,
    *,
    branch: str | None = None,
    department: str | None = None,
    role: str | None = None,
    active: bool | None = None,
) -> list[Stored[Person]]:
    """The persons one may see."""
    rows = await tx.fetch(QUERIES.persons, place.after, branch, department, role, active, place.limit)
    return [_person(row, protection) for row in rows]


async def persons_named(tx: Transaction, protection: Protection, names: Sequence[str]) -> list[Stored[Person]]:
    """The persons of these ids, as far as one may see them."""
    return [_person(row, protection) for row in await tx.fetch(QUERIES.persons_named, list(names))]


async def persons_called(tx: Transaction, protection: Protection, name: str) -> list[Stored[Person]]:
    """The persons of this id in whatever case, as far as one may see them."""
    return [_person(row, protection) for row in await tx.fetch(QUERIES.persons_called, name)]


async def is_prefix_taken(tx: Transaction, prefix: str, *, by_other_than: str) -> bool:
    """Whether another branch, as far as one may see it, has this prefix of numbers."""
    return cast(bool, await tx.fetch_value(QUERIES.is_prefix_taken, prefix, by_other_than))


async def has_numbers(tx: Transaction, branch: str) -> bool:
    """Whether matters are registered in the branch."""
    return cast(bool, await tx.fetch_value(QUERIES.has_numbers, branch))


async def claim_persons(tx: Transaction, entries: Sequence[Person]) -> set[str]:
    """Take the ids of new persons for their branches; the answer has those that were free."""
    names, of_branches = [each.person for each in entries], [each.branch for each in entries]
    return {row["person"] for row in await tx.fetch(QUERIES.claim_persons, names, of_branches)}


async def open_cases(tx: Transaction, persons: Sequence[str]) -> int:
    """How many open cases these persons are responsible for."""
    return cast(int, await tx.fetch_value(QUERIES.open_cases, list(persons), sorted(OPEN_STATES)))


async def save_branch(tx: Transaction, stored: Stored[Branch]) -> None:
    """Keep a branch as it is described now."""
    entry = stored.entry
    await tx.execute(
        QUERIES.save_branch,
        entry.branch,
        entry.name,
        entry.number_prefix,
        entry.time_zone,
        list(entry.packs),
        stored.managed_by,
    )


async def save_departments(tx: Transaction, entries: Sequence[Stored[Department]], protection: Protection) -> None:
    """Keep departments as they are described now."""
    await tx.execute_many(
        QUERIES.save_department,
        [
            (
                each.entry.branch,
                each.entry.department,
                each.entry.name,
                [duty.model_dump() for duty in each.entry.duties],
                each.entry.active,
                each.managed_by,
                protection.encrypt(each.external_id),
                each.is_withdrawn,
            )
            for each in entries
        ],
    )


async def save_persons(tx: Transaction, entries: Sequence[Stored[Person]], protection: Protection) -> None:
    """Keep persons as they are described now."""
    await tx.execute_many(
        QUERIES.save_person,
        [
            (
                each.entry.person,
                each.entry.branch,
                each.entry.department,
                list(each.entry.roles),
                each.entry.active,
                protection.encrypt(each.entry.name),
                protection.encrypt(each.entry.email),
                protection.encrypt(each.entry.phone),
                each.managed_by,
                protection.encrypt(each.external_id),
                each.is_withdrawn,
            )
            for each in entries
        ],
    )


def _branch(row: asyncpg.Record) -> Stored[Branch]:
    entry = Branch(
        branch=row["branch"],
        name=row["name"],
        number_prefix=row["number_prefix"],
        time_zone=row["time_zone"],
        packs=tuple(row["packs"]),
    )
    return Stored(entry=entry, managed_by=row["managed_by"])


def _department(row: asyncpg.Record, protection: Protection) -> Stored[Department]:
    entry = Department(
        branch=row["branch"],
        department=row["department"],
        name=row["name"],
        duties=tuple(Duty.model_validate(each) for each in row["duties"]),
        active=row["active"],
    )
    return Stored(
        entry=entry,
        managed_by=row["managed_by"],
        external_id=protection.decrypt(row["external_id"]),
        is_withdrawn=row["withdrawn"],
    )


def _person(row: asyncpg.Record, protection: Protection) -> Stored[Person]:
    entry = Person(
        person=row["person"],
        branch=row["branch"],
        department=row["department"],
        roles=tuple(row["roles"]),
        active=row["active"],
        name=protection.keys.decrypt(row["name"]),
        email=protection.decrypt(row["email"]),
        phone=protection.decrypt(row["phone"]),
    )
    return Stored(
        entry=entry,
        managed_by=row["managed_by"],
        external_id=protection.decrypt(row["external_id"]),
        is_withdrawn=row["withdrawn"],
    )
