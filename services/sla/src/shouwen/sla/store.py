"""What sla keeps: one function for each named query."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shouwen.contracts.directory import BranchDescribed
from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime import queries, telemetry
from shouwen.runtime.unit_of_work import Transaction
from shouwen.sla.domain.allowance import Pause
from shouwen.sla.domain.arming import Armed, Kept
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.instant import micros, moment
from shouwen.sla.domain.policies import Branch

QUERIES = queries.load("shouwen.sla")

Subject = tuple[str, str]
"""Branch and subject: two publishers may use one name in different branches."""

_LEFT_OUT = frozenset({"client"})
"""Fields of events that clocks never need: what only another service can open is not kept a second time."""


@dataclass(frozen=True, slots=True)
class HeardFact:
    """A fact and the subject it is about."""

    subject: Subject
    source: str
    event_id: str
    fact: Fact

    @classmethod
    def of(cls, event: CloudEvent[Event]) -> "HeardFact":
        """The fact that an event tells. One that came without a trace begins one, so that its clocks have a trace."""
        data = event.data.model_dump(mode="json", exclude=set(_LEFT_OUT))
        traceparent = event.traceparent or telemetry.child_traceparent(None)
        fact = Fact(f"{event.source} {event.id}", event.type, event.time, data, traceparent)
        return cls((event.data.branch, event.subject), event.source, event.id, fact)


@dataclass(frozen=True, slots=True)
class Fired:
    """One firing that was just queued."""

    event_type: str
    branch: str
    subject: str
    target: str
    traceparent: str
    span: str
    late_seconds: float
    fired_at: datetime


async def save_branch(tx: Transaction, branch: BranchDescribed, *, from_file: bool) -> None:
    """Keep a branch as it was last described; what the stream told stands above the directory file."""
    packs = list(branch.packs)
    await tx.execute(QUERIES.save_branch, branch.branch, branch.name, branch.time_zone, packs, from_file)


async def get_branches(tx: Transaction, codes: Iterable[str]) -> dict[str, Branch]:
    """Those of these branches that are known."""
    rows = await tx.fetch(QUERIES.get_branches, list(codes))
    return {row["branch"]: Branch(row["branch"], row["time_zone"], tuple(row["packs"])) for row in rows}


async def lock_subjects(tx: Transaction, counts: Mapping[Subject, int]) -> set[Subject]:
    """Lock these subjects, creating those that are new; the answer are those about which something was known before."""
    branches, subjects = [key[0] for key in counts], [key[1] for key in counts]
    rows = await tx.fetch(QUERIES.lock_subjects, branches, subjects, list(counts.values()))
    known = ((row["branch"], row["subject"], row["facts"]) for row in rows)
    return {(branch, subject) for branch, subject, facts in known if facts > counts[branch, subject]}


async def add_facts(tx: Transaction, heard: Sequence[HeardFact]) -> None:
    """Keep facts as they came."""
    await tx.execute(
        QUERIES.add_facts,
        [each.subject[0] for each in heard],
        [each.subject[1] for each in heard],
        [each.source for each in heard],
        [each.event_id for each in heard],
        [each.fact.type for each in heard],
        [each.fact.time for each in heard],
        [json.dumps(each.fact.data) for each in heard],
        [each.fact.traceparent for each in heard],
    )


async def facts_of(tx: Transaction, subjects: Iterable[Subject]) -> dict[Subject, list[Fact]]:
    """Everything heard about these subjects."""
    wanted = list(subjects)
    rows = await tx.fetch(QUERIES.facts_of, [key[0] for key in wanted], [key[1] for key in wanted])
    facts: dict[Subject, list[Fact]] = {key: [] for key in wanted}
    for row in rows:
        fact = Fact(
            f"{row['source']} {row['event_id']}", row["event_type"], row["event_time"], row["data"], row["traceparent"]
        )
        facts[row["branch"], row["subject"]].append(fact)
    return facts


async def lock_clocks(tx: Transaction, subjects: Iterable[Subject]) -> dict[UUID, Kept]:
    """The clocks of these subjects, held until the transaction ends."""
    wanted = list(subjects)
    rows = await tx.fetch(QUERIES.lock_clocks, [key[0] for key in wanted], [key[1] for key in wanted])
    return {row["clock_id"]: _kept(row) for row in rows}


async def save_clocks(tx: Transaction, armed: Iterable[Armed]) -> None:
    """Keep clocks, new or changed."""
    await tx.execute(QUERIES.save_clocks, [_row(each) for each in armed])


async def fire_due(tx: Transaction, limit: int, source: str) -> list[Fired]:
    """Fire the next step of up to ``limit`` clocks that are due, and queue the events."""
    return [Fired(**dict(row)) for row in await tx.fetch(QUERIES.fire_due, limit, source)]


async def next_firing(tx: Transaction) -> float | None:
    """Seconds until the earliest firing; below 0 when it is overdue; None when no clock is armed."""
    return await tx.fetch_value(QUERIES.next_firing)


@dataclass(frozen=True, slots=True)
class ClockFilter:
    """Which clocks to list; what is None does not restrict."""

    subject: str | None = None
    branch: str | None = None
    state: str | None = None
    breached: bool | None = None
    owner: str | None = None
    department: str | None = None
    due_before: datetime | None = None


async def list_clocks(
    tx: Transaction, wanted: ClockFilter, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Clocks the person may see, the earliest deadline first, after a key."""
    due_at, clock_id = after or (None, None)
    return await tx.fetch(
        QUERIES.list_clocks,
        wanted.subject,
        wanted.branch,
        wanted.state,
        wanted.breached,
        wanted.owner,
        wanted.department,
        wanted.due_before,
        due_at,
        clock_id,
        limit,
    )


