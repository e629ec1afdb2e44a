"""What notify keeps: one function for each named query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg

from shouwen.contracts.directory import BranchEntry, DelegationDescribed, PersonEntry
from shouwen.notify.domain.delivery import DeliveryState
from shouwen.notify.domain.directory import Branch, Person
from shouwen.notify.domain.wording import LANGUAGES, Language, Text
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.notify")

DEFAULT_ZONE = "Asia/Shanghai"
"""The zone of a branch that the directory has not described."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told to one recipient because of one cause."""

    id: UUID
    branch: str
    subject: str
    cause_source: str
    cause: str
    cause_type: str
    recipient: str
    reason: str
    template: str
    texts: Mapping[Language, Text]
    link: str
    traceparent: str | None
    created_at: datetime
    requested_at: datetime | None = None
    """When a notice to a requester was asked for, whose words rest in ``sealed_texts``."""
    sealed_texts: bytes | None = None
    address: bytes | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An e-mail in hand: what to send, to which (encrypted) address, and which attempt this is."""

    delivery: UUID
    message: UUID
    attempts: int
    pending_since: datetime
    branch: str
    subject: str
    cause_source: str
    cause: str
    recipient: str
    template: str
    texts: Mapping[Language, Text]
    sealed_texts: bytes | None
    traceparent: str | None
    created_at: datetime
    address: bytes | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as the log shows it: no words, no address."""

    id: UUID
    seq: int
    message_id: UUID
    branch: str
    subject: str
    cause: str
    cause_type: str
    recipient: str
    reason: str
    channel: str
    template: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    sent_at: datetime | None
    failed_at: datetime | None
    next_attempt_at: datetime | None
    error: str | None
    resent_by: str | None
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as its recipient reads it."""

    id: UUID
    seq: int
    branch: str
    subject: str
    cause_type: str
    reason: str
    template: str
    texts: Mapping[Language, Text]
    sealed_texts: bytes | None
    link: str
    created_at: datetime
    read_at: datetime | None
    traceparent: str | None


# --- directory ------------------------------------------------------------------------------------------------------


async def branch(tx: Transaction, code: str, owner: str | None) -> Branch:
    """A branch with its people and who stands in for whom now; one that nobody has described has no people."""
    zone = cast("str | None", await tx.fetch_value(QUERIES.time_zone_of, code))
    rows = await tx.fetch(QUERIES.persons_of, code, owner)
    persons = tuple(
        Person(row["person"], frozenset(row["roles"]), active=row["active"], reachable=row["reachable"]) for row in rows
    )
    delegates: dict[str, tuple[str, ...]] = {}
    for row in await tx.fetch(QUERIES.delegates_of, code, tx.now):
        delegates[row["principal"]] = (*delegates.get(row["principal"], ()), row["delegate"])
    return Branch(code, zone or DEFAULT_ZONE, persons, delegates)


async def save_delegation(tx: Transaction, fact: DelegationDescribed, *, at: datetime) -> None:
    """Keep what the directory stream says about a delegation."""
    await tx.execute(
        QUERIES.save_delegation,
        fact.delegation_id,
        fact.branch,
        fact.principal,
        fact.delegate,
        fact.starts_at,
        fact.ends_at,
        fact.cancelled,
        at,
    )


async def save_branch(tx: Transaction, code: str, time_zone: str, *, at: datetime) -> None:
    """Keep what the directory stream says about a branch."""
    await tx.execute(QUERIES.save_branch, code, time_zone, at)


async def save_person(
    tx: Transaction,
    person: str,
    *,
    branch: str,
    roles: Iterable[str],
    active: bool,
    email: bytes | None,
    at: datetime,
) -> None:
    """Keep what the directory stream says about a person; ``email`` is encrypted."""
    await tx.execute(QUERIES.save_person, person, branch, list(roles), active, email, at)


async def fill_branches(tx: Transaction, branches: Iterable[BranchEntry]) -> None:
    """Take over the branches of the directory file, where the stream has said nothing."""
    await tx.execute_many(QUERIES.fill_branch, [(each.branch, each.time_zone) for each in branches])


async def fill_persons(tx: Transaction, persons: Iterable[tuple[PersonEntry, bytes | None]]) -> None:
    """Take over the persons of the directory file with their encrypted addresses, where the stream has said nothing."""
    rows = [(each.person, each.branch, list(each.roles), each.active, email) for each, email in persons]
    await tx.execute_many(QUERIES.fill_person, rows)


# --- messages -------------------------------------------------------------------------------------------------------


async def add_matter(tx: Transaction, subject: str, *, branch: str, number: str) -> None:
    """Remember what a subject is called."""
    await tx.execute(QUERIES.add_matter, subject, branch, number)


async def hold_matter(tx: Transaction, subject: str) -> datetime | None:
    """Keep erasures of a subject waiting; until when its notices have no words, if any were erased."""
    return cast("datetime | None", await tx.fetch_value(QUERIES.hold_matter, subject))


async def mark_erased(tx: Transaction, subject: str, *, branch: str, number: str, until: datetime) -> None:
    """Keep that notices asked for until then have no words, whenever they are heard."""
    await tx.execute(QUERIES.mark_erased, subject, branch, number, until)


async def erase_notices(tx: Transaction, subject: str, *, until: datetime, words: bytes) -> None:
    """Put ``words`` in the place of those of notices asked for until then, and forget their addresses."""
    await tx.execute(QUERIES.erase_notices, subject, until, words)


async def number_of(tx: Transaction, subject: str) -> str | None:
    """What a subject is called, if it is known."""
    return cast("str | None", await tx.fetch_value(QUERIES.number_of, subject))


async def add_message(tx: Transaction, message: Message) -> bool:
    """Keep a message; False when this cause has told this recipient before."""
    added = await tx.fetch_value(
        QUERIES.add_message,
        message.id,
        message.branch,
        message.subject,
        message.cause_source,
        message.cause,
        message.cause_type,
        message.recipient,
        message.reason,
        message.template,
        {name: {"subject": text.subject, "body": text.body} for name, text in message.texts.items()},
        message.link,
        message.traceparent,
        message.created_at,
        message.sealed_texts,
        message.address,
        message.requested_at,
    )
    return added is not None


async def add_inbox_delivery(tx: Transaction, delivery: UUID, message: Message) -> None:
    """Put the message into its recipient's inbox."""
    await tx.execute(QUERIES.add_inbox_delivery, delivery, *_of(message))


