"""Clocks with their explanation."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shouwen.contracts.clock import ClockState
from shouwen.contracts.event import Identifier
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Caller, Principal
from shouwen.runtime.errors import Invalid
from shouwen.runtime.http import After, Limit, Page
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.explanation import Segment
from shouwen.sla.domain.instant import SECOND, moment
from shouwen.sla.domain.instruction import Extending, Instructing, Pausing, Resuming
from shouwen.sla.domain.pack import Name
from shouwen.sla.handlers import clocks, instructions
from shouwen.sla.handlers.clocks import Explained
from shouwen.sla.handlers.rules import Rules
from shouwen.sla.store.clocks import ClockFilter


class ClockItem(BaseModel):
    """A clock in a list."""

    id: UUID
    subject: str = Field(description="What it times: case/{id}, or another system's subject")
    branch: str
    pack: str
    policy: str
    target: str
    clause: str = Field(description="Where the limit is written; a limit of the suite's own says so")
    cycle: int = Field(description="A start after the end of one cycle begins the next")
    state: ClockState
    breached: bool
    started_at: datetime
    due_at: datetime | None = Field(
        description="The deadline; null while the clock is paused and nobody knows until when"
    )
    ended_at: datetime | None = Field(description="When it was met or cancelled")
    provisional: bool = Field(description="The deadline rests on public holidays that are not announced yet")
    owner: str | None
    department: str | None
    trace_id: str | None


class SegmentItem(BaseModel):
    """A span between start and deadline, and how much of the limit it used up."""

    kind: str = Field(description="worked, makeup_day, lunch, off_hours, weekend, holiday, closed, elapsed, …")
    from_: datetime = Field(serialization_alias="from")
    to: datetime | None
    counted_seconds: float
    reason: str | None = None
    by: str | None = None


class FiringItem(BaseModel):
    """One warning, the breach, or one escalation of a clock."""

    kind: Literal["at_risk", "breached", "escalated"]
    at: datetime | None = Field(description="When it is set for; null while the clock is paused before it")
    fired_at: datetime | None = Field(description="When it fired; null when it has not, or was passed over")
    level: int | None = None
    role: str | None = None


class ExtensionItem(BaseModel):
    """More time that was approved."""

    units: int = Field(description="In the target's unit")
    reason: str
    approved_by: str | None
    approved_at: datetime
    requester_informed_at: datetime | None


class ClockDetail(ClockItem):
    """A clock with its explanation: the counted seconds of its segments add up to ``limit_seconds``."""

    pack_version: int
    reason: str | None = Field(description="Why it was cancelled")
    limit_seconds: float | None
    remaining_seconds: float | None = Field(description="What is left when a paused clock resumes")
    segments: list[SegmentItem]
    firings: list[FiringItem]
    extensions: list[ExtensionItem]
    statutory: bool | None = Field(
        description="A duty by law: never paused, never extended; null if not known any more"
    )
    pausable: list[str] = Field(description="Reasons for which it may pause")
    extension_role: str | None = Field(description="The role that may approve more time; null when nobody may")


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PauseRequest(_Asked):
    """Why the clock stands still, and for how long."""

    reason: Name = Field(description="One of the clock's 'pausable'")
    expected_until: AwareDatetime | None = Field(None, description="When it resumes by itself, unless resumed before")
    evidence: Identifier | None = Field(None, description="Where it is written that the matter waits")


class ExtendRequest(_Asked):
    """More time, approved before the deadline, and told to the requester."""

    units: int = Field(ge=1, description="How much, in the target's unit")
    reason: Name
    requester_informed_at: AwareDatetime


def add_routes(router: APIRouter, work: UnitOfWork, rules: Rules) -> None:
    """Clocks: lists, and one with its explanation."""

    @router.get("/clocks")
    async def list_clocks(  # pyright: ignore[reportUnusedFunction]
        caller: Caller,
        limit: Limit,
        after: After,
        subject: Annotated[str | None, Query(max_length=200, description="As case/{id}")] = None,
        branch: Annotated[str | None, Query(max_length=40)] = None,
        state: ClockState | None = None,
        breached: bool | None = None,
        owner: Annotated[str | None, Query(max_length=200, description="The person responsible")] = None,
        department: Annotated[str | None, Query(max_length=200)] = None,
        due_before: datetime | None = None,
    ) -> Page[ClockItem]:
        """Clocks you may see, the earliest deadline first."""
        wanted = ClockFilter(subject, branch, state, breached, owner, department, due_before)
        async with work.as_person(caller) as tx:
            rows = await clocks.list_clocks(tx, wanted, _key(after), limit + 1)
        items = [ClockItem.model_validate(_item(row)) for row in rows[:limit]]
        return Page(items=items, next=_after_key(rows[limit - 1]) if len(rows) > limit else None)

    @router.get("/clocks/{clock_id}")
    async def get_clock(clock_id: UUID, caller: Caller) -> ClockDetail:  # pyright: ignore[reportUnusedFunction]
        """One clock: why it is due when it is, and what it fires when."""
        async with work.as_person(caller) as tx:
            return _detail(await clocks.explain_as_decided(tx, clock_id, rules))

    async def instruct(clock_id: UUID, caller: Principal, asked: Instructing) -> ClockDetail:
        policies = await rules.current()
        async with work.as_person(caller) as tx:
            return _detail(await instructions.instruct(tx, clock_id, asked, policies))

    @router.post("/clocks/{clock_id}/pause")
    async def pause_clock(  # pyright: ignore[reportUnusedFunction]
        clock_id: UUID, caller: Caller, asked: PauseRequest
    ) -> ClockDetail:
        """Let a clock stand still, for a reason that its pack knows. Statutory clocks never do."""
        return await instruct(clock_id, caller, Pausing(asked.reason, asked.expected_until, asked.evidence))

    @router.post("/clocks/{clock_id}/resume")
    async def resume_clock(clock_id: UUID, caller: Caller) -> ClockDetail:  # pyright: ignore[reportUnusedFunction]
        """Let a paused clock go on."""
        return await instruct(clock_id, caller, Resuming())

    @router.post("/clocks/{clock_id}/extend")
    async def extend_clock(  # pyright: ignore[reportUnusedFunction]
        clock_id: UUID, caller: Caller, asked: ExtendRequest
    ) -> ClockDetail:
        """Approve more time before the deadline; the requester has been told. For the role that the pack names."""
        return await instruct(clock_id, caller, Extending(asked.units, asked.reason, asked.requester_informed_at))


def _item(row: asyncpg.Record) -> dict[str, Any]:
    return {
        **{name: row[name] for name in _SAME},
        "id": row["clock_id"],
        "state": "scheduled" if row["is_scheduled"] else row["state"],
        "due_at": row["due_at"] if row["deadline_stands"] else None,
        "trace_id": telemetry.trace_id_of(row["traceparent"]),
    }


_SAME = (
    "subject",
    "branch",
    "pack",
    "policy",
    "target",
    "clause",
    "cycle",
    "breached",
    "started_at",
    "ended_at",
    "provisional",
    "owner",
    "department",
)


def _detail(explained: Explained) -> ClockDetail:
    row, clock = explained.row, explained.clock
    kinds = ["at_risk"] * row["breach_step"] + ["breached"] + ["escalated"] * len(row["roles"])
    firings: list[dict[str, Any]] = []
    for index, kind in enumerate(kinds):
        level = index - row["breach_step"] if kind == "escalated" else None
        firings.append(
            {
                "kind": kind,
                "at": row["fire_at"][index],
                "fired_at": row["fired_at"][index],
                "level": level,
                "role": row["roles"][level - 1] if level else None,
            }
        )
    return ClockDetail.model_validate(
        {
            **_item(row),
            "pack_version": row["pack_version"],
            "reason": row["reason"],
            "limit_seconds": None if clock is None else clock.allowance.amount / SECOND,
            "remaining_seconds": explained.remaining / SECOND if row["state"] == "paused" else None,
            "segments": [_segment(each) for each in explained.segments],
            "firings": firings,
            "extensions": [
                {
                    "units": each["units"],
                    "reason": each["reason"],
                    "approved_by": each["by"],
                    "approved_at": moment(each["at"]),
                    "requester_informed_at": each["informed_at"],
                }
                for each in row["extensions"]
            ],
            "statutory": None if clock is None else clock.target.statutory,
            "pausable": [] if clock is None else sorted(clock.target.pausable),
            "extension_role": _extension_role(clock),
        }
    )


def _extension_role(clock: Clock | None) -> str | None:
    return None if clock is None or clock.target.extension is None else clock.target.extension.role


def _segment(segment: Segment) -> SegmentItem:
    return SegmentItem(
        kind=segment.kind,
        from_=moment(segment.starts),
        to=None if segment.ends is None else moment(segment.ends),
        counted_seconds=segment.counted / SECOND,
        reason=segment.reason,
        by=segment.by,
    )


def _after_key(row: asyncpg.Record) -> str:
    return base64.urlsafe_b64encode(f"{row['due_at'].isoformat()} {row['clock_id']}".encode()).decode()


def _key(after: str | None) -> tuple[datetime, UUID] | None:
    if after is None:
        return None
    try:
        due_at, _, clock_id = base64.urlsafe_b64decode(after).decode().partition(" ")
        return datetime.fromisoformat(due_at), UUID(clock_id)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise Invalid(
            "is not the key of a page.", field="after", remedy="Send the 'next' of the page before."
        ) from None
