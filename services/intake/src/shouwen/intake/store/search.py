"""Finding cases: each search goes along the index that narrows it most, and never reads the whole register.

The statements of ``search.sql`` stand alone; the conditions of a search are added at their mark. Conditions that are
not asked for are left out, so that the planner sees what is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.deadline import Deadline
from shouwen.intake.domain.search import Search
from shouwen.intake.store.cases import Filed, filed
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/search.sql")

_MARK = "/* filters */"
_RECENT_CASES = 4000
"""How far back a search for words looks without the index of words. A word that does not fill a page from these is so
rare that the index answers fast; a frequent one would make it sort a large part of the register."""
_MILLISECOND = 80
"""Where in a UUID of version 7 the milliseconds begin, in bits from the right."""

Order = Literal["id", "received", "number"]

_CONDITIONS: Mapping[str, str] = {
    "branch": "c.branch = {}",
    "type": "c.type = {}",
    "state": "c.state = {}",
    "owner": "c.owner = {}",
    "department": "c.department = {}",
    "client_hash": "c.client_identifier_hash = {}",
    "phone_hash": "c.requester_phone_hash = {}",
    "email_hash": "c.requester_email_hash = {}",
    "received_from": "c.received_at >= {}",
    "received_to": "c.received_at <= {}",
}
_DUE = (
    "EXISTS (SELECT FROM case_deadline AS d"
    " WHERE d.branch = c.branch AND d.case_id = c.id AND d.open AND d.due_at < {}::timestamptz)"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ends: the case behind which the next one begins, by each order."""

    id: UUID | None = None
    received_at: datetime | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A case that was found, and the earliest deadline that is open."""

    filed: Filed
    next_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A search as one statement with its arguments."""

    text: str
    arguments: Sequence[object]


def order_of(search: Search) -> Order:
    """In which order a search gives its cases: the newest first, by registration, by receipt, or by number."""
    if search.number is not None:
        return "number"
    narrow = (search.client_hash, search.phone_hash, search.email_hash, search.owner, search.due_before)
    if search.received_to is not None and not search.terms and all(each is None for each in narrow):
        return "received"
    return "id"


def is_by_words(search: Search) -> bool:
    """Whether the index of words leads; where a number, a person or a client is given too, that narrows more."""
    others = (search.number, search.client_hash, search.phone_hash, search.email_hash)
    return bool(search.terms) and all(each is None for each in others)


def statement(search: Search, place: Place, limit: int) -> Statement:
    """The statement of a search that is not led by words; words, if there are any, are for the caller to check."""
    one = (search.client_hash, search.phone_hash, search.email_hash, search.owner)
    match order_of(search):
        case "number":
            return _with_filters(QUERIES.by_number, [limit], search, place)
        case "received":
            return _with_filters(QUERIES.newest_received, [limit], search, place)
        case "id" if any(one):
            return _with_filters(QUERIES.of_one, [limit], search, place)
        case "id" if search.due_before is not None:
            return _with_filters(QUERIES.due, [limit, search.due_before, place.id], search, Place(), without_due=True)
        case "id":
            return _with_filters(QUERIES.newest, [limit], search, place)


def recent_words(search: Search, place: Place, limit: int, grams: Sequence[int]) -> Statement:
    """The statement of a search for words among the newest cases."""
    return _with_filters(QUERIES.recent_words, [limit, list(grams), _RECENT_CASES], search, place)


def words(search: Search, place: Place, limit: int, grams: Sequence[int]) -> Statement:
    """The statement of a search for words in the whole register."""
    return _with_filters(QUERIES.words, [limit, list(grams)], search, place)


async def find(tx: Transaction, asked: Statement) -> list[Hit]:
    """The cases that a statement finds, in its order."""
    rows = await tx.fetch(asked.text, *asked.arguments)
    return [_hit(row) for row in rows]


async def frequent_grams(tx: Transaction) -> frozenset[int]:
    """Pairs of characters that stand in so many texts that they narrow a search little."""
    return frozenset(await tx.fetch_value(QUERIES.frequent_grams) or ())


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a case, and whether it can be found by them."""

    case_id: UUID
    branch: str
    subject: bytes
    description: bytes
    is_found: bool


async def texts_after(tx: Transaction, case_id: UUID, limit: int) -> list[Texts]:
    """The texts of the next cases behind one, in the order of their ids."""
    rows = await tx.fetch(QUERIES.without_text, case_id, limit)
    return [
        Texts(
            case_id=UUID(int=row["id"].int),
            branch=row["branch"],
            subject=row["subject"],
            description=row["description"],
            is_found=row["has_text"],
        )
        for row in rows
    ]


async def add_texts(tx: Transaction, rows: Iterable[tuple[UUID, str, list[int]]]) -> None:
    """Let several cases be found by the words of their texts."""
    await tx.execute_many(QUERIES.add_text, rows)


async def note_deadlines(tx: Transaction, deadlines: Sequence[Deadline]) -> None:
    """Keep what clocks told of when cases are due."""
    await tx.execute(
        QUERIES.note_deadline,
        [each.clock_id for each in deadlines],
        [each.case_id for each in deadlines],
        [each.branch for each in deadlines],
        [each.due_at for each in deadlines],
        [each.is_open for each in deadlines],
        [each.told_at for each in deadlines],
    )


async def next_due_at(tx: Transaction, case: Case) -> datetime | None:
    """The earliest open deadline of a case."""
    return await tx.fetch_value(QUERIES.next_due_at, case.branch, case.id)


def _with_filters(
    text: str, arguments: list[object], search: Search, place: Place, *, without_due: bool = False
) -> Statement:
    conditions: list[str] = []

    def add(condition: str, value: object) -> None:
        arguments.append(value)
        conditions.append(condition.format(f"${len(arguments)}"))

    for name, condition in _CONDITIONS.items():
        if (value := getattr(search, name)) is not None:
            add(condition, value)
    if search.number is not None:
        add("c.number >= {}", search.number)
        add("c.number < {}", search.number[:-1] + chr(ord(search.number[-1]) + 1))
    if search.received_from is not None:
        # A case is registered when it was received or later, and its id begins with that time.
        add("c.id >= {}", UUID(int=max(int(search.received_from.timestamp() * 1000), 0) << _MILLISECOND))
    if search.due_before is not None and not without_due:
        add(_DUE, search.due_before)
    if place.received_at is not None:
        arguments += [place.received_at, place.id]
        conditions.append(f"(c.received_at, c.id) < (${len(arguments) - 1}, ${len(arguments)})")
    elif place.number is not None:
        add("c.number < {}", place.number)
    elif place.id is not None:
        add("c.id < {}", place.id)
    return Statement(text.replace(_MARK, "".join(f" AND {condition}" for condition in conditions)), arguments)


def _hit(row: asyncpg.Record) -> Hit:
    return Hit(filed=filed(row), next_due_at=row["next_due_at"])
