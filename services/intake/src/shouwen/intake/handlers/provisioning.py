"""Persons and departments as an identity provider pushes them: it sees those of its branches, not those it deleted."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from shouwen.intake.domain.directory import PROVISIONERS, Department, Person, Stored
from shouwen.intake.handlers import directory as entries
from shouwen.intake.handlers.directory import NoSuchEntry
from shouwen.intake.handlers.shared import person_of
from shouwen.intake.store import directory
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import FieldProblem, Refused
from shouwen.runtime.unit_of_work import Transaction


class AlreadyThere(Refused):
    """There is one of this name already."""


def require_provisioner(tx: Transaction) -> None:
    """Let only an identity provider through.

    Raises:
        Forbidden: the caller is none.
    """
    person_of(tx).require_role(*PROVISIONERS)


async def persons(tx: Transaction, *, protection: Protection, called: str | None = None) -> list[Stored[Person]]:
    """The persons whom a provider sees; with ``called`` those of this id, in whatever case."""
    require_provisioner(tx)
    found = (
        await directory.persons(tx, protection)
        if called is None
        else await directory.persons_called(tx, protection, called)
    )
    return [each for each in found if not each.is_withdrawn]


async def departments(tx: Transaction, *, protection: Protection) -> list[Stored[Department]]:
    """The departments whom a provider sees."""
    require_provisioner(tx)
    return [each for each in await directory.departments(tx, protection) if not each.is_withdrawn]


async def person(tx: Transaction, name: str, *, protection: Protection) -> Stored[Person]:
    """One person, for a change: the directory is locked.

    Raises:
        NoSuchEntry: there is none whom the provider sees.
    """
    require_provisioner(tx)
    await directory.lock_directory(tx)
    found = await directory.persons_named(tx, protection, [name])
    if not found or found[0].is_withdrawn:
        raise NoSuchEntry(field="id")
    return found[0]


async def department(tx: Transaction, branch: str, name: str, *, protection: Protection) -> Stored[Department]:
    """One department, for a change: the directory is locked.

    Raises:
        NoSuchEntry: there is none that the provider sees.
    """
    require_provisioner(tx)
    await directory.lock_directory(tx)
    found = await directory.department_entry(tx, protection, branch=branch, department=name)
    if found is None or found.is_withdrawn:
        raise NoSuchEntry(field="id")
    return found


async def members(tx: Transaction, unit: Department, *, protection: Protection) -> list[Stored[Person]]:
    """Who works in a department."""
    found = await directory.persons(tx, protection, branch=unit.branch, department=unit.department)
    return [each for each in found if not each.is_withdrawn]


async def add_person(tx: Transaction, stored: Stored[Person], *, protection: Protection) -> None:
    """Add a person whom the provider does not see yet; who was deleted before comes back.

    Raises:
        AlreadyThere: there is one of this id, in whatever case.
        Forbidden, EntriesRefused: what else stands against it.
    """
    require_provisioner(tx)
    await directory.lock_directory(tx)
    if await persons(tx, protection=protection, called=stored.entry.person):
        raise AlreadyThere(field="userName")
    await entries.describe_persons(tx, [stored], protection=protection)


async def change_person(tx: Transaction, stored: Stored[Person], *, protection: Protection) -> None:
    """Describe a person anew.

    Raises:
        Forbidden, EntriesRefused: what stands against it.
    """
    await entries.describe_persons(tx, [stored], protection=protection)


async def delete_person(tx: Transaction, name: str, *, protection: Protection) -> None:
    """Let a person leave: they are no longer active, and no provider sees them any more.

    Raises:
        NoSuchEntry, Forbidden: what stands against it.
    """
    stored = await person(tx, name, protection=protection)
    left = stored.entry.model_copy(update={"active": False})
    gone = replace(stored, entry=left, managed_by="scim", is_withdrawn=True)
    await entries.describe_persons(tx, [gone], protection=protection)


async def add_department(
    tx: Transaction, stored: Stored[Department], names: Collection[str] | None, *, protection: Protection
) -> None:
    """Add a department that the provider does not see yet, with who works there.

    Raises:
        AlreadyThere: there is one of this code.
        Forbidden, EntriesRefused: what else stands against it.
    """
    require_provisioner(tx)
    await directory.lock_directory(tx)
    unit = stored.entry
    before = await directory.department_entry(tx, protection, branch=unit.branch, department=unit.department)
    if before is not None and not before.is_withdrawn:
        raise AlreadyThere(field="displayName")
    await change_department(tx, stored, names, protection=protection)


async def change_department(
    tx: Transaction, stored: Stored[Department], names: Collection[str] | None, *, protection: Protection
) -> None:
    """Describe a department anew; with ``names``, let exactly these work there, wherever they worked before.

    Raises:
        Forbidden, EntriesRefused: what stands against it; a person who is not in the branch, too.
    """
    await entries.describe_departments(tx, [stored], protection=protection)
    if names is None:
        return
    unit = stored.entry
    before = {each.entry.person: each for each in await members(tx, unit, protection=protection)}
    coming = await directory.persons_named(tx, protection, sorted(set(names) - before.keys()))
    known = {each.entry.person for each in coming if each.entry.branch == unit.branch and not each.is_withdrawn}
    if set(names) - before.keys() - known:
        problem = FieldProblem("members", "names somebody who is not in the branch", "Push the person first.")
        raise entries.EntriesRefused([[problem]])
    moved = [*_placed(coming, unit.department), *_placed([before[each] for each in before.keys() - set(names)], None)]
    await entries.describe_persons(tx, moved, protection=protection)


async def delete_department(tx: Transaction, branch: str, name: str, *, protection: Protection) -> None:
    """Let a department go: who works there is in none, and no provider sees it any more.

    Raises:
        NoSuchEntry, Forbidden: what stands against it.
    """
    stored = await department(tx, branch, name, protection=protection)
    left = await directory.persons(tx, protection, branch=branch, department=name)
    await entries.describe_persons(tx, _placed(left, None), protection=protection)
    closed = stored.entry.model_copy(update={"active": False})
    gone = replace(stored, entry=closed, managed_by="scim", is_withdrawn=True)
    await entries.describe_departments(tx, [gone], protection=protection)


def _placed(moved: Sequence[Stored[Person]], department: str | None) -> list[Stored[Person]]:
    return [
        replace(each, entry=each.entry.model_copy(update={"department": department}), managed_by="scim")
        for each in moved
    ]
