"""Work on a case: one function for each command."""

from datetime import datetime

from shouwen.contracts.case import CaseType, Severity
from shouwen.contracts.casework import CaseEvent
from shouwen.intake.domain import commands as life
from shouwen.intake.domain.case import Case, PauseReason, ReopenReason
from shouwen.intake.domain.registration import refuse_service
from shouwen.intake.handlers import delegations
from shouwen.intake.handlers.custody import contact_of
from shouwen.intake.handlers.notices import request_notice
from shouwen.intake.handlers.shared import Once, actor_of, claim, locked, person_of, record, unknown_owner, work_on
from shouwen.intake.handlers.splitting import require_whole_open
from shouwen.intake.store import directory, dossier, facts, listed, relatives, runs
from shouwen.intake.store.cases import Filed
from shouwen.intake.store.protection import Protection
from shouwen.runtime.unit_of_work import Transaction


async def assign_case(
    tx: Transaction,
    number: str,
    *,
    owner: str,
    department: str | None,
    phone: str | None,
    protection: Protection,
    once: Once | None = None,
) -> Case:
    """Pass the responsibility for a case to another person of its branch; its requester is told whom to call.

    Of a part the requester hears nothing: the whole is answered by its coordinator.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it, as that no phone of the person is known.
    """
    actor = actor_of(tx)
    filed = await locked(tx, number)
    branch = filed.case.branch
    is_known, own_department = await directory.active_person(tx, owner, branch)
    if not is_known:
        raise unknown_owner()
    await delegations.require_reachable(tx, owner, branch)
    department = department or own_department

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.assign(case, owner=owner, department=department, actor=actor, now=tx.now)

    changed = await work_on(tx, filed, "assign case", decide, once=once)
    if changed.owner != filed.case.owner and changed.parent_id is None:
        contact = await contact_of(tx, changed.owner, changed.department, phone=phone, protection=protection)
        told = Filed(case=changed, protected=filed.protected)
        await request_notice(tx, told, "handover", protection=protection, values=contact)
    return changed


async def reply_case(
    tx: Transaction,
    number: str,
    *,
    replied_at: datetime | None,
    written: bool,
    note: bytes | None,
    commits: bool | None = None,
    once: Once | None = None,
) -> Case:
    """Record that the requester was answered; ``commits`` says that something outside the contract is promised.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    filed = await locked(tx, number)
    beside = await dossier.dossier(tx, filed.case.id)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.reply(
            case, replied_at=replied_at, written=written, actor=actor, now=tx.now, dossier=beside, commits=commits
        )

    return await work_on(tx, filed, "reply case", decide, note=note, once=once)


async def plan_case(
    tx: Transaction, number: str, *, delivered_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """Record that a written plan reached the requester.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.deliver_plan(case, delivered_at=delivered_at, actor=actor, now=tx.now)

    return await work_on(tx, await locked(tx, number), "plan case", decide, note=note, once=once)


