"""Branches and persons."""

import asyncpg

from shouwen.intake.domain.directory import Branch, Person
from shouwen.intake.store.protection import Protection
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/directory.sql")


async def branch_entry(tx: Transaction, branch: str) -> Branch | None:
    """A branch, if the directory has it."""
    row = await tx.fetch_one(QUERIES.branch_entry, branch)
    return None if row is None else _branch(row)


async def active_person(tx: Transaction, person: str, branch: str) -> tuple[bool, str | None]:
    """Whether the directory has this person at work in the branch, and their department."""
    row = await tx.fetch_one(QUERIES.person_department, person, branch)
    return (False, None) if row is None else (True, row["department"])


async def lock_directory(tx: Transaction) -> None:
    """Hold back others who bring the directory up to date."""
    await tx.execute(QUERIES.lock_directory)


async def branches(tx: Transaction) -> list[Branch]:
    """The branches one may see."""
    return [_branch(row) for row in await tx.fetch(QUERIES.branches)]


async def persons(tx: Transaction, protection: Protection) -> list[Person]:
    """The persons one may see."""
    return [
        Person(
            person=row["person"],
            branch=row["branch"],
            department=row["department"],
            roles=tuple(row["roles"]),
            active=row["active"],
            name=protection.keys.decrypt(row["name"]),
            email=protection.decrypt(row["email"]),
        )
        for row in await tx.fetch(QUERIES.persons)
    ]


async def save_branch(tx: Transaction, entry: Branch) -> None:
    """Keep a branch as it is described now."""
    await tx.execute(
        QUERIES.save_branch, entry.branch, entry.name, entry.number_prefix, entry.time_zone, list(entry.packs)
    )


async def save_person(tx: Transaction, entry: Person, protection: Protection) -> None:
    """Keep a person as they are described now."""
    await tx.execute(
        QUERIES.save_person,
        entry.person,
        entry.branch,
        entry.department,
        list(entry.roles),
        entry.active,
        protection.encrypt(entry.name),
        protection.encrypt(entry.email),
    )


def _branch(row: asyncpg.Record) -> Branch:
    return Branch(
        branch=row["branch"],
        name=row["name"],
        number_prefix=row["number_prefix"],
        time_zone=row["time_zone"],
        packs=tuple(row["packs"]),
    )
