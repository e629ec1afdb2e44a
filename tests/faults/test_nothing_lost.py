"""Nothing lost, nothing twice: every service is killed, the database and the broker are torn down, under load.

``FAULT_MATTERS`` sets the size (2,000 by default; ``make faults`` takes more). The load repeats unanswered requests as
a careful client does; afterwards the services' own accounts must add up, whatever happened in between.
"""

import asyncio
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from support import temporary_home

from shouwen.contracts.catalogue import SERVICES
from shouwen.embedded import load
from shouwen.embedded.load import Load
from shouwen.embedded.ports import Ports
from shouwen.embedded.reconcile import collect_at_rest, reconcile
from shouwen.embedded.suite import Server, Suite

pytestmark = [pytest.mark.fault, pytest.mark.timeout(3600)]

MATTERS = int(os.environ.get("FAULT_MATTERS", "2000"))
ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
RATE = 12.0
"""Matters per second: slow enough that the smallest load meets most of the faults."""
SETTLE_SECONDS = 300

FAILPOINTS: tuple[tuple[str, str], ...] = (
    ("intake", "relay.after_send@20"),
    ("intake", "consumer.before_commit@10"),
    ("sla", "consumer.before_commit@5"),
    ("sla", "consumer.after_commit@5"),
    ("sla", "ticker.before_commit@2"),
    ("notify", "consumer.after_commit@5"),
    ("notify", "sender.after_send@20"),
    ("review", "consumer.before_commit@5"),
    ("review", "relay.after_send@5"),
)
"""Where each service kills itself mid-work: the passage is counted from its restart."""


@pytest.fixture
def suite() -> Iterator[Suite]:
    """A suite of its own, which the test may tear down."""
    with temporary_home() as home, Suite(home, ports=Ports.free(), traces=False, say=print) as running:
        yield running


@pytest.mark.req("X-05", "S-16", "N-04", "I-01")
async def test_no_kill_loses_an_event_or_tells_anyone_twice(suite: Suite, tmp_path: Path) -> None:
    faults = asyncio.create_task(_tear_down_everything(suite))
    work = Load(matters=MATTERS, rate=RATE, goes_on=lambda: not faults.done())
    await asyncio.gather(load.run(suite.access, work), faults)
    assert work.repeated, "the faults came while requests were under way"

    ledger = tmp_path / "intents.jsonl"
    work.write(ledger)
    account = await collect_at_rest(suite.access, ledger, timeout=SETTLE_SECONDS)
    assert account, "the services did not come to rest"
    findings = reconcile(account)
    assert len(account.intents) >= MATTERS
    assert not [fault for finding in findings for fault in finding.faults]
    print(json.dumps({finding.check: finding.looked_at for finding in findings}, indent=1))


async def _tear_down_everything(suite: Suite) -> None:
    """Each fault in turn, ``ROUNDS`` times; the load goes on until the last one."""
    chance = random.Random(7)  # noqa: S311 - a repeatable order, not a secret
    for _ in range(ROUNDS):
        for service, failpoint in FAILPOINTS:
            print(f"{service} kills itself at {failpoint}")
            await asyncio.to_thread(suite.services[service].stop)
            suite.services[service].start({"SHOUWEN_FAILPOINT": failpoint})
            await _until_dead(suite, service)
            await asyncio.to_thread(suite.restart, service)
        for service in SERVICES:
            print(f"kill -9 {service}")
            await asyncio.sleep(chance.uniform(0.2, 1.5))  # a random moment, not a wait
            await asyncio.to_thread(suite.services[service].kill)
            await asyncio.to_thread(suite.restart, service)
        print("PostgreSQL stops without a shutdown")
        assert suite.postgres
        await asyncio.to_thread(suite.postgres.stop, "immediate")
        await asyncio.to_thread(_start, suite.postgres)
        print("the broker is killed")
        assert suite.kafka
        await asyncio.to_thread(suite.kafka.kill)
        await asyncio.to_thread(_start, suite.kafka)


def _start(server: Server) -> None:
    server.start()
    server.wait_ready()


async def _until_dead(suite: Suite, service: str, *, seconds: float = 90) -> None:
    deadline = monotonic() + seconds
    while suite.services[service].process.running:
        assert monotonic() < deadline, f"{service} never came to its failpoint"
        await asyncio.sleep(0.05)
