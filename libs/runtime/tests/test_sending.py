"""The outbox's way to Kafka: order per key through errors, shares of replicas, and records that are too large."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.errors import RequestTimedOutError, UnknownTopicOrPartitionError
from ledger import LedgerSettings, create
from test_hearing import registered, replied

from shouwen.contracts.event import CloudEvent
from shouwen.contracts.message import MessageSent
from shouwen.runtime.outbox import SHARDS
from shouwen.runtime.relay import Relay
from shouwen.runtime.testing import Grounds, Infrastructure, Running, grounds


@pytest.fixture
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    async with grounds(infrastructure, "notify") as one:
        yield one


async def post(ledger: Running, case: str, count: int) -> None:
    body = {"branch": "beijing", "case_id": case, "count": count}
    answer = await ledger.http.post("/emit", json=body, headers=ledger.token())
    assert answer.status_code == 200, answer.text


def shards(ledger: Running) -> frozenset[int]:
    return ledger.service.relay.held if ledger.service.relay else frozenset()


async def test_order_per_key_holds_while_sends_fail(ground: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third batch fails: half of those before anything was stored, half after (the answer was lost)."""
    deliver: Any = getattr(Relay, "_deliver")  # noqa: B009 (an injected fault)
    calls = 0

    async def failing(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % 6 == 3:
            raise RequestTimedOutError
        await deliver(*args)
        if calls % 6 == 0:
            raise RequestTimedOutError

    monkeypatch.setattr("shouwen.runtime.relay.BATCH_BYTES", 2000)
    monkeypatch.setattr("shouwen.runtime.relay.Relay._deliver", staticmethod(failing))
    cases = [str(uuid4()) for _ in range(6)]
    async with ground.running(create, LedgerSettings) as ledger:
        for _ in range(5):
            await asyncio.gather(*(post(ledger, case, 10) for case in cases))
        await ledger.settled(90)
        for case in cases:
            told = await ledger.emitted(MessageSent, subject=f"message/{case}", count=50)
            first_seen = list(dict.fromkeys(each.data.template for each in told))
            assert first_seen == [f"place-{n}" for n in range(1, 51)]
            # What came again came in its order too: nothing overtakes what was not acknowledged.
            by_id = {each.id: each.data.template for each in told}
            assert len(by_id) == 50
    assert calls > 6


async def test_replicas_share_the_shards_and_take_over(ground: Grounds) -> None:
    async with ground.running(create, LedgerSettings) as one:
        async with ground.running(create, LedgerSettings) as two:

            async def uneven() -> str | None:
                held = [
                    replica.service.relay.held if replica.service.relay else frozenset[int]() for replica in (one, two)
                ]
                even = len(held[0]) == len(held[1]) == SHARDS // 2 and not held[0] & held[1]
                return None if even else f"{held}"

            await one.until_none(uneven, 20)
            cases = [str(uuid4()) for _ in range(20)]
            await asyncio.gather(*(post(replica, case, 2) for case in cases for replica in (one, two)))
            await one.settled()
            for case in cases:
                told = await one.emitted(MessageSent, subject=f"message/{case}", count=4)
                assert [each.data.template for each in told] == [f"place-{n}" for n in range(1, 5)]

        async def not_all() -> str | None:
            return None if len(shards(one)) == SHARDS else f"{shards(one)}"

        await one.until_none(not_all, 20)


async def test_a_record_that_is_too_large_blocks_nothing(ground: Grounds) -> None:
    async with ground.running(create, LedgerSettings) as ledger:
        case = str(uuid4())
        await ledger.fetch(
            "INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, body) "
            "VALUES ('message.v1', $1, 'huge', 'message.sent.v1', '/test', 'message/x', now(), $2)",
            case.encode(),
            b"x" * 5_000_000,
        )
        await post(ledger, case, 2)
        assert len(await ledger.emitted(MessageSent, subject=f"message/{case}", count=2)) == 2
        await ledger.settled()
        [letter] = await ledger.dead_letters()
        assert (letter.origin, letter.event_id, letter.error) == ("relay", "huge", "RecordTooLarge")


async def test_a_stream_that_cannot_be_sent_holds_up_no_other(ground: Grounds, monkeypatch: pytest.MonkeyPatch) -> None:
    send: Any = getattr(Relay, "_send_stream")  # noqa: B009 (an injected fault)

    async def failing(relay: Relay, producer: object, stream: str, rows: object) -> object:
        if stream == "clock.v1":
            return [], UnknownTopicOrPartitionError(stream), False
        return await send(relay, producer, stream, rows)

    monkeypatch.setattr("shouwen.runtime.relay.Relay._send_stream", failing)
    async with ground.running(create, LedgerSettings) as ledger:
        await ledger.fetch(
            "INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, body) "
            "SELECT 'clock.v1', n::text::bytea, n::text, 'clock.armed.v1', '/test', 'clock/x', now(), '{}' "
            "FROM generate_series(1, 1500) AS n"
        )
        case = str(uuid4())
        await post(ledger, case, 3)
        assert len(await ledger.emitted(MessageSent, subject=f"message/{case}", count=3)) == 3
        problem = ledger.service.relay.problem if ledger.service.relay else None
        assert problem == "cannot send to clock.v1"


async def test_a_replica_that_joins_and_leaves_while_events_flow_changes_nothing(ground: Grounds) -> None:
    cases = [uuid4() for _ in range(10)]
    async with ground.running(create, LedgerSettings, consumer_batch_size=5) as one:
        sent = [registered(case_id=case) for case in cases]
        places = [await publish(one, event) for event in sent]
        async with ground.running(create, LedgerSettings, consumer_batch_size=5):
            replies = [replied(case) for _ in range(10) for case in cases]
            places += [await publish(one, event) for event in replies]
        await one.is_past(places)
        rows = await one.fetch("SELECT event_id FROM entry")
        assert sorted(row["event_id"] for row in rows) == sorted(event.id for event in [*sent, *replies])
        await one.settled()
        for case in cases:
            told = await one.emitted(MessageSent, subject=f"message/{case}", count=11)
            assert [each.data.template for each in told] == [f"place-{n}" for n in range(1, 12)]


async def publish(ledger: Running, event: CloudEvent[Any]) -> tuple[str, int, int]:
    return await ledger.publish_raw("case.v1", event.key, event.headers(), event.body(), wait=False)
