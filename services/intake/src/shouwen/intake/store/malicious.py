"""What persons hold complaints to be."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shouwen.intake.domain.case import Case
from shouwen.intake.domain.malicious import Proposal
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/malicious.sql")


@dataclass(frozen=True, slots=True)
class FiledProposal:
    """A proposal with its words, as they rest."""

    proposal: Proposal
    reason: bytes
    decision: bytes | None


async def add_proposal(tx: Transaction, case: Case, proposal: Proposal, *, reason: bytes) -> None:
    """Keep a proposal."""
    await tx.execute(
        QUERIES.add_proposal, proposal.id, case.id, case.branch, proposal.proposed_by, proposal.proposed_at, reason
    )


async def open_proposal(tx: Transaction, case_id: UUID) -> Proposal | None:
    """The proposal that waits for a second person; the case is to be locked before."""
    row = await tx.fetch_one(QUERIES.open_proposal, case_id)
    return None if row is None else _filed(row).proposal


async def decide(tx: Transaction, proposal: Proposal, *, decision: bytes | None) -> None:
    """Keep what a second person made of it."""
    await tx.execute(QUERIES.decide, proposal.id, proposal.state, proposal.decided_by, proposal.decided_at, decision)


async def proposals(tx: Transaction, case_id: UUID) -> list[FiledProposal]:
    """All proposals about a case, the first one first."""
    return [_filed(row) for row in await tx.fetch(QUERIES.proposals, case_id)]


def _filed(row: asyncpg.Record) -> FiledProposal:
    proposal = Proposal(
        id=UUID(int=row["id"].int),
        proposed_by=row["proposed_by"],
        proposed_at=row["proposed_at"],
        state=row["state"],
        decided_by=row["decided_by"],
        decided_at=row["decided_at"],
    )
    return FiledProposal(proposal=proposal, reason=row["reason"], decision=row["decision"])