async def resolve_case(
    tx: Transaction, number: str, *, resolved_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """End a case that was handled.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    filed = await locked(tx, number)
    beside = await dossier.dossier(tx, filed.case.id)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.resolve(case, resolved_at=resolved_at, actor=actor, now=tx.now, dossier=beside)

    return await work_on(tx, filed, "resolve case", decide, note=note, once=once)


async def withdraw_case(
    tx: Transaction, number: str, *, withdrawn_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """End a case that its requester withdrew, and its open parts with it.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.withdraw(case, withdrawn_at=withdrawn_at, actor=actor, now=tx.now)

    case = await work_on(tx, await locked(tx, number), "withdraw case", decide, note=note, once=once)
    if case.parts and case.state == "withdrawn":
        for part in await relatives.lock_open_parts(tx, case.id):
            changed, fact = life.withdraw_part(part, by=actor.person, now=tx.now)
            await record(tx, part, changed, fact, "withdraw part")
    return case


async def acknowledge_case(
    tx: Transaction, number: str, *, acknowledged_at: datetime | None, note: bytes | None, once: Once | None = None
) -> Case:
    """Record that the requester was told that the matter came in.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.acknowledge(case, acknowledged_at=acknowledged_at, actor=actor, now=tx.now)

    return await work_on(tx, await locked(tx, number), "acknowledge case", decide, note=note, once=once)


async def pause_case(
    tx: Transaction,
    number: str,
    *,
    reason: PauseReason,
    expected_until: datetime | None,
    note: bytes | None,
    once: Once | None = None,
) -> Case:
    """Let the work wait for somebody else.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.pause(case, reason=reason, expected_until=expected_until, actor=actor, now=tx.now)

    return await work_on(tx, await locked(tx, number), "pause case", decide, note=note, once=once)


async def resume_case(tx: Transaction, number: str, *, note: bytes | None, once: Once | None = None) -> Case:
    """Go on with the work.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    by = person_of(tx).person

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.resume(case, by=by, now=tx.now)

    return await work_on(tx, await locked(tx, number), "resume case", decide, note=note, once=once)


async def close_case(tx: Transaction, number: str, *, note: bytes | None, once: Once | None = None) -> Case:
    """Close a resolved case.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    actor = actor_of(tx)
    filed = await locked(tx, number)
    beside = await dossier.dossier(tx, filed.case.id)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.close(case, actor=actor, now=tx.now, dossier=beside)

    return await work_on(tx, filed, "close case", decide, note=note, once=once)


async def reopen_case(
    tx: Transaction,
    number: str,
    *,
    reason: ReopenReason,
    owner: str | None,
    note: bytes | None,
    once: Once | None = None,
) -> Case:
    """Take an ended case up again; whoever the requester turns to may do it (001 §13(一)).

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    filed = await locked(tx, number)
    if once and not await claim(tx, filed.case, once):
        return filed.case
    return await take_up_again(tx, filed, reason=reason, owner=owner, by=person_of(tx).person, note=note)


async def take_up_again(
    tx: Transaction, filed: Filed, *, reason: ReopenReason, owner: str | None, by: str, note: bytes | None
) -> Case:
    """Begin the next run of a locked case that has ended, and keep the one that ended. Also for the event path.

    Raises:
        NotInThisState, MergedAway: the case has not ended, or goes on in another.
        ParentEnded: the case is a part of one that has ended.
        Invalid: the person responsible is not at work in the branch.
    """
    case = filed.case
    await require_whole_open(tx, filed)
    is_known, department = await directory.active_person(tx, owner or case.owner, case.branch)
    if not is_known:
        raise unknown_owner()
    changed, fact = life.reopen(
        case,
        reason=reason,
        owner=owner or case.owner,
        department=department if owner else case.department,
        by=by,
        now=tx.now,
    )
    await runs.add_run(tx, case, fact)
    await record(tx, case, changed, fact, "reopen case", note=note)
    return changed


async def reclassify_case(
    tx: Transaction,
    number: str,
    *,
    type: CaseType,
    severity: Severity | None,
    note: bytes | None,
    once: Once | None = None,
) -> Case:
    """Correct the kind or the severity of a case; its clocks follow.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
        ClientBlacklisted: it would become a service request of a client on the list of dishonest clients.
    """
    actor = actor_of(tx)
    filed = await locked(tx, number)
    identifier_hash = filed.protected.client_identifier_hash
    entry = None if identifier_hash is None else await listed.listed_entry(tx, identifier_hash)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        refuse_service(type, entry[1] if entry else None)
        return life.reclassify(case, type=type, severity=severity, actor=actor, now=tx.now)

    return await work_on(tx, filed, "reclassify case", decide, note=note, once=once)


async def promise_case(
    tx: Transaction,
    number: str,
    *,
    promised_at: datetime,
    requester_consented: bool,
    note: bytes | None,
    once: Once | None = None,
) -> Case:
    """Record the reply time agreed with the requester.

    Raises:
        NoSuchCase, Forbidden, Invalid, Refused: what stands against it.
    """
    actor = actor_of(tx)
    filed = await locked(tx, number)
    due_at = await facts.earliest_due(tx, filed.case.id)

    def decide(case: Case) -> tuple[Case, CaseEvent]:
        return life.promise(
            case,
            promised_at=promised_at,
            requester_consented=requester_consented,
            due_at=due_at,
            actor=actor,
            now=tx.now,
        )

    return await work_on(tx, filed, "promise reply", decide, note=note, once=once)
