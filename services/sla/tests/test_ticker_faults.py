"""Firing through crashes, replicas, downtime and races: each step once, in order, late ones marked."""

import asyncio
import os
import signal
import sys
from collections import Counter, defaultdict
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from shouwen.contracts.case import CaseRegistered, CaseReplied
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, ClockFact, ClockMet, EscalationRaised
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.testing import Grounds, Running
from shouwen.sla.app import create
from shouwen.sla.domain.clock import firing_id
from shouwen.sla.settings import SlaSettings

DAY = timedelta(hours=24)
FAST: dict[str, Any] = {"ticker_interval": timedelta(milliseconds=50)}


def registered(case_id: UUID, received_at: datetime) -> CloudEvent[CaseRegistered]:
    """A complaint in Chengdu: one clock, 24 hours from ``received_at``."""
    return CloudEvent.of(
        CaseRegistered(
            branch="chengdu",
            case_id=case_id,
            number="CD-2026-000001",
            case_type="complaint",
            severity=None,
            channel="letter",
            received_at=received_at,
            registered_at=datetime.now(UTC),
            registrar="cd.clerk",
            owner="cd.clerk",
            promised_at=None,
        ),
        source="/shouwen/intake",
    )


async def fired(sla: Running, case_id: UUID) -> list[CloudEvent[ClockFact]]:
    """Everything that fired for a case, in the order of its stream."""
    await sla.settled()
    events: list[CloudEvent[ClockFact]] = []
    for kind in (ClockAtRisk, ClockBreached, EscalationRaised):
        for event in await sla.emitted(kind, count=0):
            if event.data.timed_subject == f"case/{case_id}":
                events.append(event)
    return events


async def process(ground: Grounds, directory_file: Path, failpoint: str) -> int:
    """Run the service as a process of its own until the failpoint kills it; the answer is its exit code."""
    environment = {
        **os.environ,
        **ground.environment(),
        "SHOUWEN_DIRECTORY_FILE": str(directory_file),
        "SHOUWEN_FAILPOINT": failpoint,
        "SHOUWEN_LOG_LEVEL": "ERROR",
    }
    service = await asyncio.create_subprocess_exec(sys.executable, "-m", "shouwen.sla", env=environment)
    try:
        async with asyncio.timeout(60):
            return await service.wait()
    except TimeoutError:
        service.kill()
        raise


async def armed_then_down(ground: Grounds, directory_file: Path, *cases: UUID, due_in: timedelta) -> None:
    """Arm clocks that fall due while nothing runs."""
    due_at = datetime.now(UTC) + due_in
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        await sla.hears(*(registered(case_id, due_at - DAY) for case_id in cases))
        await sla.settled()
        [row] = await sla.fetch("SELECT count(*) AS n FROM clock WHERE step < breach_step OR NOT breached")
        assert row["n"] == len(cases), "nothing is due while the service still runs"
    await asyncio.sleep(max(0.0, (due_at - datetime.now(UTC)).total_seconds()))


@pytest.mark.fault
@pytest.mark.req("S-16", "X-05")
@pytest.mark.parametrize("failpoint", ["ticker.before_commit@1", "ticker.after_commit@1"])
async def test_a_ticker_killed_at_its_commit_fires_each_step_once(
    ground: Grounds, directory_file: Path, failpoint: str
) -> None:
    cases = [uuid4() for _ in range(5)]
    await armed_then_down(ground, directory_file, *cases, due_in=timedelta(seconds=15))
    assert await process(ground, directory_file, failpoint) == -signal.SIGKILL
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        await sla.emitted(EscalationRaised, count=len(cases))
        for case_id in cases:
            events = await fired(sla, case_id)
            assert Counter(event.type for event in events) == {
                "clock.at_risk.v1": 1,
                "clock.breached.v1": 1,
                "escalation.raised.v1": 1,
            }
            breached = next(event for event in events if isinstance(event.data, ClockBreached))
            assert breached.id == str(firing_id(breached.data.clock_id, 1, 2, 0))


@pytest.mark.req("S-16")
async def test_a_late_start_fires_what_is_overdue_in_order_and_marked_late(
    ground: Grounds, directory_file: Path
) -> None:
    case_id = uuid4()
    await armed_then_down(ground, directory_file, case_id, due_in=timedelta(seconds=15))
    # A week of downtime, as the database sees it: everything about the clock moves a week into the past.
    async with ground.running(create, SlaSettings, ticker_interval=timedelta(minutes=1)) as sla:
        await sla.settled()
    import asyncpg

    owner = await asyncpg.connect(ground.url("owner"))
    await owner.execute("DELETE FROM outbox")
    await owner.execute(
        "UPDATE clock SET step = 0, generation = generation + 1, breached = false, "
        "due_at = due_at - interval '7 days', started_at = started_at - interval '7 days', "
        "fire_at = (SELECT array_agg(at - interval '7 days' ORDER BY place) "
        "           FROM unnest(fire_at) WITH ORDINALITY AS each (at, place)), "
        "next_fire_at = fire_at[1] - interval '7 days'"
    )
    await owner.close()
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        await sla.emitted(EscalationRaised, count=3)
        records = [record for record in await sla.records("clock.v1") if record.key is not None]
        types = [dict(record.headers)["ce_type"].decode() for record in records]
        assert types[-5:] == [
            "clock.at_risk.v1",
            "clock.at_risk.v1",
            "clock.breached.v1",
            "escalation.raised.v1",
            "escalation.raised.v1",
        ]
        [breached] = [
            event
            for event in await sla.emitted(ClockBreached)
            if event.data.late_seconds > timedelta(days=6).total_seconds()
        ]
        assert breached.data.late_seconds == pytest.approx(7 * 86400, abs=120)


