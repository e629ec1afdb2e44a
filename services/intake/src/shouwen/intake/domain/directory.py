"""Branches and persons, and what changed between two states of the directory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from shouwen.contracts.directory import BranchEntry, PersonEntry

Branch = BranchEntry
Person = PersonEntry

Entry = TypeVar("Entry", BranchEntry, PersonEntry)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a new directory file says otherwise than the stored directory."""

    branches: tuple[BranchEntry, ...]
    persons: tuple[PersonEntry, ...]

    def __bool__(self) -> bool:
        return bool(self.branches or self.persons)


def changes(
    *,
    stored_branches: Iterable[BranchEntry],
    stored_persons: Iterable[PersonEntry],
    branches: Iterable[BranchEntry],
    persons: Iterable[PersonEntry],
) -> Changes:
    """New and changed entries. A person who is no longer in the file stays known, as not active."""
    named = {entry.person: entry for entry in persons}
    before = {entry.person: entry for entry in stored_persons}
    gone = (entry.model_copy(update={"active": False}) for name, entry in before.items() if name not in named)
    return Changes(
        branches=_changed({entry.branch: entry for entry in stored_branches}, branches, "branch"),
        persons=_changed(before, [*named.values(), *gone], "person"),
    )


def _changed(before: Mapping[str, Entry], after: Iterable[Entry], key: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in after if before.get(getattr(entry, key)) != entry)
