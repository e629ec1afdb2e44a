"""What requesters were given, and what is to follow."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from shouwen.intake.domain.remedy import FollowUp, GivenRemedy
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/remedy.sql")


@dataclass(frozen=True, slots=True)
class WrittenRemedy:
    """A remedy with its words, encrypted."""

    remedy: GivenRemedy
    words: bytes | None


@dataclass(frozen=True, slots=True)
class WrittenFollowUp:
    """A follow-up with its words, encrypted."""

    follow_up: FollowUp
    words: bytes | None


async def add_remedy(tx: Transaction, remedy: GivenRemedy, words: bytes | None) -> None:
    """Keep what a requester was given, for ever."""
    await tx.execute(
        QUERIES.add_remedy,
        remedy.id,
        remedy.case_id,
        remedy.branch,
        remedy.remedy,
        remedy.amount,
        words,
        remedy.given_at,
        remedy.recorded_by,
    )


async def remedies(tx: Transaction, case_id: UUID) -> list[WrittenRemedy]:
    """What the requester of a case was given, the oldest first."""
    return [
        WrittenRemedy(
            remedy=GivenRemedy(
                id=UUID(int=row["id"].int),
                case_id=case_id,
                branch=row["branch"],
                remedy=row["remedy"],
                amount=row["amount"],
                given_at=row["given_at"],
                recorded_by=row["recorded_by"],
            ),
            words=row["words"],
        )
        for row in await tx.fetch(QUERIES.remedies, case_id)
    ]


async def add_follow_up(tx: Transaction, follow_up: FollowUp) -> None:
    """Keep what is to follow."""
    await tx.execute(
        QUERIES.add_follow_up,
        follow_up.id,
        follow_up.case_id,
        follow_up.branch,
        follow_up.reason,
        follow_up.owner,
        follow_up.due_at,
        follow_up.opened_at,
    )


async def follow_ups(tx: Transaction, case_id: UUID) -> list[WrittenFollowUp]:
    """What is to follow after a case, the oldest first."""
    return [
        WrittenFollowUp(follow_up=_follow_up(row), words=row["words"])
        for row in await tx.fetch(QUERIES.follow_ups, case_id)
    ]


async def follow_up(tx: Transaction, case_id: UUID, follow_up_id: UUID) -> FollowUp | None:
    """One thing that is to follow after this case."""
    row = await tx.fetch_one(QUERIES.follow_up, case_id, follow_up_id)
    return None if row is None else _follow_up(row)


@dataclass(frozen=True, slots=True)
class ThingToDo:
    """A corrective action or a follow-up that somebody still owes."""

    id: UUID
    kind: Literal["corrective_action", "follow_up"]
    number: str
    owner: str
    due_at: datetime


async def things_to_do(
    tx: Transaction,
    *,
    branch: str | None,
    owner: str | None,
    due_before: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[ThingToDo]:
    """What is still owed after rulings, remedies and surveys, the earliest due first."""
    at, id_ = after or (None, None)
    return [
        ThingToDo(
            id=UUID(int=row["id"].int),
            kind=row["kind"],
            number=row["number"],
            owner=row["owner"],
            due_at=row["due_at"],
        )
        for row in await tx.fetch(QUERIES.things_to_do, branch, owner, due_before, at, id_, limit)
    ]


async def finish_follow_up(tx: Transaction, follow_up: FollowUp, words: bytes | None) -> None:
    """Keep that the requester was followed up."""
    await tx.execute(QUERIES.finish_follow_up, follow_up.id, follow_up.done_at, follow_up.done_by, words)


def _follow_up(row: asyncpg.Record) -> FollowUp:
    return FollowUp(
        id=UUID(int=row["id"].int),
        case_id=UUID(int=row["case_id"].int),
        branch=row["branch"],
        reason=row["reason"],
        owner=row["owner"],
        due_at=row["due_at"],
        opened_at=row["opened_at"],
        done_at=row["done_at"],
        done_by=row["done_by"],
    )