async def add_email_delivery(tx: Transaction, delivery: UUID, message: Message) -> None:
    """Let the message go out by e-mail too."""
    await tx.execute(QUERIES.add_email_delivery, delivery, *_of(message))


def _of(message: Message) -> tuple[object, ...]:
    return (
        message.id,
        message.branch,
        message.subject,
        message.cause_source,
        message.cause,
        message.recipient,
        message.created_at,
    )


# --- sending --------------------------------------------------------------------------------------------------------


async def claim_email(tx: Transaction, *, lease: timedelta) -> Claim | None:
    """Take the e-mail that is due longest; None when none is due."""
    row = await tx.fetch_one(QUERIES.claim_email, lease)
    if row is None:
        return None
    return Claim(
        delivery=row["id"],
        message=row["message_id"],
        attempts=row["attempts"],
        pending_since=row["pending_since"],
        branch=row["branch"],
        subject=row["subject"],
        cause_source=row["cause_source"],
        cause=row["cause"],
        recipient=row["recipient"],
        template=row["template"],
        texts=_texts(row),
        sealed_texts=row["sealed_texts"],
        traceparent=row["traceparent"],
        created_at=row["created_at"],
        address=row["email"],
    )


async def settle_email(
    tx: Transaction,
    claim: Claim,
    state: DeliveryState,
    *,
    next_attempt_at: datetime | None = None,
    sent_at: datetime | None = None,
    failed_at: datetime | None = None,
    error: str | None = None,
) -> bool:
    """Write what became of an attempt; False when somebody else has decided about it meanwhile."""
    settled = await tx.fetch_value(
        QUERIES.settle_email, claim.delivery, claim.attempts, state, next_attempt_at, sent_at, failed_at, error
    )
    return settled is not None


async def give_up_lost(tx: Transaction) -> list[UUID]:
    """Mark the deliveries whose sender has died as uncertain; their ids."""
    return [row["id"] for row in await tx.fetch(QUERIES.give_up_lost)]


# --- looking --------------------------------------------------------------------------------------------------------


async def deliveries(
    tx: Transaction, *, subject: str | None, state: str | None, recipient: str | None, after: int, limit: int
) -> list[Delivery]:
    """Deliveries in the order in which they were made."""
    rows = await tx.fetch(QUERIES.deliveries, subject, state, recipient, after, limit)
    return [Delivery(**dict(row)) for row in rows]


async def delivery_by_id(tx: Transaction, delivery: UUID) -> Delivery | None:
    """One delivery, as far as one may see it."""
    row = await tx.fetch_one(QUERIES.delivery_by_id, delivery)
    return None if row is None else Delivery(**dict(row))


async def resend_email(tx: Transaction, delivery: UUID, *, at: datetime, by: str) -> bool:
    """Make a failed or uncertain e-mail due again; False when it is neither."""
    return await tx.fetch_value(QUERIES.resend_email, delivery, at, by) is not None


async def inbox(
    tx: Transaction, recipients: Sequence[str], *, after: tuple[bool, int] | None, limit: int
) -> list[Letter]:
    """Messages to any of the recipients: unread first, newest first."""
    was_read, seq = after if after is not None else (None, None)
    rows = await tx.fetch(QUERIES.inbox, list(recipients), was_read, seq, limit)
    return [_letter(row) for row in rows]


async def mark_read(
    tx: Transaction, message: UUID, recipients: Sequence[str], *, at: datetime, by: str
) -> datetime | None:
    """Note that a message was read; when it first was, or None when there is no such message for these recipients."""
    row = await tx.fetch_one(QUERIES.mark_read, message, list(recipients), at, by)
    return None if row is None else cast(datetime, row["read_at"])


def _letter(row: asyncpg.Record) -> Letter:
    values: dict[str, Any] = dict(row)
    values["texts"] = _texts(row)
    return Letter(**values)


def _texts(row: asyncpg.Record) -> dict[Language, Text]:
    stored = cast("Mapping[str, Mapping[str, Any]]", row["texts"])
    return {name: Text(stored[name]["subject"], stored[name]["body"]) for name in LANGUAGES if name in stored}
