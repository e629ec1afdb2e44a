"""The directory: who works where, and which department answers what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shouwen.contracts.directory import (
    BranchDescribed,
    BranchEntry,
    DepartmentDescribed,
    DepartmentEntry,
    DirectoryFact,
    DirectoryFile,
    PersonDescribed,
    PersonEntry,
)
from shouwen.intake.domain import directory as rules
from shouwen.intake.domain.directory import Branch, Changes, Department, Person, Stored
from shouwen.intake.handlers import delegations
from shouwen.intake.handlers.shared import person_of
from shouwen.intake.store import directory
from shouwen.intake.store.directory import Place
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import FieldProblem, Invalid, NotFound, Refused
from shouwen.runtime.unit_of_work import Transaction

OPERATOR = "operator"


class NoSuchEntry(NotFound):
    """The directory has no such entry, or it is not of your branch."""


class EntriesRefused(Invalid):
    """The directory cannot take these entries: something in them is wrong.

    Args:
        found: for each entry that was sent, in their order, what is wrong with it.
    """

    def __init__(self, found: Sequence[Sequence[FieldProblem]]) -> None:
        self.found = tuple(tuple(each) for each in found)
        names = ", ".join(dict.fromkeys(each.field for each in self.problems))
        super().__init__(f"Wrong: {names}.", remedy="See errors for each field; nothing was changed.")

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """Each field with what is wrong with it."""
        return tuple(problem for each in self.found for problem in each)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of entries: how many are new, how many say otherwise than before."""

    added: int
    changed: int
    unchanged: int

    @classmethod
    def of(cls, sent: Sequence[object], before: Sequence[object], told: Sequence[object]) -> "Written":
        """Count what was sent, what of it was known before, and what of it was told as new or changed."""
        added = len(sent) - len(before)
        return cls(added=added, changed=len(told) - added, unchanged=len(sent) - len(told))


@dataclass(frozen=True, slots=True)
class DutyHolder:
    """A department that answers a topic, and whom it is asked through."""

    department: Department
    limit_hours: int | None
    contacts: tuple[Person, ...]


# --- the file -------------------------------------------------------------------------------------------------------


async def load_directory(tx: Transaction, file: DirectoryFile, *, protection: Protection) -> Changes:
    """Bring the directory to what the file says, and tell what changed. Who is not in the file is no longer active.

    Entries that people or an identity provider keep up to date stay as they are.
    """
    await directory.lock_directory(tx)
    stored_branches, branches = rules.left_to_file(await directory.branches(tx), file.branches)
    stored_departments, departments = rules.left_to_file(await directory.departments(tx, protection), file.departments)
    stored_persons, persons = rules.left_to_file(await directory.persons(tx, protection), file.persons)
    changed = rules.changes(
        stored_branches=stored_branches,
        stored_departments=stored_departments,
        stored_persons=stored_persons,
        branches=branches,
        departments=departments,
        persons=persons,
    )
    for branch in changed.branches:
        await directory.save_branch(tx, Stored(branch, "file"))
    await directory.save_departments(tx, [Stored(each, "file") for each in changed.departments], protection)
    await directory.save_persons(tx, [Stored(each, "file") for each in changed.persons], protection)
    await delegations.leave(tx, rules.gone(stored_persons, changed.persons))
    for entry in (*changed.branches, *changed.departments, *changed.persons):
        tx.emit(described(entry, protection))
    return changed


# --- by people and by identity providers ----------------------------------------------------------------------------


async def describe_branch(tx: Transaction, stored: Stored[Branch], *, protection: Protection) -> Written:
    """Add a branch, or describe it anew.

    Raises:
        Forbidden: the caller does not keep all branches.
        Refused: another branch has the prefix, or matters are numbered with the old one.
    """
    entry = stored.entry
    person_of(tx).require_role(rules.GROUP_ADMIN)
    await directory.lock_directory(tx)
    if await directory.is_prefix_taken(tx, entry.number_prefix, by_other_than=entry.branch):
        raise Refused(
            "Another branch has this prefix of numbers.",
            field="number_prefix",
            remedy="Choose another; a number names one matter.",
        )
    before = await directory.stored_branch(tx, entry.branch)
    if before and before.entry.number_prefix != entry.number_prefix and await directory.has_numbers(tx, entry.branch):
        raise Refused(
            "Matters of this branch are numbered with its present prefix.",
            field="number_prefix",
            remedy=f"Leave it {before.entry.number_prefix}.",
        )
    await directory.save_branch(tx, stored)
    told = rules.changed([before.entry] if before else [], [entry])
    for changed in told:
        tx.emit(described(changed, protection))
    return Written.of([entry], [before] if before else [], told)


