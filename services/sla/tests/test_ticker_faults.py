"""Firing through crashes, replicas, downtime and races: each step once, in order, late ones marked."""

import asyncio
import os
import platform
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shouwen.contracts.case import CaseRegistered, CaseReplied
from shouwen.contracts.catalogue import parse
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, ClockMet, EscalationRaised
from shouwen.contracts.event import CloudEvent
from shouwen.embedded.testing import Infrastructure
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


ALL_STEPS = [
    "clock.at_risk.v1",
    "clock.at_risk.v1",
    "clock.breached.v1",
    "escalation.raised.v1",
    "escalation.raised.v1",
]
"""What a complaint in Chengdu fires when nobody answers it."""


def environment(ground: Grounds, directory_file: Path, **more: str) -> dict[str, str]:
    """The environment of the service as a process of its own."""
    return {
        **os.environ,
        **ground.environment(),
        "SHOUWEN_DIRECTORY_FILE": str(directory_file),
        "SHOUWEN_LOG_LEVEL": "ERROR",
        **more,
    }


async def killed(ground: Grounds, directory_file: Path, failpoint: str, batch: int) -> int:
    """Run the service as a process of its own until the failpoint kills it; the answer is its exit code."""
    told = environment(ground, directory_file, SHOUWEN_FAILPOINT=failpoint, SHOUWEN_TICKER_BATCH=str(batch))
    service = await asyncio.create_subprocess_exec(sys.executable, "-m", "shouwen.sla", env=told)
    try:
        async with asyncio.timeout(60):
            return await service.wait()
    except TimeoutError:
        service.kill()
        raise


@asynccontextmanager
async def process(ground: Grounds, directory_file: Path, **more: str) -> AsyncGenerator[None]:
    """The service as a process of its own for the time of the block."""
    told = environment(ground, directory_file, **more)
    service = await asyncio.create_subprocess_exec(sys.executable, "-m", "shouwen.sla", env=told)
    try:
        yield
        assert service.returncode is None, "the service has ended by itself"
    finally:
        if service.returncode is None:
            service.terminate()
        async with asyncio.timeout(30):
            await service.wait()


async def armed_then_down(ground: Grounds, directory_file: Path, *cases: UUID) -> None:
    """Arm clocks that are due in 23 hours, and stop."""
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        received_at = datetime.now(UTC) - timedelta(hours=1)
        await sla.hears(*(registered(case_id, received_at) for case_id in cases))
        await sla.settled()


async def pass_time(ground: Grounds, by: timedelta, *cases: UUID) -> None:
    """Let time pass for the clocks of these cases, as the database sees it: everything of them moves into the past."""
    owner = await asyncpg.connect(ground.url("owner"))
    try:
        await owner.execute(
            "WITH earlier AS (UPDATE timer SET next_fire_at = next_fire_at - $1::interval"
            " FROM clock WHERE clock.clock_id = timer.clock_id AND subject = ANY ($2::text[]))"
            " UPDATE clock SET started_at = started_at - $1::interval, due_at = due_at - $1::interval,"
            " fire_at = (SELECT array_agg(at - $1::interval ORDER BY place)"
            "            FROM unnest(fire_at) WITH ORDINALITY AS each (at, place))"
            " WHERE subject = ANY ($2::text[])",
            by,
            [f"case/{case_id}" for case_id in cases],
        )
    finally:
        await owner.close()


async def fired_in_order(sla: Running, cases: Sequence[UUID], steps: Sequence[str]) -> None:
    """Wait for all firings of these cases, and see that each came once and in order."""
    told: dict[UUID, list[CloudEvent[Any]]] = {case_id: [] for case_id in cases}

    async def missing() -> str | None:
        for events in told.values():
            events.clear()
        seen: set[str] = set()
        for record in await sla.records("clock.v1"):
            event = parse(record.headers, record.value)
            # Kafka may hold a record twice: killed after sending, before noting that it was sent. The id says so.
            if event.type in steps and event.id not in seen:
                seen.add(event.id)
                told[UUID(event.data.timed_subject.removeprefix("case/"))].append(event)  # pyright: ignore
        few = {case_id: len(events) for case_id, events in told.items() if len(events) < len(steps)}
        return f"only {few}" if few else None

    await sla.until_none(missing, 60)
    await sla.settled()
    assert await missing() is None
    for events in told.values():
        assert [event.type for event in events] == list(steps)
        breached = events[2]
        assert breached.id == str(firing_id(breached.data.clock_id, 1, 2, 0))


@pytest.mark.fault
@pytest.mark.req("S-16", "X-05")
async def test_a_ticker_killed_at_each_of_its_commit_points_fires_each_step_once_and_in_order(
    ground: Grounds, directory_file: Path
) -> None:
    cases = [uuid4() for _ in range(6)]
    await armed_then_down(ground, directory_file, *cases)
    await pass_time(ground, timedelta(days=3), *cases)
    # 30 firings, four in a transaction: the first and a later commit, before and after; then sent and not noted.
    for failpoint in (
        "ticker.before_commit@1",
        "ticker.after_commit@1",
        "ticker.before_commit@2",
        "ticker.after_commit@2",
        "relay.after_send@1",
    ):
        assert await killed(ground, directory_file, failpoint, batch=4) == -signal.SIGKILL, failpoint
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        await fired_in_order(sla, cases, ALL_STEPS)


