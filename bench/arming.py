"""Facts made in this process, and the handler of sla that takes them: no Kafka before it, no relay behind it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from bench.payload import TRACEPARENT
from bench.report import FOLDER
from shouwen.contracts.case import CaseRegistered, CaseReplied
from shouwen.contracts.event import CloudEvent, Event
from shouwen.runtime.unit_of_work import UnitOfWork
from shouwen.sla import gateways
from shouwen.sla.domain.arming import Armed, decide
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.policies import Branch, Policies
from shouwen.sla.handlers import directory, hearing
from shouwen.sla.store import clocks

Registered = CloudEvent[CaseRegistered]
BATCH = 500
"""As the service's own default."""
SAVED_AT_ONCE = 3_000
DIRECTORY = FOLDER.parent / "deploy/embedded/src/shouwen/embedded/evaluation/directory.yaml"


async def learn_branches(work: UnitOfWork) -> Policies:
    """Describe the branches of the evaluation, with their packs."""
    policies = Policies(gateways.shipped_packs())
    async with work.as_worker() as tx:
        await directory.learn_directory_file(gateways.branches_of(DIRECTORY), tx, policies)
    return policies


def inquiries(count: int, received_at: datetime) -> list[Registered]:
    """Inquiries by e-mail in Shenzhen: each gives one clock, of 24 hours."""
    now = datetime.now(UTC)
    return [
        CloudEvent.of(
            CaseRegistered(
                branch="shenzhen",
                case_id=uuid4(),
                number=f"SZ-{now:%Y}-{number:06}",
                case_type="inquiry",
                severity=None,
                channel="email",
                received_at=received_at,
                registered_at=now,
                registrar="sz.clerk",
                owner="sz.clerk",
                department="customer-service",
                promised_at=None,
            ),
            source="/shouwen/bench",
            traceparent=TRACEPARENT,
        )
        for number in range(count)
    ]


def replies(events: Sequence[Registered], replied_at: datetime) -> list[CloudEvent[CaseReplied]]:
    """The answer to each of them."""
    return [
        CloudEvent.of(
            CaseReplied(
                branch="shenzhen",
                case_id=event.data.case_id,
                number=event.data.number,
                replied_at=replied_at,
                replied_by="sz.clerk",
            ),
            source="/shouwen/bench",
            traceparent=TRACEPARENT,
        )
        for event in events
    ]


async def hear(
    work: UnitOfWork, policies: Policies, events: Sequence[CloudEvent[Event]], *, batch: int = BATCH
) -> float:
    """Let the handler take them, a transaction per batch; the answer is the seconds it took."""
    begun = time.perf_counter()
    for start in range(0, len(events), batch):
        async with work.as_worker() as tx:
            await hearing.hear(events[start : start + batch], tx, policies)
        await asyncio.sleep(0)
    return time.perf_counter() - begun


def armed(policies: Policies, count: int) -> list[Armed]:
    """Clocks as the handler decides on them, for saving alone."""
    now = datetime.now(UTC)
    composition = policies.of(Branch("shenzhen", "Asia/Shanghai", ("insurer-head-office",)))
    decided: list[Armed] = []
    for event in inquiries(count, now):
        data = event.data.model_dump(mode="json", exclude={"client"})
        fact = Fact(event.id, event.type, event.time, data, TRACEPARENT)
        for clock in composition.evaluate("shenzhen", event.subject, [fact]):
            one = decide(clock, None, now).armed
            assert one is not None
            decided.append(one)
    return decided


async def _save(work: UnitOfWork, parts: Sequence[Sequence[Armed]]) -> None:
    for part in parts:
        async with work.as_worker() as tx:
            await clocks.save_clocks(tx, part)


async def rates(work: UnitOfWork, rounds: int) -> tuple[list[float], list[float]]:
    """Clocks per second through saving alone, and through the whole handler."""
    await work.open()
    saved: list[float] = []
    heard: list[float] = []
    try:
        policies = await learn_branches(work)
        await hear(work, policies, inquiries(1_000, datetime.now(UTC)))
        for _ in range(rounds):
            some = armed(policies, 4 * SAVED_AT_ONCE)
            begun = time.perf_counter()
            parts = [some[start : start + SAVED_AT_ONCE] for start in range(0, len(some), SAVED_AT_ONCE)]
            await asyncio.gather(*(_save(work, parts[place::2]) for place in range(2)))
            saved.append(len(some) / (time.perf_counter() - begun))
            events = inquiries(5_000, datetime.now(UTC) - timedelta(minutes=1))
            heard.append(len(events) / await hear(work, policies, events))
    finally:
        await work.close()
    return saved, heard
