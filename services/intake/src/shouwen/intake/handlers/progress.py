"""The progress of a matter, for its requester: by number and secret code, without an account."""

import asyncio
from zoneinfo import ZoneInfo

from shouwen.intake.domain import progress as rules
from shouwen.intake.domain.case import Case
from shouwen.intake.domain.progress import NotKnown, Progress, PublicAccess
from shouwen.intake.handlers.attempts import count_attempt, forgive, requester_of
from shouwen.intake.handlers.notices import request_notice
from shouwen.intake.handlers.shared import Once, actor_of, claim, locked, person_of
from shouwen.intake.store import cases, tokens
from shouwen.intake.store import progress as store
from shouwen.intake.store.protection import Protection
from shouwen.intake.store.tokens import NO_CODE, KeptCode
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork

_HASHING = asyncio.Semaphore(2)
"""Slow hashes at the same time, at most: however many of the public ask, the staff's requests keep a processor."""


async def make_code(protection: Protection) -> tuple[str, KeptCode]:
    """A new secret code and what is kept of it; made before a transaction, since it is slow on purpose."""
    code = tokens.new_code()
    async with _HASHING:
        return code, await asyncio.to_thread(tokens.keep_code, protection.hash_key, code)


async def give_code(
    tx: Transaction,
    number: str,
    *,
    code: str,
    kept: KeptCode,
    in_person: bool,
    protection: Protection,
    access: PublicAccess,
    once: Once | None = None,
) -> tuple[Case, bool]:
    """Give a case a new secret code, and have the requester told, unless it is handed over in person.

    Returns:
        The case, and whether the code is its code now: not, when the same request came before.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    case = filed.case
    if once and not await claim(tx, case, once):
        return case, False
    addresses = (filed.protected.requester_email, filed.protected.requester_phone)
    rules.require_code_for(case, actor_of(tx), in_person=in_person, has_address=any(addresses))
    await store.save_code(tx, case, kept, by=person_of(tx).person)
    if not in_person:
        values = {"link": link_of(case, access), "code": rules.readable_code(code)}
        await request_notice(tx, filed, "progress", protection=protection, values=values)
    return case, True


def link_of(case: Case, access: PublicAccess) -> str:
    """Where the requester sees the progress; the code is no part of it."""
    return f"{access.base_url}/api/public/progress/page?number={case.number}"


async def look_up(
    work: UnitOfWork, *, number: str, code: str, address: str, protection: Protection, access: PublicAccess
) -> Progress:
    """What the requester sees. A wrong number takes the same steps as a wrong code, and gets the same answer.

    Raises:
        TooManyAttempts: from this address, or for this number.
        NotKnown: there is no case of this number with this code.
    """
    number = rules.plain_number(number)
    async with work.as_worker() as tx:
        attempt = await count_attempt(tx, address=address, number=number, access=access, protection=protection)
        branch = await store.branch_of_prefix(tx, rules.prefix_of(number))
    attempt.require_allowed()
    async with work.as_person(requester_of(branch)) as tx:
        kept = await store.code_of(tx, number)
    async with _HASHING:
        is_code = await asyncio.to_thread(tokens.is_code, protection.hash_key, kept or NO_CODE, code)
    if kept is None or not is_code:
        raise NotKnown
    async with work.as_worker() as tx:
        await forgive(tx, attempt)
    async with work.as_person(requester_of(branch)) as tx:
        return await _progress(tx, number, protection=protection, access=access)


async def _progress(tx: Transaction, number: str, *, protection: Protection, access: PublicAccess) -> Progress:
    filed = await cases.case_by_number(tx, number)
    if filed is None:
        raise NotKnown
    contact = await store.contact(tx, filed.case)
    return rules.progress(
        filed.case,
        await store.steps(tx, filed.case.id),
        department=contact.department or filed.case.department,
        contact=protection.decrypt(contact.person) if access.names_contact else None,
        zone=ZoneInfo(contact.time_zone),
    )
