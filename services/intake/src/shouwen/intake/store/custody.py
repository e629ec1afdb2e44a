"""Who had a case when, and the offers to hand it over."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.custody import HeardClock, Holding, Offer, Passing, StandingIn
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/custody.sql")


@dataclass(frozen=True, slots=True)
class FiledOffer:
    """An offer with its words and phone, as they rest."""

    offer: Offer
    reason: bytes
    phone: bytes | None
    answer: bytes | None


async def pass_on(tx: Transaction, case: Case, passing: Passing) -> None:
    """End the last link of the chain, begin the next with whom the case is now, and drop an offer that stands."""
    await tx.execute(QUERIES.end_custody, case.id, passing.at)
    if passing.begins is not None:
        await tx.execute(
            QUERIES.begin_custody, case.id, case.branch, case.owner, case.department, passing.at, passing.begins
        )
    await tx.execute(QUERIES.overtake_offers, case.id, tx.now)


async def chain(tx: Transaction, case_id: UUID) -> list[Holding]:
    """Who had the case, the first one first."""
    return [
        Holding(row["person"], row["department"], row["since"], row["until"], row["how"])
        for row in await tx.fetch(QUERIES.chain, case_id)
    ]


async def add_offer(tx: Transaction, case: Case, offer: Offer, *, phone: bytes | None, reason: bytes) -> None:
    """Keep a new offer."""
    await tx.execute(
        QUERIES.add_offer,
        offer.id,
        case.id,
        case.branch,
        offer.offered_by,
        offer.owner,
        offer.receiver,
        offer.department,
        phone,
        reason,
        offer.offered_at,
        offer.answer_until,
    )


async def open_offer(tx: Transaction, case_id: UUID) -> FiledOffer | None:
    """The offer that is not answered yet, perhaps beyond its time; the case is to be locked before."""
    row = await tx.fetch_one(QUERIES.open_offer, case_id)
    return None if row is None else _offer(row)


async def offers(tx: Transaction, case_id: UUID) -> list[FiledOffer]:
    """The offers of a case, the first one first."""
    return [_offer(row) for row in await tx.fetch(QUERIES.offers, case_id)]


@dataclass(frozen=True, slots=True)
class WaitingOffer:
    """An offer that waits for an answer, with its case."""

    number: str
    subject: bytes
    filed: FiledOffer


async def waiting_offers(tx: Transaction, person: str, *, after: UUID | None, limit: int) -> list[WaitingOffer]:
    """What waits for an answer of a person, or of somebody for whom they stand in, the oldest first."""
    return [
        WaitingOffer(row["number"], row["subject"], _offer(row))
        for row in await tx.fetch(QUERIES.waiting_offers, person, tx.now, after, limit)
    ]


async def answer_offer(tx: Transaction, offer: Offer, *, answer: bytes | None) -> None:
    """Keep what became of an offer."""
    await tx.execute(QUERIES.answer_offer, offer.id, offer.state, offer.answered_at, answer)


async def lapsed_cases(tx: Transaction, limit: int) -> Sequence[UUID]:
    """Cases with an offer whose time is over and that is not settled yet."""
    return [UUID(int=row["case_id"].int) for row in await tx.fetch(QUERIES.lapsed_cases, limit)]


async def standing_in(tx: Transaction, case_id: UUID) -> list[StandingIn]:
    """When somebody stood in for one of the persons who had the case."""
    return [StandingIn(**dict(row)) for row in await tx.fetch(QUERIES.standing_in, case_id)]


async def heard_clocks(tx: Transaction, case_id: UUID) -> list[HeardClock]:
    """What sla told about the clocks of a case, in the order of time."""
    return [
        HeardClock(row["type"], json.loads(row["details"])) for row in await tx.fetch(QUERIES.heard_clocks, case_id)
    ]


def _offer(row: asyncpg.Record) -> FiledOffer:
    offer = Offer(
        id=UUID(int=row["id"].int),
        offered_by=row["offered_by"],
        owner=row["owner"],
        receiver=row["receiver"],
        department=row["department"],
        offered_at=row["offered_at"],
        answer_until=row["answer_until"],
        state=row["state"],
        answered_at=row["answered_at"],
    )
    return FiledOffer(offer=offer, reason=row["reason"], phone=row["phone"], answer=row["answer"])
