"""That a complaint is malicious: proposed by one person, decided by another."""

from shouwen.intake.domain import malicious
from shouwen.intake.domain.case import Case
from shouwen.intake.handlers.shared import Once, actor_of, claim, locked, record
from shouwen.intake.store import malicious as findings
from shouwen.runtime.ids import new_id
from shouwen.runtime.unit_of_work import Transaction


async def propose_malicious(tx: Transaction, number: str, *, reason: bytes, once: Once | None = None) -> Case:
    """Propose that a complaint is malicious; nothing is told of it yet.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    standing = await findings.open_proposal(tx, case.id)
    proposal = malicious.propose(case, standing, proposal_id=new_id(tx.now), actor=actor_of(tx), now=tx.now)
    await findings.add_proposal(tx, case, proposal, reason=reason)
    return case


async def confirm_malicious(tx: Transaction, number: str, *, note: bytes | None, once: Once | None = None) -> Case:
    """Agree as the second person; now it is told, and the clocks end.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    standing = await findings.open_proposal(tx, case.id)
    changed, decided, fact = malicious.confirm(case, standing, actor=actor_of(tx), now=tx.now)
    await findings.decide(tx, decided, decision=note)
    await record(tx, case, changed, fact, "find malicious", note=note)
    return changed


async def reject_malicious(tx: Transaction, number: str, *, reason: bytes, once: Once | None = None) -> Case:
    """Disagree as the second person; the complaint goes on as it was.

    Raises:
        NoSuchCase, Forbidden, Refused: what stands against it.
    """
    case = (await locked(tx, number)).case
    if once and not await claim(tx, case, once):
        return case
    standing = await findings.open_proposal(tx, case.id)
    await findings.decide(tx, malicious.reject(case, standing, actor=actor_of(tx), now=tx.now), decision=reason)
    return case
