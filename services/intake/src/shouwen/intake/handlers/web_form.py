"""The public web form: without an account, without a third party's riddles."""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.progress import PublicAccess, readable_code
from shouwen.intake.domain.registration import Registration
from shouwen.intake.domain.web_form import Invitation, NoSuchForm, NotAccepted, read_token
from shouwen.intake.handlers.attempts import count_attempt
from shouwen.intake.handlers.mail import channel_principal, first_asked
from shouwen.intake.handlers.progress import link_of, make_code
from shouwen.intake.handlers.registration import register_case
from shouwen.intake.handlers.shared import Once
from shouwen.intake.store import directory
from shouwen.intake.store import progress as codes
from shouwen.intake.store.protection import Protection
from shouwen.runtime.errors import Transient
from shouwen.runtime.unit_of_work import UnitOfWork

CHANNEL = "web-form"
"""Under this name the form registers."""


class NobodyToAsk(Transient):
    """Nobody takes forms of this branch at the moment."""

    def __init__(self) -> None:
        super().__init__(remedy="Please call us; the operator names somebody in SHOUWEN_FIRST_ASKED.")


@dataclass(frozen=True, slots=True)
class Forms:
    """What the channel needs.

    Args:
        is_open: whether the public may hand in forms at all.
        least: the shortest time in which a person fills one in.
        first_asked: who is responsible first, by branch.
    """

    work: UnitOfWork
    protection: Protection
    access: PublicAccess
    is_open: bool
    least: timedelta
    first_asked: dict[str, str]


@dataclass(frozen=True, slots=True)
class Received:
    """A form that became a case; ``code`` is shown to its sender this once, None when it came before."""

    case: Case
    code: str | None
    link: str


async def invite(forms: Forms, branch: str) -> tuple[str, str]:
    """A token for one form of a branch, and the branch's name.

    Raises:
        NoSuchForm: the branch has no form.
    """
    if not forms.is_open:
        raise NoSuchForm
    async with forms.work.as_worker() as tx:
        entry = await directory.branch_entry(tx, branch)
        now = tx.now
    if entry is None:
        raise NoSuchForm
    invitation = Invitation(branch, now, secrets.token_hex(16))
    return invitation.token(forms.protection.fingerprint), entry.name


async def receive(
    forms: Forms, registration: Registration, *, token: str, trap: str, address: str, content_hash: str
) -> Received:
    """Register what the public handed in; its sender gets the number and the code to see the progress.

    Args:
        forms: the channel.
        registration: the matter; its owner is chosen here.
        token: the invitation as it came back.
        trap: what stands in the field that people do not see.
        address: where it came from.
        content_hash: by which the same form is recognised.

    Raises:
        NoSuchForm, NotAccepted, Invalid, TooManyAttempts, NobodyToAsk: what stands against it.
    """
    branch = registration.branch
    if not forms.is_open:
        raise NoSuchForm
    async with forms.work.as_worker() as tx:
        now = tx.now
        attempt = await count_attempt(
            tx, address=address, number=f"form {address}", access=forms.access, protection=forms.protection
        )
        entry = await directory.branch_entry(tx, branch)
    attempt.require_allowed()
    if entry is None:
        raise NoSuchForm
    if trap:
        raise NotAccepted
    invitation = read_token(token, branch=branch, sign=forms.protection.fingerprint, least=forms.least, now=now)
    code, kept = await make_code(forms.protection)
    async with forms.work.as_person(channel_principal(CHANNEL, branch)) as tx:
        owner = await first_asked(tx, branch, forms.first_asked)
        if owner is None:
            raise NobodyToAsk
        once = Once(key=f"form-{invitation.nonce}", request_hash=content_hash)
        registered = await register_case(tx, replace(registration, owner=owner), once=once, protection=forms.protection)
        if registered.is_new:
            await codes.save_code(tx, registered.case, kept, by=CHANNEL)
    return Received(
        case=registered.case,
        code=readable_code(code) if registered.is_new else None,
        link=link_of(registered.case, forms.access),
    )