@pytest.mark.fault
@pytest.mark.req("S-16", "X-05")
async def test_a_database_that_crashes_in_the_middle_of_a_firing_loses_and_repeats_nothing(
    infrastructure: Infrastructure, ground: Grounds, directory_file: Path
) -> None:
    if infrastructure.postgres is None:
        pytest.skip("the database server is somebody else's")
    cases = [uuid4() for _ in range(20)]
    await armed_then_down(ground, directory_file, *cases)
    await pass_time(ground, timedelta(days=3), *cases)
    blocker = await asyncpg.connect(ground.url("owner"))
    held = blocker.transaction()
    await held.start()
    await blocker.execute("LOCK TABLE outbox IN SHARE MODE")  # firing waits here, with its clocks already advanced
    async with ground.running(create, SlaSettings, directory_file=directory_file, ticker_batch=7, **FAST) as sla:

        async def not_firing() -> str | None:
            waiting = await sla.fetch(
                "SELECT FROM pg_locks WHERE NOT granted AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'"
            )
            return None if waiting else "no firing is under way"

        await sla.until_none(not_firing)
        await asyncio.to_thread(infrastructure.postgres.stop, "immediate")
        await asyncio.to_thread(infrastructure.postgres.start)
        await asyncio.to_thread(infrastructure.postgres.wait_ready)
        await fired_in_order(sla, cases, ALL_STEPS)
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await blocker.close(timeout=1)


@pytest.mark.fault
@pytest.mark.req("S-16")
@pytest.mark.parametrize("skew", ["+3600", "-3600"])
async def test_a_host_whose_clock_is_off_by_an_hour_fires_by_the_time_of_the_database(
    ground: Grounds, directory_file: Path, skew: str
) -> None:
    library = Path(str(files("libfaketime"))) / "vendor/libfaketime/src/libfaketime.so.1"
    if sys.platform != "linux" or platform.machine() != "x86_64" or not library.exists():
        pytest.skip("no fake clock for this machine")
    overdue, near, heard_meanwhile = uuid4(), uuid4(), uuid4()
    await armed_then_down(ground, directory_file, overdue, near)
    await pass_time(ground, timedelta(hours=23, minutes=20), overdue)
    await pass_time(ground, timedelta(hours=22, minutes=40), near)
    fake = {"LD_PRELOAD": str(library), "FAKETIME": skew, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    owner = await asyncpg.connect(ground.url("owner"))
    try:
        async with process(ground, directory_file, **fake), ground.publishing() as publish:
            await publish(registered(heard_meanwhile, datetime.now(UTC) - timedelta(hours=23, minutes=40)))

            async def until(steps: dict[UUID, int]) -> None:
                async def differs() -> str | None:
                    rows = await owner.fetch("SELECT subject, step FROM clock JOIN timer USING (clock_id)")
                    found = {UUID(row["subject"].removeprefix("case/")): row["step"] for row in rows}
                    pending = await owner.fetchval("SELECT count(*) FROM outbox")
                    return f"{found}, {pending} to send" if found != steps or pending else None

                await Running.until_none(differs, 60)

            # Two warnings each; the breach of what is overdue and its first escalation. What is due in 20 minutes
            # stays, whatever the host thinks; what was heard meanwhile gives its one warning.
            await until({overdue: 4, near: 2, heard_meanwhile: 2})
            await pass_time(ground, timedelta(minutes=30), near)
            await until({overdue: 4, near: 4, heard_meanwhile: 2})
    finally:
        await owner.close()
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        late = {
            event.data.timed_subject: event.data.late_seconds for event in await sla.emitted(ClockBreached, count=2)
        }
        assert late == {
            f"case/{overdue}": pytest.approx(20 * 60, abs=120),
            f"case/{near}": pytest.approx(10 * 60, abs=120),
        }


@pytest.mark.req("S-16")
async def test_after_a_week_of_downtime_what_is_overdue_fires_in_order_and_marked_late(
    ground: Grounds, directory_file: Path
) -> None:
    cases = [uuid4() for _ in range(3)]
    await armed_then_down(ground, directory_file, *cases)
    await pass_time(ground, timedelta(days=7, hours=23), *cases)
    async with ground.running(create, SlaSettings, directory_file=directory_file, **FAST) as sla:
        await fired_in_order(sla, cases, ALL_STEPS)
        for event in await sla.emitted(ClockBreached):
            assert event.data.late_seconds == pytest.approx(7 * 86400, abs=120)
        for event in await sla.emitted(ClockAtRisk):
            assert event.data.late_seconds > 7 * 86400
        # The second step up was due a day after the breach, so it is late by a day less.
        levels = {event.data.level: event.data.late_seconds for event in await sla.emitted(EscalationRaised)}
        assert levels == {1: pytest.approx(7 * 86400, abs=120), 2: pytest.approx(6 * 86400, abs=120)}
        # Nothing is left to fire.
        assert await sla.fetch("SELECT FROM timer WHERE next_fire_at IS NOT NULL") == []


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
        rows = await sla.fetch("SELECT state, breached, next_fire_at FROM clock JOIN timer USING (clock_id)")
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