async def describe_departments(
    tx: Transaction, entries: Sequence[Stored[Department]], *, protection: Protection
) -> Written:
    """Add departments, or describe them anew; all or none.

    Raises:
        Forbidden: the caller does not keep one of the branches.
        EntriesRefused: something in them is wrong; it tells of each entry.
    """
    require_keeper(tx, {each.entry.branch for each in entries})
    await directory.lock_directory(tx)
    branches = {each.entry.branch for each in await directory.branches(tx)}
    found = [_unknown_branch(each.entry.branch, branches) for each in entries]
    if any(found):
        raise EntriesRefused(found)
    stored = {rules.key_of(each.entry): each for each in await directory.departments(tx, protection)}
    before = [stored[key] for each in entries if (key := rules.key_of(each.entry)) in stored]
    found = [await _still_at_work(tx, each.entry, stored, protection) for each in entries]
    if any(found):
        raise EntriesRefused(found)
    told = rules.changed([each.entry for each in before], [each.entry for each in entries])
    await directory.save_departments(tx, entries, protection)
    for entry in told:
        tx.emit(described(entry, protection))
    return Written.of(entries, before, told)


async def describe_persons(tx: Transaction, entries: Sequence[Stored[Person]], *, protection: Protection) -> Written:
    """Add persons, or describe them anew; all or none.

    Raises:
        Forbidden: the caller does not keep one of the branches.
        EntriesRefused: something in them is wrong; it tells of each entry.
    """
    require_keeper(tx, {each.entry.branch for each in entries})
    await directory.lock_directory(tx)
    before = await directory.persons_named(tx, protection, [each.entry.person for each in entries])
    # Who moves somebody takes them from a branch, too.
    require_keeper(tx, {each.entry.branch for each in before})
    known = {each.entry.person for each in before}
    branches = {each.entry.branch for each in await directory.branches(tx)}
    new = [each.entry for each in entries if each.entry.person not in known and each.entry.branch in branches]
    taken = {each.person for each in new} - await directory.claim_persons(tx, new)
    departments = [each.entry for each in await directory.departments(tx, protection)]
    gives_group_roles = rules.GROUP_ADMIN in person_of(tx).roles
    found = [
        [
            *_unknown_branch(each.entry.branch, branches),
            *rules.problems_of_person(each.entry, departments=departments, gives_group_roles=gives_group_roles),
            *([_TAKEN] if each.entry.person in taken else []),
        ]
        for each in entries
    ]
    if any(found):
        raise EntriesRefused(found)
    told = rules.changed([each.entry for each in before], [each.entry for each in entries])
    await directory.save_persons(tx, entries, protection)
    await delegations.leave(tx, rules.gone([each.entry for each in before], told))
    for entry in told:
        tx.emit(described(entry, protection))
    return Written.of(entries, before, told)


def require_keeper(tx: Transaction, branches: Iterable[str]) -> None:
    """Let only those through who keep the directory of these branches.

    Raises:
        Forbidden: the caller does not keep one of them.
    """
    principal = person_of(tx)
    for branch in sorted(branches):
        rules.require_keeper(roles=principal.roles, branches=principal.branches, branch=branch)


_TAKEN = FieldProblem("person", "is the id of somebody in another branch", "Ask a group administrator to move them.")


async def _still_at_work(
    tx: Transaction, unit: Department, stored: Mapping[str, Stored[Department]], protection: Protection
) -> list[FieldProblem]:
    before = stored.get(rules.key_of(unit))
    if unit.active or before is None or not before.entry.active:
        return []
    persons = await directory.persons(tx, protection, branch=unit.branch, department=unit.department, active=True)
    remedy = "Describe them in another department first: GET /api/persons?department=…&active=true lists them."
    return [FieldProblem("active", f"has {len(persons)} persons at work", remedy)] if persons else []


def _unknown_branch(branch: str, branches: set[str]) -> list[FieldProblem]:
    remedy = f"Use one of: {', '.join(sorted(branches)) or 'none yet'}."
    return [] if branch in branches else [FieldProblem("branch", "is not in the directory", remedy)]


