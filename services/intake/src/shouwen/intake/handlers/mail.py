"""Mail in: a new one becomes a case, an answer joins its case, what cannot be either waits for a person.

A mail is kept as it came before anything is made of it, so none is lost; it is recognised by its Message-ID, so it has
its effect once, however often the mail server hands it over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from shouwen.contracts.case import CaseType
from shouwen.contracts.casework import RequesterWrote
from shouwen.intake.domain import commands as life
from shouwen.intake.domain import mail as letters
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.mail import Letter
from shouwen.intake.domain.registration import Particulars, Registration
from shouwen.intake.gateways.files import Files
from shouwen.intake.handlers.attachments import keep_attachment, sha256_of
from shouwen.intake.handlers.merging import surviving
from shouwen.intake.handlers.registration import register_case
from shouwen.intake.handlers.shared import SYSTEM, NoSuchCase, Once, record, tell
from shouwen.intake.store import cases
from shouwen.intake.store import mail as store
from shouwen.intake.store.mail import NO_BRANCH, Mail
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import NotFound, Refused, TooLarge
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork

CHANNEL = "mail"
"""Under this name the channel registers, adds files and writes notes."""

_log = structlog.stdlib.get_logger("shouwen.intake.mail")


class MailTooLarge(TooLarge):
    """The mail is longer than intake takes."""

    def __init__(self) -> None:
        super().__init__(remedy=f"Let the mail server refuse mails over {letters.MAIL_BYTES} bytes.")


class NoSuchMail(NotFound):
    """There is no mail of this id, or it is not of your branch."""


class MailDecided(Refused):
    """The mail does not wait for anybody any more."""

    def __init__(self, mail: Mail) -> None:
        super().__init__(f"The mail is {mail.state} already.", field="mail_id")


class MailErased(NotFound):
    """The mail was erased with the data of the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Post:
    """What the channel needs.

    Args:
        addresses: the branch of each address that mail is written to; ``*`` stands for all others.
        first_asked: who is responsible first for what comes to a branch without a person in between.
        file_limit: the longest file, in bytes.
    """

    work: UnitOfWork
    files: Files
    protection: Protection
    addresses: Mapping[str, str]
    first_asked: Mapping[str, str]
    file_limit: int


async def take_in(post: Post, raw: bytes, *, recipient: str | None = None) -> Mail:
    """Take a mail in; the same one again has no second effect.

    Args:
        post: the channel.
        raw: the mail as it came.
        recipient: whom the mail server says it is for, if it does.

    Raises:
        MailTooLarge: it is over the limit; the mail server has to tell the sender.
        Transient: a server does not answer; the mail has to be handed over again.
    """
    if len(raw) > letters.MAIL_BYTES:
        raise MailTooLarge
    message_id, body = letters.envelope_of(raw)
    body_sha256 = sha256_of(body)
    message_hash = post.protection.fingerprint(message_id or f"content {sha256_of(raw)}")
    known = await _known(post, message_hash)
    if known is not None and known.body_sha256 != body_sha256:
        # Some scanners send each page under one Message-ID.
        message_hash = post.protection.fingerprint(f"{message_id} {body_sha256}")
        known = await _known(post, message_hash)
    if known is not None:
        # It may have been cut off after its case was registered and before its files were added.
        return await _add_files(post, known, raw)
    async with post.work.as_worker() as tx:
        now = tx.now
    mail_id = new_id(now)
    place = f"mail/{mail_id}"
    key = await post.files.put(place, raw)
    mail = Mail(
        id=mail_id,
        branch=NO_BRANCH,
        message_hash=message_hash,
        body_sha256=body_sha256,
        state="set_aside",
        reason=None,
        case_id=None,
        received_at=now,
        sender=None,
        subject=None,
        size_bytes=len(raw),
        place=place,
        key=key,
        decided_at=now,
        decided_by=None,
    )
    try:
        return await _add_files(post, await _take_new(post, mail, raw, recipient), raw)
    except CameBefore:
        await post.files.remove(place)
        known = await _known(post, message_hash)
        assert known is not None, "its row was in the way"
        return known


async def _take_new(post: Post, mail: Mail, raw: bytes, recipient: str | None) -> Mail:
    now = mail.decided_at
    try:
        letter = letters.read(raw, recipient=recipient)
    except ValueError:
        return await _keep(post, replace(mail, reason="unreadable"))
    branch = letters.branch_of(letter, post.addresses)
    mail = replace(
        mail,
        branch=branch or NO_BRANCH,
        received_at=letters.received_at(letter, now=now),
        sender=letter.sender,
        subject=letter.subject,
    )
    if letter.nature is not None:
        state = "set_aside" if letter.nature == "spam" else "ignored"
        return await _keep(post, replace(mail, state=state, reason=letter.nature))
    try:
        return await _decide(post, mail, letter)
    except CameBefore:
        raise
    except Refused as error:
        _log.warning("a mail was set aside", mail_id=str(mail.id), reason=type(error).__name__, field=error.field)
        return await _keep(post, replace(mail, reason="refused"))


async def case_of(post: Post, letter: Letter) -> tuple[str, str, bool] | None:
    """Branch and number of the case that a mail belongs to, and whether its thread or its sender proves it."""
    hashes = [post.protection.fingerprint(each) for each in letter.thread]
    async with post.work.as_worker() as tx:
        thread = await store.case_of_thread(tx, hashes) if hashes else None
        filed = await cases.case_by_id(tx, thread[1]) if thread else None
        proven = filed is not None
        if filed is None and letter.number is not None:
            filed = await cases.case_by_number(tx, letter.number)
            sender = post.protection.hash(letter.sender)
            proven = filed is not None and sender is not None and filed.protected.requester_email_hash == sender
        filed = filed and await surviving(tx, filed)
    return None if filed is None else (filed.case.branch, filed.case.number, proven)


