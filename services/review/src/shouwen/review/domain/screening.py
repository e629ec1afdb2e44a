"""Holding a client against the list (V-05): by identifier it is proof, by name it is a question for a person."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from shouwen.contracts.client import Hit
from shouwen.review.domain.identity import Kind
from shouwen.review.domain.naming import is_near

MOST_HITS = 20
"""More near names than this help nobody."""


@dataclass(frozen=True, slots=True)
class SameIdentifier:
    """A standing entry with the very identifier."""

    id: UUID
    reason_code: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A standing entry whose name the database finds similar; ``name`` is comparable, ``similarity`` 0 to 1."""

    id: UUID
    kind: Kind
    name: str
    reason_code: str
    similarity: float


def hits(name: str | None, same: Iterable[SameIdentifier], candidates: Iterable[Candidate]) -> tuple[Hit, ...]:
    """The entries that a client matches: those with the identifier first, then near names, nearest first.

    Args:
        name: the client's name as ``naming.comparable`` gives it, if known.
        same: the entries with the identifier.
        candidates: the entries with a similar name.
    """
    found = [Hit(list_entry_id=each.id, match="identifier", reason_code=each.reason_code) for each in same]
    known = {hit.list_entry_id for hit in found}
    near = [
        each
        for each in candidates
        if name and each.id not in known and is_near(name, each.name, similarity=each.similarity, kind=each.kind)
    ]
    near.sort(key=lambda each: (-each.similarity, str(each.id)))
    found += [Hit(list_entry_id=each.id, match="name", reason_code=each.reason_code) for each in near[:MOST_HITS]]
    return tuple(found)
