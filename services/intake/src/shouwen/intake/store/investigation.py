"""Investigations, what was found out in them, and what is to be put right."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

import asyncpg

from shouwen.intake.domain.investigation import CorrectiveAction, Investigation
from shouwen.runtime import queries
from shouwen.runtime.unit_of_work import Transaction

QUERIES = queries.load("shouwen.intake", "sql/investigation.sql")


@dataclass(frozen=True, slots=True)
class WrittenFact:
    """What an investigator found out, encrypted."""

    id: UUID
    round: int
    recorded_at: datetime
    recorded_by: str
    words: bytes


@dataclass(frozen=True, slots=True)
class WrittenInvestigation:
    """A round of an investigation with its words, encrypted."""

    investigation: Investigation
    reasoning: bytes | None
    ruling: bytes | None
    explanation: bytes | None
    help_offered: bytes | None


@dataclass(frozen=True, slots=True)
class WrittenAction:
    """A corrective action with its words, encrypted."""

    action: CorrectiveAction
    task: bytes
    outcome: bytes | None


async def latest_investigation(tx: Transaction, case_id: UUID) -> Investigation | None:
    """The latest round of a case's investigation."""
    row = await tx.fetch_one(QUERIES.latest_investigation, case_id)
    return None if row is None else _investigation(row)


async def investigations(tx: Transaction, case_id: UUID) -> list[WrittenInvestigation]:
    """Every round of a case's investigation, the latest first."""
    return [
        WrittenInvestigation(
            investigation=_investigation(row),
            reasoning=row["reasoning"],
            ruling=row["ruling"],
            explanation=row["explanation"],
            help_offered=row["help_offered"],
        )
        for row in await tx.fetch(QUERIES.investigations, case_id)
    ]


async def save_investigation(tx: Transaction, investigation: Investigation) -> None:
    """Keep a round as it is now."""
    await tx.execute(
        QUERIES.save_investigation,
        investigation.case_id,
        investigation.round,
        investigation.branch,
        investigation.investigator,
        sorted(investigation.complained_of),
        investigation.opened_at,
        investigation.opened_by,
        investigation.finding,
        investigation.found_at,
        investigation.approved_at,
        investigation.approved_by,
        investigation.explained_at,
        investigation.explained_by,
    )


async def save_reasoning(tx: Transaction, investigation: Investigation, words: bytes | None) -> None:
    """Keep why the investigator came to the finding."""
    await tx.execute(QUERIES.save_reasoning, investigation.case_id, investigation.round, words)


async def save_ruling(tx: Transaction, investigation: Investigation, words: bytes) -> None:
    """Keep what was ruled."""
    await tx.execute(QUERIES.save_ruling, investigation.case_id, investigation.round, words)


async def save_explanation(
    tx: Transaction, investigation: Investigation, *, explanation: bytes, help_offered: bytes
) -> None:
    """Keep what the client was told, and the help offered."""
    await tx.execute(QUERIES.save_explanation, investigation.case_id, investigation.round, explanation, help_offered)


async def add_investigation_fact(
    tx: Transaction, investigation: Investigation, *, fact_id: UUID, by: str, words: bytes
) -> None:
    """Keep what the investigator found out, for ever."""
    await tx.execute(
        QUERIES.add_investigation_fact,
        fact_id,
        investigation.case_id,
        investigation.round,
        investigation.branch,
        tx.now,
        by,
        words,
    )


async def investigation_facts(tx: Transaction, case_id: UUID) -> list[WrittenFact]:
    """What was found out in every round, the oldest first."""
    return [
        WrittenFact(
            id=UUID(int=row["id"].int),
            round=row["round"],
            recorded_at=row["recorded_at"],
            recorded_by=row["recorded_by"],
            words=row["words"],
        )
        for row in await tx.fetch(QUERIES.investigation_facts, case_id)
    ]


async def has_investigation_facts(tx: Transaction, investigation: Investigation) -> bool:
    """Whether anything was found out in this round."""
    return cast(bool, await tx.fetch_value(QUERIES.has_investigation_facts, investigation.case_id, investigation.round))


async def add_action(tx: Transaction, action: CorrectiveAction, task: bytes) -> None:
    """Keep what is to be put right."""
    await tx.execute(
        QUERIES.add_action,
        action.id,
        action.case_id,
        action.round,
        action.branch,
        task,
        action.owner,
        action.due_at,
        action.assigned_at,
        action.assigned_by,
    )


async def actions(tx: Transaction, case_id: UUID) -> list[WrittenAction]:
    """What is to be put right after a case, the oldest first."""
    return [
        WrittenAction(action=_action(row), task=row["task"], outcome=row["outcome"])
        for row in await tx.fetch(QUERIES.actions, case_id)
    ]


async def action(tx: Transaction, case_id: UUID, action_id: UUID) -> CorrectiveAction | None:
    """One thing to be put right after this case."""
    row = await tx.fetch_one(QUERIES.action, case_id, action_id)
    return None if row is None else _action(row)


async def complete_action(tx: Transaction, action: CorrectiveAction, outcome: bytes | None) -> None:
    """Keep that it was put right."""
    await tx.execute(QUERIES.complete_action, action.id, action.completed_at, action.completed_by, outcome)


def _investigation(row: asyncpg.Record) -> Investigation:
    return Investigation(
        case_id=UUID(int=row["case_id"].int),
        branch=row["branch"],
        round=row["round"],
        investigator=row["investigator"],
        complained_of=frozenset(row["complained_of"]),
        opened_at=row["opened_at"],
        opened_by=row["opened_by"],
        finding=row["finding"],
        found_at=row["found_at"],
        approved_at=row["approved_at"],
        approved_by=row["approved_by"],
        explained_at=row["explained_at"],
        explained_by=row["explained_by"],
    )


def _action(row: asyncpg.Record) -> CorrectiveAction:
    return CorrectiveAction(
        id=UUID(int=row["id"].int),
        case_id=UUID(int=row["case_id"].int),
        branch=row["branch"],
        round=row["round"],
        owner=row["owner"],
        due_at=row["due_at"],
        assigned_at=row["assigned_at"],
        assigned_by=row["assigned_by"],
        completed_at=row["completed_at"],
        completed_by=row["completed_by"],
    )
