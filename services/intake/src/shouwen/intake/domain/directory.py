"""Branches, departments and persons: what changed between two states of the directory, and who may change what."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from shouwen.contracts.directory import BranchEntry, DepartmentEntry, PersonEntry
from shouwen.intake.domain.case import CLERKS
from shouwen.runtime.errors import FieldProblem, Forbidden

Branch = BranchEntry
Department = DepartmentEntry
Person = PersonEntry

Entry = TypeVar("Entry", BranchEntry, DepartmentEntry, PersonEntry)

Manager = Literal["file", "api", "scim"]
"""Who keeps an entry up to date: the directory file, people (REST and CSV), an identity provider (SCIM)."""

GROUP_ADMIN = "group_admin"
GENERAL_MANAGER = "general_manager"
ADMINISTRATORS = (GROUP_ADMIN, GENERAL_MANAGER)
"""Roles that keep the directory: for all branches, and for one's own."""
PROVISIONERS = ("scim",)
"""The role of an identity provider that pushes persons and departments."""
CONTACT_ROLES = ("department_head", "manager", "coordinator")
"""Whom a department is asked through; where it has none of them, whoever works on cases there."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[Entry]):
    """An entry as the directory has it, and who keeps it up to date."""

    entry: Entry
    managed_by: Manager
    external_id: str | None = None
    is_withdrawn: bool = False
    """Whether its identity provider has deleted it: no provider sees it any more, and its history stays."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new state of the directory says otherwise than the stored one."""

    branches: tuple[BranchEntry, ...] = ()
    departments: tuple[DepartmentEntry, ...] = ()
    persons: tuple[PersonEntry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.branches or self.departments or self.persons)


def key_of(entry: BranchEntry | DepartmentEntry | PersonEntry) -> str:
    """What an entry is known by: the code of a branch, ``branch/department``, the id of a person."""
    match entry:
        case BranchEntry():
            return entry.branch
        case DepartmentEntry():
            return f"{entry.branch}/{entry.department}"
        case PersonEntry():
            return entry.person


def changes(
    *,
    stored_branches: Iterable[BranchEntry],
    stored_persons: Iterable[PersonEntry],
    branches: Iterable[BranchEntry],
    persons: Iterable[PersonEntry],
    stored_departments: Iterable[DepartmentEntry] = (),
    departments: Iterable[DepartmentEntry] = (),
) -> Changes:
    """New and changed entries. A person or department that is no longer named stays known, as not active."""
    return Changes(
        branches=changed(stored_branches, branches),
        departments=_with_gone(list(stored_departments), list(departments)),
        persons=_with_gone(list(stored_persons), list(persons)),
    )


def changed(stored: Iterable[Entry], entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries that are new or differ from the stored ones."""
    before: Mapping[str, Entry] = {key_of(entry): entry for entry in stored}
    return tuple(entry for entry in entries if before.get(key_of(entry)) != entry)


def gone(before: Iterable[PersonEntry], after: Iterable[PersonEntry]) -> list[str]:
    """The persons who left, or went to another branch: they stand in for nobody there any more, and nobody for them."""
    at_work = {entry.person: entry.branch for entry in before if entry.active}
    return [
        entry.person
        for entry in after
        if entry.person in at_work and (not entry.active or entry.branch != at_work[entry.person])
    ]


def left_to_file(stored: Sequence[Stored[Entry]], entries: Iterable[Entry]) -> tuple[list[Entry], list[Entry]]:
    """What of the stored entries and of the file's the file may change: all that nobody else keeps up to date."""
    others = {key_of(each.entry) for each in stored if each.managed_by != "file"}
    own = [each.entry for each in stored if each.managed_by == "file"]
    return own, [entry for entry in entries if key_of(entry) not in others]


def keeps(*, roles: frozenset[str], branches: frozenset[str], branch: str) -> bool:
    """Whether somebody keeps the directory of a branch: a group administrator any, the others their own."""
    return GROUP_ADMIN in roles or (branch in branches and not roles.isdisjoint({GENERAL_MANAGER, *PROVISIONERS}))


def require_keeper(*, roles: frozenset[str], branches: frozenset[str], branch: str) -> None:
    """Let only those through who keep the directory of the branch.

    Raises:
        Forbidden: the caller does not.
    """
    if not keeps(roles=roles, branches=branches, branch=branch):
        raise Forbidden(
            f"The directory of branch {branch} is kept by its general manager and by group administrators.",
            field="roles",
            remedy=f"Ask somebody with one of the roles {', '.join(ADMINISTRATORS)}.",
        )


def problems_of_person(
    entry: PersonEntry, *, departments: Iterable[DepartmentEntry], gives_group_roles: bool
) -> list[FieldProblem]:
    """What stands against a person as described: an unknown department, a role that is not the describer's to give.

    Args:
        entry: the person.
        departments: those of the person's branch.
        gives_group_roles: whether who describes them may give roles that open every branch.
    """
    problems: list[FieldProblem] = []
    active = sorted(each.department for each in departments if each.branch == entry.branch and each.active)
    if entry.active and entry.department is not None and entry.department not in active:
        problems.append(
            FieldProblem(
                "department",
                f"is no active department of {entry.branch}",
                f"Describe it first, or use one of: {', '.join(active) or 'none yet'}.",
            )
        )
    group_roles = sorted(role for role in entry.roles if role.startswith("group_"))
    if group_roles and not gives_group_roles:
        problems.append(
            FieldProblem(
                "roles", "opens every branch", f"A {GROUP_ADMIN} gives {', '.join(group_roles)}; leave it out."
            )
        )
    return problems


def contacts(persons: Iterable[PersonEntry]) -> list[PersonEntry]:
    """Whom a department is asked through (003 §10(一)5): its heads, or else all who work on cases there."""
    at_work = [each for each in persons if each.active]
    heads = [each for each in at_work if not set(each.roles).isdisjoint(CONTACT_ROLES)]
    return heads or [each for each in at_work if not set(each.roles).isdisjoint(CLERKS)]


def _with_gone(stored: list[Entry], entries: list[Entry]) -> tuple[Entry, ...]:
    named = {key_of(entry): entry for entry in entries}
    gone = [entry.model_copy(update={"active": False}) for entry in stored if key_of(entry) not in named]
    return changed(stored, [*named.values(), *gone])
