"""What notify does: each function loads, lets the domain decide, saves, and emits. None commits or publishes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import quote
from uuid import UUID

from shouwen.contracts.case import CaseAssigned, CaseRegistered
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, EscalationRaised
from shouwen.contracts.directory import BranchDescribed, DirectoryFile, PersonDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.message import MessageFailed, MessageSent
from shouwen.notify import store
from shouwen.notify.domain import audience, delivery
from shouwen.notify.domain.audience import Telling, Told
from shouwen.notify.domain.delivery import Outcome, Patience
from shouwen.notify.domain.directory import ROLE_PREFIX, Branch
from shouwen.notify.domain.wording import Template
from shouwen.notify.store import Claim, Delivery, Letter, Message
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import NotFound, Refused
from shouwen.runtime.privacy import KeyRing, Seal
from shouwen.runtime.unit_of_work import Transaction

SOURCE = "/shouwen/notify"


@dataclass(frozen=True, slots=True)
class Office:
    """What is needed to word and address messages.

    ``intake_url`` and ``sla_url`` are addresses as people reach them; ``sends_email`` is False without a mail server.
    """

    templates: Mapping[str, Template]
    intake_url: str
    sla_url: str
    sends_email: bool
    keys: KeyRing
    seal: Seal


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that makes us tell somebody something."""

    source: str
    id: str
    type: str


class NoSuchDelivery(NotFound):
    """There is no such delivery, or it is not of your branch."""


class NoSuchMessage(NotFound):
    """There is no such message for you."""


class NotResendable(Refused):
    """Only failed and uncertain e-mails can be sent again."""

    def __init__(self, found: Delivery) -> None:
        super().__init__(
            f"This delivery by {found.channel} is {found.state}; only failed and uncertain e-mails can be sent again.",
            field="state",
            remedy="Nothing is to be done: what is pending is sent by itself.",
        )


# --- what was heard -------------------------------------------------------------------------------------------------


async def tell(event: CloudEvent[Told], tx: Transaction, office: Office) -> None:
    """Tell those concerned of a fact, each once."""
    fact = event.data
    owner = fact.owner if isinstance(fact, (CaseRegistered, CaseAssigned)) else fact.responsible.owner
    branch = await store.branch(tx, fact.branch, owner)
    subject, number = await _called(tx, fact)
    values = {**_values(fact), "number": number or subject, "is_case": number is not None}
    await _tell(
        tx,
        office,
        audience.telling(fact, branch),
        cause=Cause(event.source, event.id, event.type),
        branch=branch,
        subject=subject,
        number=number,
        values=values,
        traceparent=telemetry.current_traceparent() or event.traceparent,
    )


async def describe_branch(event: CloudEvent[BranchDescribed], tx: Transaction) -> None:
    """Keep what the directory says about a branch."""
    await store.save_branch(tx, event.data.branch, event.data.time_zone, at=event.time)


async def describe_person(event: CloudEvent[PersonDescribed], tx: Transaction, office: Office) -> None:
    """Keep what the directory says about a person; of the sealed contact only the address, encrypted.

    Raises:
        Unreadable: the contact was sealed with another key.
    """
    fact = event.data
    email = office.seal.open(fact.contact).get("email") if fact.contact else None
    await store.save_person(
        tx,
        fact.person,
        branch=fact.branch,
        roles=fact.roles,
        active=fact.active,
        email=office.keys.encrypt(email) if email else None,
        at=event.time,
    )


async def fill_directory(tx: Transaction, file: DirectoryFile, keys: KeyRing) -> None:
    """Take over the directory file, where the directory stream has said nothing."""
    await store.fill_branches(tx, file.branches)
    persons = [(each, keys.encrypt(each.email) if each.email else None) for each in file.persons]
    await store.fill_persons(tx, persons)


async def _called(tx: Transaction, fact: Told) -> tuple[str, str | None]:
    if isinstance(fact, (CaseRegistered, CaseAssigned)):
        subject = f"case/{fact.case_id}"
        await store.add_matter(tx, subject, branch=fact.branch, number=fact.number)
        return subject, fact.number
    return fact.timed_subject, await store.number_of(tx, fact.timed_subject)


def _values(fact: Told) -> dict[str, Any]:
    match fact:
        case CaseRegistered():
            values: dict[str, Any] = {"case_type": fact.case_type}
            return values | ({"due": fact.promised_at} if fact.promised_at else {})
        case CaseAssigned():
            return {}
        case ClockAtRisk() | ClockBreached():
            return {"target": fact.target, "clause": fact.clause, "due": fact.due_at}
        case EscalationRaised():
            return {"target": fact.target, "clause": fact.clause, "due": fact.due_at, "level": fact.level}


