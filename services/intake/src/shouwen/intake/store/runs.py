"""The earlier runs of cases that were taken up again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.case import CaseReopened
from shouwen.intake.domain.case import Case
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/runs.sql")


@dataclass(frozen=True, slots=True)
class Run:
    """What an earlier run came to, and why the next began."""

    cycle: int
    state: str
    owner: str
    department: str | None
    promised_at: datetime | None
    acknowledged_at: datetime | None
    replied_at: datetime | None
    plan_delivered_at: datetime | None
    found_malicious_at: datetime | None
    ended_at: datetime | None
    reopened_at: datetime
    reopened_by: str
    reason: str


async def add_run(tx: Transaction, ended: Case, fact: CaseReopened) -> None:
    """Keep the run that ended; ``ended`` is the case before it was reopened."""
    await tx.execute(
        QUERIES.add_run,
        ended.id,
        ended.cycle,
        ended.branch,
        ended.state,
        ended.owner,
        ended.department,
        ended.promised_at,
        ended.acknowledged_at,
        ended.replied_at,
        ended.plan_delivered_at,
        ended.found_malicious_at,
        ended.ended_at,
        fact.reopened_at,
        fact.reopened_by,
        fact.reason,
    )


async def runs(tx: Transaction, case_id: UUID) -> list[Run]:
    """The earlier runs, the first one first."""
    return [Run(**dict(row)) for row in await tx.fetch(QUERIES.runs, case_id)]
