"""Nothing lost, nothing twice: processes killed at each commit point, servers that go away and come back."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from ledger import LedgerSettings, create
from test_hearing import registered, replied

from shouwen.contracts.event import CloudEvent
from shouwen.contracts.message import MessageSent
from shouwen.runtime.failpoint import VARIABLE
from shouwen.runtime.testing import Grounds, Infrastructure, Running, grounds

pytestmark = pytest.mark.fault
HERE = Path(__file__).parent
SIGKILLED = -9


@pytest.fixture
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    async with grounds(infrastructure, "notify") as one:
        yield one


@asynccontextmanager
async def process(ground: Grounds, failpoint: str = "") -> AsyncGenerator[asyncio.subprocess.Process]:
    """The test service as a process of its own, killed at the end of the block if it still lives."""
    environment = {**os.environ, **ground.environment(), VARIABLE: failpoint, "PYTHONPATH": str(HERE)}
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", "ledger", env=environment)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


@pytest.mark.parametrize("failpoint", ["consumer.before_commit@2", "consumer.after_commit@2", "relay.after_send@2"])
async def test_a_process_killed_at_a_commit_point_loses_and_doubles_nothing(ground: Grounds, failpoint: str) -> None:
    cases = [uuid4() for _ in range(4)]
    sent: list[CloudEvent[Any]] = []
    async with ground.publishing() as publish:

        async def publish_all(events: list[CloudEvent[Any]]) -> None:
            for event in events:
                await publish(event)
            sent.extend(events)

        await publish_all([registered(case_id=case) for case in cases])
        async with process(ground, failpoint) as first, asyncio.timeout(120):
            # Round after round, so that the service meets them in several batches however slowly it starts.
            while first.returncode is None:
                await publish_all([replied(case) for case in cases])
                await asyncio.sleep(0.2)
        assert first.returncode == SIGKILLED
        await publish_all([replied(case) for case in cases])
        async with ground.running(create, LedgerSettings) as ledger:
            await everything_once(ledger, sent, [str(case) for case in cases])


async def everything_once(ledger: Running, sent: list[Any], cases: list[str]) -> None:
    await ledger.settled(120)
    rows = await ledger.fetch("SELECT event_id FROM entry")
    assert sorted(row["event_id"] for row in rows) == sorted(event.id for event in sent)
    assert await ledger.dead_letters() == []
    for case in cases:
        told = await ledger.emitted(MessageSent, subject=f"message/{case}", count=1)
        in_order = list(dict.fromkeys(each.data.template for each in told))
        assert in_order == [f"place-{n}" for n in range(1, len(sent) // len(cases) + 1)]


async def test_a_database_that_goes_away_and_comes_back(infrastructure: Any, ground: Grounds) -> None:
    if infrastructure.postgres is None:
        pytest.skip("the database server is somebody else's")
    cases = [uuid4() for _ in range(5)]
    async with ground.running(create, LedgerSettings) as ledger:
        sent = [registered(case_id=case) for case in cases]
        await ledger.hears(*sent)
        await asyncio.to_thread(infrastructure.postgres.stop, "immediate")
        try:
            places = []
            for event in (replies := [replied(case) for _ in range(4) for case in cases]):
                places.append(await ledger.publish_raw("case.v1", event.key, event.headers(), event.body(), wait=False))

            async def unaware() -> str | None:
                consumer = ledger.service.consumer
                return None if consumer is not None and consumer.problem else "the consumer has not noticed"

            await ledger.until_none(unaware, 30)
            refused = await ledger.http.post(
                "/emit", json={"branch": "beijing", "case_id": str(cases[0])}, headers=ledger.token()
            )
            assert refused.status_code == 503
            assert (await ledger.http.get("/health/ready")).status_code == 503
            assert (await ledger.http.get("/health/live")).status_code == 200
        finally:
            await asyncio.to_thread(infrastructure.postgres.start)
            await asyncio.to_thread(infrastructure.postgres.wait_ready)
        await ledger.is_past(places)
        await everything_once(ledger, sent + replies, [str(case) for case in cases])


async def test_a_broker_that_is_restarted_while_events_flow(infrastructure: Any, ground: Grounds) -> None:
    if infrastructure.kafka is None:
        pytest.skip("the broker is somebody else's")
    cases = [uuid4() for _ in range(5)]
    async with ground.running(create, LedgerSettings) as ledger:
        sent = [registered(case_id=case) for case in cases]
        await ledger.hears(*sent)
        await asyncio.to_thread(infrastructure.kafka.kill)
        for case in cases:
            body = {"branch": "beijing", "case_id": str(case), "count": 3}
            answer = await ledger.http.post("/emit", json=body, headers=ledger.token())
            assert answer.status_code == 200
        await asyncio.to_thread(infrastructure.kafka.start)
        await asyncio.to_thread(infrastructure.kafka.wait_ready)
        replies = [replied(case) for case in cases]
        await ledger.hears(*replies)
        await ledger.settled(90)
        for case in cases:
            told = await ledger.emitted(MessageSent, subject=f"message/{case}", count=5, timeout=60)
            assert list(dict.fromkeys(each.data.template for each in told)) == [f"place-{n}" for n in range(1, 6)]


async def test_a_broker_that_is_down_at_the_start_is_waited_for(infrastructure: Any, ground: Grounds) -> None:
    if infrastructure.kafka is None:
        pytest.skip("the broker is somebody else's")
    await asyncio.to_thread(infrastructure.kafka.kill)
    try:
        async with ground.running(create, LedgerSettings) as ledger:
            assert ledger.service.consumer is not None
            assert ledger.service.consumer.problem is not None
            assert (await ledger.http.get("/health/ready")).status_code == 503
            await asyncio.to_thread(infrastructure.kafka.start)
            await asyncio.to_thread(infrastructure.kafka.wait_ready)
            event = registered()
            await ledger.hears(event)

            async def unready() -> str | None:
                answer = await ledger.http.get("/health/ready")
                return None if answer.status_code == 200 else answer.text

            await ledger.until_none(unready)
    finally:
        if not infrastructure.kafka.process.running:
            await asyncio.to_thread(infrastructure.kafka.start)
            await asyncio.to_thread(infrastructure.kafka.wait_ready)
