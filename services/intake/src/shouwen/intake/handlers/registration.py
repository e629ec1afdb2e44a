"""Entering a matter into the register."""

from dataclasses import dataclass, replace
from functools import partial

from shouwen.intake.domain import commands as life
from shouwen.intake.domain import registration as entering
from shouwen.intake.domain.case import CLERKS, Case
from shouwen.intake.domain.numbering import case_number, registration_year
from shouwen.intake.domain.registration import Registrar, Registration
from shouwen.intake.handlers.hearing import add_mark
from shouwen.intake.handlers.shared import (
    SYSTEM,
    KeyUsedOtherwise,
    Once,
    actor_of,
    person_of,
    record,
    unknown_owner,
)
from shouwen.intake.store import cases, requests
from shouwen.intake.store import registration as store
from shouwen.intake.store.protection import Protected, Protection
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Principal
from shouwen.runtime.errors import Invalid
from shouwen.runtime.ids import new_id
from shouwen.runtime.together import Together
from shouwen.runtime.unit_of_work import Transaction, UnitOfWork, visible_branches


@dataclass(frozen=True, slots=True)
class Registered:
    """The answer to a registration; ``is_new`` is False when the same request came before."""

    case: Case
    is_new: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What the requester was answered at once; the words are encrypted."""

    text: bytes
    written: bool


async def register_case(
    tx: Transaction, registration: Registration, *, once: Once, protection: Protection, answer: Answer | None = None
) -> Registered:
    """Enter a matter into the register, perhaps answered at once; the same request again gives the same case.

    Raises:
        Forbidden: the caller may not register, or not in this branch.
        Invalid: a field is wrong, or the key was used for another request.
        ClientBlacklisted: the service request of a client on the list of dishonest clients.
    """
    principal = person_of(tx)
    principal.require_role(*CLERKS, SYSTEM)
    principal.require_branch(registration.branch)
    registrar = Registrar(principal.person, is_system=principal.roles.isdisjoint(CLERKS))
    owner = entering.first_owner(registration, registrar)
    protected = Protected.of(registration.particulars, protection)
    case_id = new_id(tx.now)
    ground = await store.begin_registration(
        tx,
        person=principal.person,
        key=once.key,
        branch=registration.branch,
        request_hash=once.request_hash,
        case_id=case_id,
        owner=owner,
        identifier_hash=protected.client_identifier_hash,
    )
    if not ground.is_new:
        return Registered(case=await _claimed(tx, principal, once), is_new=False)

    checked = entering.check(registration, now=tx.now)
    if ground.number_prefix is None:
        raise _unknown_branch()
    if registration.owner is not None and not ground.is_known_owner:
        raise unknown_owner()
    listed = ground.listed
    entering.refuse_service(registration.type, listed[1] if listed else None)
    client = protection.mention(registration.particulars)

    # From here to the commit this branch's other registrations wait: nothing slow may stand below.
    year = registration_year(tx.now, ground.time_zone)
    position = await cases.take_number(tx, branch=registration.branch, year=year)
    number = case_number(ground.number_prefix, year, position)
    case, fact = entering.register(
        checked,
        case_id=case_id,
        number=number,
        registrar=registrar,
        owner=owner,
        department=registration.department or ground.department,
        client=client,
        traceparent=telemetry.current_traceparent(),
    )
    telemetry.set_attributes(case_id=str(case.id), branch=case.branch)
    await store.file_case(tx, case, protected, tx.emit(fact), actor=principal.person)
    if listed is not None:
        entry, reason_code = listed
        mark = entering.mark_listed(case, reason_code=reason_code, now=tx.now)
        await add_mark(tx, case, mark, list_entry_id=entry)
    if answer is not None:
        case = await _answered(tx, case, answer)
    return Registered(case=case, is_new=True)


class Registrations:
    """Registers as ``register_case``, in transactions of its own: fast where many register at the same time.

    While a number is held, the branch's next registration waits; here it waits for one statement instead of three and
    this process. What comes meanwhile is filed together by the next one. What is rare (a repeated request, a listed
    client) is left to ``register_case``.
    """

    def __init__(self, work: UnitOfWork, protection: Protection) -> None:
        self._work = work
        self._protection = protection
        self._grounds = Together(partial(store.grounds, work), group=_seen, most=MOST_TOGETHER)
        self._numbers = Together(partial(store.file_at_once, work), group=_seen, most=MOST_TOGETHER)

    async def register(self, principal: Principal, registration: Registration, *, once: Once) -> Registered:
        """Enter a matter into the register; see ``register_case``, also for what it raises."""
        principal.require_role(*CLERKS, SYSTEM)
        principal.require_branch(registration.branch)
        registrar = Registrar(principal.person, is_system=principal.roles.isdisjoint(CLERKS))
        owner = entering.first_owner(registration, registrar)
        protected = Protected.of(registration.particulars, self._protection)
        asked = store.Asked(principal, once.key, registration.branch, owner, protected.client_identifier_hash)
        now, ground = await self._grounds.do(asked)
        if not ground.is_new or ground.listed is not None:
            return await self._register_alone(principal, registration, once)
        checked = entering.check(registration, now=now)
        if ground.number_prefix is None:
            raise _unknown_branch()
        if registration.owner is not None and not ground.is_known_owner:
            raise unknown_owner()
        case, fact = entering.register(
            checked,
            case_id=new_id(now),
            number=store.UNNUMBERED,
            registrar=registrar,
            owner=owner,
            department=registration.department or ground.department,
            client=self._protection.mention(registration.particulars),
            traceparent=telemetry.current_traceparent(),
        )
        telemetry.set_attributes(case_id=str(case.id), branch=case.branch)
        entry = store.Entry(
            principal=principal,
            key=once.key,
            request_hash=once.request_hash,
            number_prefix=ground.number_prefix,
            year=registration_year(now, ground.time_zone),
            case=case,
            protected=protected,
            event=self._work.event_of(fact, time=now, traceparent=case.traceparent),
        )
        number = await self._numbers.do(entry)
        if number is None:
            return await self._register_alone(principal, registration, once)
        return Registered(case=replace(case, number=number), is_new=True)

    async def _register_alone(self, principal: Principal, registration: Registration, once: Once) -> Registered:
        async with self._work.as_person(principal) as tx:
            return await register_case(tx, registration, once=once, protection=self._protection)


MOST_TOGETHER = 50
"""Matters that are filed by one statement."""


def _seen(asked: store.Asked | store.Entry) -> str:
    """Only who sees the same branches may share a transaction."""
    return visible_branches(asked.principal)


async def _answered(tx: Transaction, case: Case, answer: Answer) -> Case:
    """The case as it was answered on the spot (I-06; 001 §13)."""
    if person_of(tx).roles.isdisjoint(CLERKS):
        raise Invalid(
            "A system cannot answer a requester.", field="answer", remedy="Leave it out; a person records the answer."
        )
    replied, fact = life.reply(case, replied_at=None, written=answer.written, actor=actor_of(tx), now=tx.now)
    await record(tx, case, replied, fact, "answer on the spot", note=answer.text)
    return replied


async def _claimed(tx: Transaction, principal: Principal, once: Once) -> Case:
    claimed = await requests.claimed_key(tx, person=principal.person, key=once.key)
    if claimed is None or claimed[0] != once.request_hash:
        raise KeyUsedOtherwise
    filed = await cases.case_by_id(tx, claimed[1])
    if filed is None:
        raise KeyUsedOtherwise
    return filed.case


def _unknown_branch() -> Invalid:
    return Invalid(
        "The directory does not have this branch.",
        field="branch",
        remedy="GET /api/directory lists your branches; the operator adds one to the file SHOUWEN_DIRECTORY_FILE.",
    )
