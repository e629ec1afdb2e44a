"""What notify does: each function loads, lets the domain decide, saves, and emits. None commits or publishes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never
from urllib.parse import quote
from uuid import UUID

from shouwen.contracts.case import CaseNoticeRequested
from shouwen.contracts.casework import CaseErased
from shouwen.contracts.directory import BranchDescribed, DelegationDescribed, DirectoryFile, PersonDescribed
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.message import MessageFailed, MessageSent
from shouwen.notify import store
from shouwen.notify.domain import audience, delivery
from shouwen.notify.domain.audience import CaseTold, Telling, Told
from shouwen.notify.domain.delivery import Outcome, Patience
from shouwen.notify.domain.directory import ROLE_PREFIX, Branch
from shouwen.notify.domain.wording import ERASED, LANGUAGES, Language, Template, Text
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
    branch = await store.branch(tx, fact.branch, audience.concerned(fact))
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


async def tell_requester(event: CloudEvent[CaseNoticeRequested], tx: Transaction, office: Office) -> None:
    """Tell a requester something by e-mail; without an address, ask the person responsible to call them.

    A notice that was asked for before the case's data were erased ends like one that was heard in time: without words.

    Raises:
        Unreadable: the notice was sealed with another key.
    """
    fact = event.data
    sealed = office.seal.open(fact.sealed)
    branch = await store.branch(tx, fact.branch, fact.owner)
    subject = f"case/{fact.case_id}"
    await store.add_matter(tx, subject, branch=fact.branch, number=fact.number)
    email = sealed.get("email") if office.sends_email else None
    by_mail = email is not None
    await _tell(
        tx,
        office,
        audience.notice_telling(fact.notice, fact.owner, branch, by_mail=by_mail),
        cause=Cause(event.source, event.id, event.type),
        branch=branch,
        subject=subject,
        number=fact.number,
        values={
            **audience.notice_values(sealed, by_mail=by_mail),
            "number": fact.number,
            "is_case": True,
            "notice": fact.notice,
        },
        traceparent=telemetry.current_traceparent() or event.traceparent,
        address=office.keys.encrypt(email) if email is not None else None,
        requested_at=fact.requested_at,
    )
    await _erase_again(tx, subject, office)


async def erase_notices(event: CloudEvent[CaseErased], tx: Transaction, office: Office) -> None:
    """Take words and addresses out of the notices of a case, whosever data were erased: they may name both persons."""
    fact = event.data
    await store.mark_erased(tx, event.subject, branch=fact.branch, number=fact.number, until=fact.erased_at)
    await store.erase_notices(tx, event.subject, until=fact.erased_at, words=_sealed(ERASED, office.keys))


async def _erase_again(tx: Transaction, subject: str, office: Office) -> None:
    """Let an erasure that was heard before, or meanwhile, reach what this transaction has written."""
    until = await store.hold_matter(tx, subject)
    if until is not None:
        await store.erase_notices(tx, subject, until=until, words=_sealed(ERASED, office.keys))


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


async def describe_delegation(event: CloudEvent[DelegationDescribed], tx: Transaction) -> None:
    """Keep who stands in for whom."""
    await store.save_delegation(tx, event.data, at=event.time)


async def fill_directory(tx: Transaction, file: DirectoryFile, keys: KeyRing) -> None:
    """Take over the directory file, where the directory stream has said nothing."""
    await store.fill_branches(tx, file.branches)
    persons = [(each, keys.encrypt(each.email) if each.email else None) for each in file.persons]
    await store.fill_persons(tx, persons)


async def _called(tx: Transaction, fact: Told) -> tuple[str, str | None]:
    if isinstance(fact, CaseTold):
        subject = f"case/{fact.case_id}"
        await store.add_matter(tx, subject, branch=fact.branch, number=fact.number)
        return subject, fact.number
    return fact.timed_subject, await store.number_of(tx, fact.timed_subject)


_SAID = {
    "case_type": "case_type",
    "promised_at": "due",
    "due_at": "due",
    "previous_due_at": "previous_due",
    "answer_until": "answer_until",
    "decision": "decision",
    "target": "target",
    "clause": "clause",
    "level": "level",
}
"""Fields of facts, and the variables of templates that say them."""


def _values(fact: Told) -> dict[str, Any]:
    return {variable: value for field, variable in _SAID.items() if (value := getattr(fact, field, None)) is not None}


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
    address: bytes | None = None,
    requested_at: datetime | None = None,
) -> None:
    """Tell each address once, in the inbox and by e-mail.

    ``address`` is the encrypted e-mail address of somebody whom the directory does not have: they have no inbox.
    ``requested_at`` is when a notice was asked for; its words are kept encrypted, because they may name people.
    """
    template = office.templates[telling.template]
    link = (
        f"{office.intake_url}/api/cases/{quote(number)}"
        if number is not None
        else f"{office.sla_url}/api/clocks?subject={quote(subject, safe='')}"
    )
    for each in telling.addresses:
        role = each.reason.removeprefix(ROLE_PREFIX) if each.reason.startswith(ROLE_PREFIX) else ""
        texts = template.render({"link": link, **values, "role": role}, time_zone=branch.time_zone)
        message = Message(
            id=delivery.message_id(cause.source, cause.id, each.recipient),
            branch=branch.branch,
            subject=subject,
            cause_source=cause.source,
            cause=cause.id,
            cause_type=cause.type,
            recipient=each.recipient,
            reason=each.reason,
            template=telling.template,
            texts={} if requested_at is not None else texts,
            requested_at=requested_at,
            sealed_texts=_sealed(texts, office.keys) if requested_at is not None else None,
            address=address,
            link=link,
            traceparent=traceparent,
            created_at=tx.now,
        )
        if not await store.add_message(tx, message):
            continue
        if address is not None:
            await store.add_email_delivery(tx, delivery.delivery_id(message.id, "email"), message)
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
        if by_email and office.sends_email and branch.has_address(each.recipient):
            await store.add_email_delivery(tx, delivery.delivery_id(message.id, "email"), message)


def _sealed(texts: Mapping[Language, Text], keys: KeyRing) -> bytes:
    return keys.encrypt(json.dumps({name: [text.subject, text.body] for name, text in texts.items()}))


def words(message: Claim | Letter, keys: KeyRing) -> Mapping[Language, Text]:
    """The words of a message, also of one that rests encrypted."""
    if message.sealed_texts is None:
        return message.texts
    stored = json.loads(keys.decrypt(message.sealed_texts))
    return {name: Text(*stored[name]) for name in LANGUAGES}


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
            if claim.sealed_texts is not None:
                await _erase_again(tx, claim.subject, office)
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
    tx: Transaction, principal: Principal, *, after: tuple[bool, int] | None, limit: int, keys: KeyRing
) -> list[Letter]:
    """The caller's messages, and those to a role that had no holder and is now the caller's."""
    letters = await store.inbox(tx, _recipients(principal), after=after, limit=limit)
    return [replace(each, texts=words(each, keys)) for each in letters]


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