@pytest.mark.fault
@pytest.mark.req("S-16", "X-05")
async def test_two_replicas_fire_each_step_once(ground: Grounds, directory_file: Path) -> None:
    cases = [uuid4() for _ in range(300)]
    due_at = datetime.now(UTC) + timedelta(seconds=20)
    async with AsyncExitStack() as stack:
        replicas = [
            await stack.enter_async_context(
                ground.running(create, SlaSettings, directory_file=directory_file, ticker_batch=20, **FAST)
            )
            for _ in range(2)
        ]
        first = replicas[0]
        for case_id in cases:
            event = registered(case_id, due_at - DAY)
            await first.publish_raw("case.v1", event.key, event.headers(), event.body(), wait=False)
        raised = await first.emitted(EscalationRaised, count=len(cases), timeout=90)
        breached = await first.emitted(ClockBreached, count=len(cases))
        for events in (raised, breached):
            assert Counter(event.data.timed_subject for event in events) == {f"case/{case_id}": 1 for case_id in cases}
        order: dict[str, list[str]] = defaultdict(list)
        for record in await first.records("clock.v1"):
            headers = dict(record.headers)
            order[headers["ce_subject"].decode()].append(headers["ce_type"].decode())
        for types in order.values():
            assert types[0] == "clock.started.v1"
            assert types[-2:] == ["clock.breached.v1", "escalation.raised.v1"]


@pytest.mark.req("S-16")
async def test_a_stop_that_committed_wins_over_a_firing(ground: Grounds, directory_file: Path) -> None:
    answered, open_ = uuid4(), uuid4()
    due_at = datetime.now(UTC) + timedelta(seconds=8)
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        shenzhen: dict[str, Any] = {"branch": "shenzhen", "case_type": "inquiry", "channel": "email"}
        for case_id in (answered, open_):
            event = registered(case_id, due_at - DAY)
            await sla.hears(CloudEvent.of(event.data.model_copy(update=shenzhen), source=event.source))
        reply = CaseReplied(
            branch="shenzhen",
            case_id=answered,
            number="SZ-2026-000001",
            replied_at=datetime.now(UTC),
            replied_by="sz.clerk",
        )
        await sla.hears(CloudEvent.of(reply, source="/shouwen/intake"))
        assert datetime.now(UTC) < due_at, "the answer has to come in time for this test"
        breached = await sla.emitted(ClockBreached)
        assert {event.data.timed_subject for event in breached} == {f"case/{open_}"}
        [met] = await sla.emitted(ClockMet)
        assert (met.data.timed_subject, met.data.breached) == (f"case/{answered}", False)
        assert len(await sla.emitted(ClockBreached, count=0)) == 1


@pytest.mark.fault
@pytest.mark.req("S-16", "X-05")
async def test_stops_and_firings_that_race_leave_no_clock_in_between(ground: Grounds, directory_file: Path) -> None:
    cases = [uuid4() for _ in range(200)]
    due_at = datetime.now(UTC) + timedelta(seconds=12)
    async with ground.running(create, SlaSettings, directory_file=directory_file, ticker_batch=10, **FAST) as sla:
        shenzhen: dict[str, Any] = {"branch": "shenzhen", "case_type": "inquiry", "channel": "email"}
        for case_id in cases:
            event = registered(case_id, due_at - DAY)
            data = CloudEvent.of(event.data.model_copy(update=shenzhen), source=event.source)
            await sla.publish_raw("case.v1", data.key, data.headers(), data.body(), wait=False)
        await asyncio.sleep(max(0.0, (due_at - datetime.now(UTC)).total_seconds() - 0.1))
        for case_id in cases:
            # Answered after the deadline: each is breached, told by the ticker or by the one who heard the answer.
            reply = CaseReplied(
                branch="shenzhen",
                case_id=case_id,
                number="SZ-2026-000001",
                replied_at=due_at + timedelta(seconds=1),
                replied_by="sz.clerk",
            )
            one = CloudEvent.of(reply, source="/shouwen/intake")
            await sla.publish_raw("case.v1", one.key, one.headers(), one.body(), wait=False)
        met = await sla.emitted(ClockMet, count=len(cases), timeout=60)
        assert all(event.data.breached for event in met)
        await sla.settled()
        breached = await sla.emitted(ClockBreached, count=len(cases))
        assert Counter(event.data.timed_subject for event in breached) == {f"case/{case_id}": 1 for case_id in cases}
        rows = await sla.fetch("SELECT state, breached, next_fire_at FROM clock")
        assert {tuple(row) for row in rows} == {("completed", True, None)}
        for record_types in (await _types_by_clock(sla)).values():
            assert record_types.index("clock.breached.v1") < record_types.index("clock.met.v1")
            assert record_types[-1] == "clock.met.v1"


async def _types_by_clock(sla: Running) -> dict[str, list[str]]:
    order: dict[str, list[str]] = defaultdict(list)
    for record in await sla.records("clock.v1"):
        headers = dict(record.headers)
        order[headers["ce_subject"].decode()].append(headers["ce_type"].decode())
    return order