async def get_clock(tx: Transaction, clock_id: UUID) -> asyncpg.Record | None:
    """One clock, if the person may see it."""
    return await tx.fetch_one(QUERIES.get_clock, clock_id)


def _kept(row: asyncpg.Record) -> Kept:
    return Kept(
        clock_id=row["clock_id"],
        state=row["state"],
        breached=row["breached"],
        started_at=micros(row["started_at"]),
        due_at=micros(row["due_at"]),
        deadline_stands=row["deadline_stands"],
        ended_at=_optional_micros(row["ended_at"]),
        provisional=row["provisional"],
        pauses=tuple(Pause(pause["starts"], pause["ends"], pause["reason"], pause["by"]) for pause in row["pauses"]),
        instants=tuple(_optional_micros(at) for at in row["fire_at"]),
        step=row["step"],
        generation=row["generation"],
        fired_at=tuple(_optional_micros(at) for at in row["fired_at"]),
        owner=row["owner"],
        department=row["department"],
    )


def _row(armed: Armed) -> dict[str, Any]:
    clock = armed.clock
    return {
        "clock_id": str(clock.clock_id),
        "branch": clock.branch,
        "subject": clock.subject,
        "pack": clock.target.pack,
        "pack_version": clock.target.version,
        "policy": clock.target.policy,
        "target": clock.target.name,
        "clause": clock.target.clause_text,
        "cycle": clock.cycle,
        "state": clock.state,
        "breached": armed.breached,
        "provisional": clock.provisional,
        "started_at": _text(clock.started_at),
        "due_at": _text(clock.due_at),
        "deadline_stands": clock.deadline_stands,
        "ended_at": _optional_text(clock.ended_at),
        "reason": clock.reason,
        "pauses": [
            {"starts": pause.starts, "ends": pause.ends, "reason": pause.reason, "by": pause.by}
            for pause in clock.pauses
        ],
        "owner": clock.responsible.owner,
        "department": clock.responsible.department,
        "traceparent": clock.traceparent,
        "fire_at": [_optional_text(step.at) for step in clock.steps],
        "fired_at": [_optional_text(at) for at in armed.fired_at],
        "breach_step": clock.breach_step,
        "roles": [step.role for step in clock.steps if step.kind == "escalated"],
        "step": armed.step,
        "generation": armed.generation,
        "next_fire_at": _optional_text(armed.next_fire_at),
    }


def _text(at: int) -> str:
    return moment(at).isoformat()


def _optional_text(at: int | None) -> str | None:
    return None if at is None else _text(at)


def _optional_micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)