async def join(
    tx: Transaction, number: str, letter: Letter, *, protection: Protection, remarks: list[str], resumes: bool
) -> Case:
    """Put the words of a mail with a case; one that waits for its requester goes on, if the mail is surely theirs.

    Raises:
        NoSuchCase: there is none of this number in reach.
    """
    filed = await cases.lock_case_by_number(tx, number)
    if filed is None:
        raise NoSuchCase
    case = filed.case
    sender = protection.hash(letter.sender)
    known = filed.protected.requester_email_hash
    if sender is not None and known != sender:
        remarks = [f"[发件人 sender] {letter.name or ''} <{letter.sender}>", *remarks]
    fact = RequesterWrote(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        written_at=letters.received_at(letter, now=tx.now),
        channel="email",
        owner=case.owner,
    )
    note = protection.encrypt(letters.words_of(letter, remarks))
    await tell(tx, case, "note mail", fact, note=note)
    if resumes and case.pause is not None and case.pause.reason == "awaiting_requester":
        changed, resumed = life.resume(case, by=CHANNEL, now=tx.now)
        await record(tx, case, changed, resumed, "resume case")
        return changed
    return case


def registration_of(
    letter: Letter, *, branch: str, owner: str, kind: CaseType, remarks: list[str], mail: Mail
) -> Registration:
    """A mail as a matter to be registered."""
    return Registration(
        type=kind,
        channel="email",
        branch=branch,
        severity=None,
        relation="other",
        received_at=mail.received_at,
        promised_at=None,
        owner=owner,
        department=None,
        particulars=Particulars(
            subject=letter.subject,
            description=letters.words_of(letter, remarks),
            requester_name=letter.name or letter.sender,
            requester_phone=None,
            requester_email=letter.sender,
            client_name=None,
            client_identifier=None,
        ),
    )


async def first_asked(tx: Transaction, branch: str, chosen: Mapping[str, str]) -> str | None:
    """Who is responsible first for what comes to a branch without a person in between."""
    return chosen.get(branch) or await store.first_asked(tx, branch)


def channel_principal(person: str, branch: str) -> Principal:
    """A channel without a person, acting in one branch."""
    return Principal(person=person, name=person, branches=frozenset({branch}), roles=frozenset({SYSTEM}))


async def _decide(post: Post, mail: Mail, letter: Letter) -> Mail:
    _, left = letters.split_files(letter, limit_bytes=post.file_limit)
    found = await case_of(post, letter)
    if found is not None:
        branch, number, proven = found
        async with post.work.as_person(channel_principal(CHANNEL, branch)) as tx:
            joined = replace(mail, branch=branch, state="joined")
            case = await join(tx, number, letter, protection=post.protection, remarks=left, resumes=proven)
            return await _added(tx, replace(joined, case_id=case.id), post)
    if not mail.branch:
        return await _keep(post, replace(mail, reason="unknown_recipient"))
    async with post.work.as_person(channel_principal(CHANNEL, mail.branch)) as tx:
        owner = await first_asked(tx, mail.branch, post.first_asked)
        if owner is None:
            return await _added(tx, replace(mail, reason="nobody_to_ask"), post)
        registration = registration_of(
            letter, branch=mail.branch, owner=owner, kind=letter.type or "inquiry", remarks=left, mail=mail
        )
        once = Once(key=mail.message_hash, request_hash=mail.message_hash)
        registered = await register_case(tx, registration, once=once, protection=post.protection)
        return await _added(tx, replace(mail, state="registered", case_id=registered.case.id), post)


async def _keep(post: Post, mail: Mail) -> Mail:
    async with post.work.as_worker() as tx:
        return await _added(tx, mail, post)


async def _added(tx: Transaction, mail: Mail, post: Post) -> Mail:
    """Keep what became of a mail; another process that was quicker has the say.

    Raises:
        CameBefore: it did meanwhile; everything this transaction did is undone.
    """
    if not await store.add_mail(tx, mail, post.protection):
        raise CameBefore
    return mail


class CameBefore(Refused):
    """The same mail was taken in meanwhile."""


async def _add_files(post: Post, mail: Mail, raw: bytes) -> Mail:
    return mail if mail.case_id is None else await add_files(post, mail, letters.read(raw))


async def add_files(post: Post, mail: Mail, letter: Letter) -> Mail:
    """Put the files of a mail with its case; those that lie with it already stay as they are."""
    taken, _ = letters.split_files(letter, limit_bytes=post.file_limit)
    if mail.case_id is None or not taken:
        return mail
    async with post.work.as_worker() as tx:
        filed = await cases.case_by_id(tx, mail.case_id)
    assert filed is not None, "the foreign key holds it"
    principal = channel_principal(CHANNEL, filed.case.branch)
    for file in taken:
        try:
            await keep_attachment(
                post.work, principal, filed.case.number, file, files=post.files, protection=post.protection
            )
        except Refused as error:
            # The case is full; the mail itself holds the file.
            _log.warning("a file of a mail was not added", mail_id=str(mail.id), reason=type(error).__name__)
    return mail


async def _known(post: Post, message_hash: str) -> Mail | None:
    async with post.work.as_worker() as tx:
        return await store.mail_by_message(tx, message_hash, post.protection)