async def _tell(
    tx: Transaction,
    office: Office,
    telling: Telling,
    *,
    cause: Cause,
    branch: Branch,
    subject: str,
    number: str | None,
    values: Mapping[str, Any],
    traceparent: str | None,
    by_email: bool = True,
) -> None:
    template = office.templates[telling.template]
    link = (
        f"{office.intake_url}/api/cases/{quote(number)}"
        if number is not None
        else f"{office.sla_url}/api/clocks?subject={quote(subject, safe='')}"
    )
    for address in telling.addresses:
        role = address.reason.removeprefix(ROLE_PREFIX) if address.reason.startswith(ROLE_PREFIX) else ""
        message = Message(
            id=delivery.message_id(cause.source, cause.id, address.recipient),
            branch=branch.branch,
            subject=subject,
            cause_source=cause.source,
            cause=cause.id,
            cause_type=cause.type,
            recipient=address.recipient,
            reason=address.reason,
            template=telling.template,
            texts=template.render({**values, "role": role, "link": link}, time_zone=branch.time_zone),
            link=link,
            traceparent=traceparent,
            created_at=tx.now,
        )
        if not await store.add_message(tx, message):
            continue
        inbox = delivery.delivery_id(message.id, "inbox")
        await store.add_inbox_delivery(tx, inbox, message)
        tx.emit(
            MessageSent(
                branch=message.branch,
                message_id=message.id,
                about=message.subject,
                cause=message.cause,
                recipient=message.recipient,
                channel="inbox",
                template=message.template,
                sent_at=tx.now,
            ),
            event_id=delivery.event_id(inbox, "sent", 1),
            traceparent=traceparent,
        )
        if by_email and office.sends_email and branch.has_address(address.recipient):
            await store.add_email_delivery(tx, delivery.delivery_id(message.id, "email"), message)


# --- sending --------------------------------------------------------------------------------------------------------


async def settle(tx: Transaction, claim: Claim, outcome: Outcome, *, office: Office, patience: Patience) -> None:
    """Write what became of an attempt to send an e-mail, and tell the other services of its end."""
    step = delivery.after(outcome, attempts=claim.attempts, since=claim.pending_since, now=tx.now, patience=patience)
    match step:
        case delivery.Sent():
            if await store.settle_email(tx, claim, "sent", sent_at=tx.now):
                _emit_sent(tx, claim)
        case delivery.TryAgain(at, reason):
            await store.settle_email(tx, claim, "pending", next_attempt_at=at, error=reason)
        case delivery.Uncertain(reason):
            await store.settle_email(tx, claim, "uncertain", error=reason)
        case delivery.Failed(reason):
            if await store.settle_email(tx, claim, "failed", failed_at=tx.now, error=reason):
                await _report_failure(tx, claim, reason, office)
        case _:
            assert_never(step)


def _emit_sent(tx: Transaction, claim: Claim) -> None:
    tx.emit(
        MessageSent(
            branch=claim.branch,
            message_id=claim.message,
            about=claim.subject,
            cause=claim.cause,
            recipient=claim.recipient,
            channel="email",
            template=claim.template,
            sent_at=tx.now,
        ),
        event_id=delivery.event_id(claim.delivery, "sent", claim.attempts),
    )


async def _report_failure(tx: Transaction, claim: Claim, reason: str, office: Office) -> None:
    failed = tx.emit(
        MessageFailed(
            branch=claim.branch,
            message_id=claim.message,
            about=claim.subject,
            cause=claim.cause,
            recipient=claim.recipient,
            channel="email",
            template=claim.template,
            failed_at=tx.now,
            reason=reason,
        ),
        event_id=delivery.event_id(claim.delivery, "failed", claim.attempts),
    )
    branch = await store.branch(tx, claim.branch, None)
    number = await store.number_of(tx, claim.subject)
    await _tell(
        tx,
        office,
        audience.failure_telling(claim.recipient, branch),
        cause=Cause(SOURCE, failed.id, failed.type),
        branch=branch,
        subject=claim.subject,
        number=number,
        values={"number": number or claim.subject, "recipient": claim.recipient, "reason": reason},
        traceparent=telemetry.current_traceparent() or claim.traceparent,
        # A word about a mail server that does not work must not itself need the mail server.
        by_email=False,
    )


# --- what people ask ------------------------------------------------------------------------------------------------


async def resend(tx: Transaction, principal: Principal, wanted: UUID) -> Delivery:
    """Send a failed or uncertain e-mail once more, because an operator has decided so.

    Raises:
        Forbidden: the caller is not an operator.
        NoSuchDelivery: there is none, or not in the caller's branches.
        NotResendable: it is on its way, done, or not an e-mail.
    """
    principal.require_role("operator")
    found = await store.delivery_by_id(tx, wanted)
    if found is None:
        raise NoSuchDelivery(field="id")
    if found.channel != "email" or found.state not in delivery.RESENDABLE:
        raise NotResendable(found)
    if not await store.resend_email(tx, wanted, at=tx.now, by=principal.person):
        raise NotResendable(found)
    again = await store.delivery_by_id(tx, wanted)
    assert again is not None
    return again


async def read_inbox(
    tx: Transaction, principal: Principal, *, after: tuple[bool, int] | None, limit: int
) -> list[Letter]:
    """The caller's messages, and those to a role that had no holder and is now the caller's."""
    return await store.inbox(tx, _recipients(principal), after=after, limit=limit)


async def mark_read(tx: Transaction, principal: Principal, message: UUID) -> datetime:
    """Note that the caller has read a message; when it was first read.

    Raises:
        NoSuchMessage: it is not the caller's.
    """
    read_at = await store.mark_read(tx, message, _recipients(principal), at=tx.now, by=principal.person)
    if read_at is None:
        raise NoSuchMessage(field="id")
    return read_at


def _recipients(principal: Principal) -> list[str]:
    return [principal.person, *sorted(ROLE_PREFIX + role for role in principal.roles)]