# --- reading --------------------------------------------------------------------------------------------------------


async def show_directory(
    tx: Transaction, *, protection: Protection
) -> tuple[list[Branch], list[Department], list[Person]]:
    """The caller's branches, their departments, and who works there."""
    return (
        [each.entry for each in await directory.branches(tx)],
        [each.entry for each in await directory.departments(tx, protection)],
        [each.entry for each in await directory.persons(tx, protection)],
    )


async def list_branches(tx: Transaction, place: Place) -> list[Stored[Branch]]:
    """A part of the caller's branches."""
    return await directory.branches(tx, place)


async def list_departments(
    tx: Transaction,
    place: Place,
    *,
    branch: str | None,
    topic: str | None,
    active: bool | None,
    protection: Protection,
) -> list[Stored[Department]]:
    """A part of the departments of the caller's branches."""
    return await directory.departments(tx, protection, place, branch=branch, topic=topic, active=active)


async def list_persons(
    tx: Transaction,
    place: Place,
    *,
    branch: str | None,
    department: str | None,
    role: str | None,
    active: bool | None,
    protection: Protection,
) -> list[Stored[Person]]:
    """A part of the persons of the caller's branches."""
    return await directory.persons(
        tx, protection, place, branch=branch, department=department, role=role, active=active
    )


async def show_person(tx: Transaction, person: str, *, protection: Protection) -> tuple[Stored[Person], bool, int]:
    """A person, whether the caller sees their contact, and how many open cases they are responsible for.

    Raises:
        NoSuchEntry: there is none of this id in the caller's branches.
    """
    found = await directory.persons_named(tx, protection, [person])
    if not found:
        raise NoSuchEntry(field="person", remedy="GET /api/persons lists the persons of your branches.")
    caller = person_of(tx)
    sees_contact = caller.person == person or rules.keeps(
        roles=caller.roles, branches=caller.branches, branch=found[0].entry.branch
    )
    return found[0], sees_contact, await directory.open_cases(tx, [person])


async def who_answers(
    tx: Transaction, topic: str, *, branch: str | None, place: Place, protection: Protection
) -> list[DutyHolder]:
    """The departments that answer a topic, and whom each is asked through (003 §7(三), §10(一)5)."""
    holders: list[DutyHolder] = []
    for stored in await directory.departments(tx, protection, place, branch=branch, topic=topic, active=True):
        unit = stored.entry
        persons = await directory.persons(tx, protection, branch=unit.branch, department=unit.department, active=True)
        [limit] = [duty.limit_hours for duty in unit.duties if duty.topic == topic]
        contacts = rules.contacts([each.entry for each in persons])
        holders.append(DutyHolder(department=unit, limit_hours=limit, contacts=tuple(contacts)))
    return holders


# --- telling --------------------------------------------------------------------------------------------------------


async def republish(tx: Transaction, *, protection: Protection) -> int:
    """Tell every entry of the caller's branches once more, for a directory stream that was lost.

    Returns:
        How many entries.

    Raises:
        Forbidden: the caller is no operator.
    """
    person_of(tx).require_role(OPERATOR)
    await directory.lock_directory(tx)
    branches, departments, persons = await show_directory(tx, protection=protection)
    for entry in (*branches, *departments, *persons):
        tx.emit(described(entry, protection))
    return len(branches) + len(departments) + len(persons) + await delegations.republish(tx)


def described(entry: Branch | Department | Person, protection: Protection) -> DirectoryFact:
    """The fact that tells of an entry as it is now."""
    match entry:
        case BranchEntry():
            return BranchDescribed(
                branch=entry.branch,
                name=entry.name,
                number_prefix=entry.number_prefix,
                time_zone=entry.time_zone,
                packs=entry.packs,
            )
        case DepartmentEntry():
            return DepartmentDescribed(
                branch=entry.branch,
                department=entry.department,
                name=entry.name,
                duties=entry.duties,
                active=entry.active,
            )
        case PersonEntry():
            return PersonDescribed(
                branch=entry.branch,
                person=entry.person,
                department=entry.department,
                roles=entry.roles,
                active=entry.active,
                contact=_contact(entry, protection),
            )


def _contact(person: Person, protection: Protection) -> str:
    claims = {"name": person.name, "email": person.email, "phone": person.phone}
    return protection.seal.seal({name: value for name, value in claims.items() if value})
