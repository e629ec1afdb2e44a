"""What a person makes of a mail: it waits when no branch, no person or no sense could be found for it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from uuid import UUID

from shouwen.contracts.case import CaseType
from shouwen.intake.domain import mail as letters
from shouwen.intake.domain.case import DIRECTORS, Case
from shouwen.intake.domain.mail import Letter
from shouwen.intake.handlers.mail import (
    MailDecided,
    MailErased,
    NoSuchMail,
    Post,
    add_files,
    first_asked,
    join,
    registration_of,
)
from shouwen.intake.handlers.registration import register_case
from shouwen.intake.handlers.shared import Once, unknown_owner
from shouwen.intake.store import directory
from shouwen.intake.store import mail as store
from shouwen.intake.store.mail import Mail, MailState
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Invalid
from shouwen.runtime.unit_of_work import Transaction

OPERATOR = "operator"
READERS = (*DIRECTORS, OPERATOR)

Decide = Callable[[Transaction, Mail, Letter], Awaitable[Mail]]


async def list_mails(post: Post, caller: Principal, state: MailState, *, after: UUID | None, limit: int) -> list[Mail]:
    """Mails in one state: of one's branches, or all for the operator.

    Raises:
        Forbidden: the caller does not direct a branch's work.
    """
    caller.require_role(*READERS)
    async with _reading(post, caller) as tx:
        return await store.mails(tx, state, after=after, limit=limit, protection=post.protection)


async def read_mail(post: Post, caller: Principal, mail_id: UUID) -> tuple[Mail, bytes]:
    """A mail as it came; the look is recorded.

    Raises:
        Forbidden, NoSuchMail, MailErased: there is nothing to read.
        ContentUnreadable, Transient: the file store does not give it.
    """
    caller.require_role(*READERS)
    async with _reading(post, caller) as tx:
        mail = await _mail(tx, mail_id, post)
        await store.add_look(tx, mail, person=caller.person)
    return mail, await _content(post, mail)


async def route(post: Post, caller: Principal, mail_id: UUID, branch: str) -> Mail:
    """Give a mail that waits to a branch.

    Raises:
        Forbidden: the caller is no operator.
        Invalid: the directory does not have the branch.
        NoSuchMail, MailDecided: it does not wait.
    """
    caller.require_role(OPERATOR)
    async with post.work.as_worker() as tx:
        if await directory.branch_entry(tx, branch) is None:
            raise Invalid("The directory does not have this branch.", field="branch", remedy="See GET /api/directory.")
        mail = _waiting(await _mail(tx, mail_id, post))
        routed = replace(mail, branch=branch, decided_at=tx.now, decided_by=caller.person)
        await store.decide_mail(tx, routed)
        return routed


async def register(post: Post, caller: Principal, mail_id: UUID, *, kind: CaseType, owner: str | None) -> Mail:
    """Register a mail that waits as a case of its branch.

    Raises:
        Forbidden, Invalid, NoSuchMail, MailDecided, Refused: what stands against it.
    """

    async def decide(tx: Transaction, mail: Mail, letter: Letter) -> Mail:
        answerable = owner or await first_asked(tx, mail.branch, post.first_asked)
        if answerable is None:
            raise unknown_owner()
        _, left = letters.split_files(letter, limit_bytes=post.file_limit)
        registration = registration_of(letter, branch=mail.branch, owner=answerable, kind=kind, remarks=left, mail=mail)
        once = Once(key=f"mail-{mail.id}", request_hash=mail.message_hash)
        registered = await register_case(tx, registration, once=once, protection=post.protection)
        return replace(mail, state="registered", case_id=registered.case.id)

    return await _decided(post, caller, mail_id, decide)


async def join_to(post: Post, caller: Principal, mail_id: UUID, number: str) -> Mail:
    """Put a mail that waits with a case.

    Raises:
        Forbidden, NoSuchCase, NoSuchMail, MailDecided: what stands against it.
    """

    async def decide(tx: Transaction, mail: Mail, letter: Letter) -> Mail:
        _, left = letters.split_files(letter, limit_bytes=post.file_limit)
        case: Case = await join(tx, number, letter, protection=post.protection, remarks=left, resumes=True)
        return replace(mail, branch=case.branch, state="joined", case_id=case.id)

    return await _decided(post, caller, mail_id, decide)


async def discard(post: Post, caller: Principal, mail_id: UUID, reason: str) -> Mail:
    """Say that a mail that waits is nobody's matter. It is kept.

    Raises:
        Forbidden, NoSuchMail, MailDecided: what stands against it.
    """

    async def decide(tx: Transaction, mail: Mail, letter: Letter) -> Mail:
        del tx, letter
        return replace(mail, state="discarded", reason=reason)

    return await _decided(post, caller, mail_id, decide)


async def _decided(post: Post, caller: Principal, mail_id: UUID, decide: Decide) -> Mail:
    caller.require_role(*DIRECTORS)
    async with post.work.as_person(caller) as tx:
        mail = _waiting(await _mail(tx, mail_id, post))
    raw = await _content(post, mail)
    try:
        letter = letters.read(raw)
    except ValueError:
        letter = letters.UNREADABLE
    async with post.work.as_person(caller) as tx:
        mail = _waiting(await _mail(tx, mail_id, post))
        done = replace(await decide(tx, mail, letter), decided_at=tx.now, decided_by=caller.person)
        await store.decide_mail(tx, done)
    return await add_files(post, done, letter)


async def _mail(tx: Transaction, mail_id: UUID, post: Post) -> Mail:
    mail = await store.lock_mail(tx, mail_id, post.protection)
    if mail is None:
        raise NoSuchMail
    return mail


async def _content(post: Post, mail: Mail) -> bytes:
    if mail.key is None:
        raise MailErased
    return await post.files.get(mail.place, mail.key)


def _waiting(mail: Mail) -> Mail:
    if mail.state != "set_aside":
        raise MailDecided(mail)
    return mail


def _reading(post: Post, caller: Principal) -> AbstractAsyncContextManager[Transaction]:
    """The operator reaches the mails of all branches and of none; others those of their own."""
    if OPERATOR in caller.roles:
        return post.work.as_worker()
    return post.work.as_person(caller)
