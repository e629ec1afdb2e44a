"""What becomes of a record, on a real broker and a real database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record import default_records
from ledger import LedgerSettings, create, is_away

from shouwen.contracts.case import CaseAssigned, CaseRegistered, CaseReplied
from shouwen.contracts.event import CloudEvent
from shouwen.contracts.group import DisputeReported
from shouwen.contracts.message import MessageSent
from shouwen.runtime.testing import Infrastructure, Running, running

NOW = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def ledger(infrastructure: Infrastructure) -> AsyncIterator[Running]:
    async with running(create, LedgerSettings, infrastructure, service="notify") as one:
        yield one


def registered(number: str = "BJ-2026-000001", *, case_id: UUID | None = None, **envelope: Any) -> CloudEvent[Any]:
    fact = CaseRegistered(
        branch="beijing",
        case_id=case_id or uuid4(),
        number=number,
        case_type="complaint",
        severity=None,
        promised_at=None,
        channel="phone",
        received_at=NOW,
        registered_at=NOW,
        registrar="bj.clerk",
        owner="bj.clerk",
    )
    return CloudEvent.of(fact, source="/test", **envelope)


def replied(case_id: UUID) -> CloudEvent[Any]:
    fact = CaseReplied(branch="beijing", case_id=case_id, number="N", replied_at=NOW, replied_by="bj.clerk")
    return CloudEvent.of(fact, source="/test")


async def booked(ledger: Running, event: CloudEvent[Any]) -> list[str]:
    rows = await ledger.fetch("SELECT what FROM entry WHERE event_id = $1 ORDER BY id", event.id)
    return [row["what"] for row in rows]


async def test_an_event_takes_effect_and_what_it_causes_is_sent(ledger: Running) -> None:
    event = registered()
    await ledger.hears(event)
    assert await booked(ledger, event) == ["BJ-2026-000001"]
    [told] = await ledger.emitted(MessageSent, subject=f"message/{event.data.case_id}")
    assert (told.source, told.data.cause) == ("/shouwen/notify", event.id)


async def test_a_repeat_takes_effect_once_within_a_batch_and_after_it(ledger: Running) -> None:
    event = registered()
    await ledger.hears(event, event, event)
    await ledger.hears(event)
    assert len(await booked(ledger, event)) == 1
    assert len(await ledger.emitted(MessageSent, subject=f"message/{event.data.case_id}")) == 1


async def test_events_of_one_case_keep_their_order_on_the_way_out(ledger: Running) -> None:
    cases = [uuid4() for _ in range(5)]
    events = [registered(case_id=case) for case in cases] + [replied(case) for _ in range(20) for case in cases]
    await ledger.hears(*events)
    for case in cases:
        told = await ledger.emitted(MessageSent, subject=f"message/{case}", count=21)
        assert [each.data.template for each in told] == [f"place-{n}" for n in range(1, 22)]


@pytest.mark.parametrize(
    ("number", "error"),
    [("REFUSE", "Refused"), ("BUG", "RuntimeError"), ("CONSTRAINT", "CheckViolationError")],
)
async def test_a_bad_record_is_set_aside_alone(ledger: Running, number: str, error: str) -> None:
    good = [registered() for _ in range(6)]
    bad = registered(number)
    await ledger.hears(*good[:3], bad, *good[3:])
    assert [await booked(ledger, each) for each in good] == [["BJ-2026-000001"]] * 6
    assert await booked(ledger, bad) == []
    [letter] = [each for each in await ledger.dead_letters() if each.event_id == bad.id]
    assert (letter.error, letter.stream, letter.event_type) == (error, "case.v1", "case.registered.v1")
    assert "13800138000" not in letter.model_dump_json()
    [copy] = [each for each in await dead_copies(ledger) if each["ce_id"] == bad.id]
    assert (copy["shouwen_dead_error"], copy["shouwen_dead_stream"]) == (error, "case.v1")
    assert (letter.location or "").startswith("shouwen/")


async def dead_copies(ledger: Running) -> list[dict[str, str]]:
    await ledger.settled()
    return [
        {name: (value or b"").decode(errors="replace") for name, value in record.headers}
        for record in await ledger.records("notify.dead")
    ]


def bad_records() -> list[Any]:
    event = registered()
    headers, body = event.headers(), event.body()

    def without(name: str) -> list[tuple[str, Any]]:
        return [(each, value) for each, value in headers if each != name]

    return [
        pytest.param([*headers, ("note", b"\xff\xfe")], body, "note", id="a header that is not UTF-8"),
        pytest.param([*headers, ("note", None)], body, "note", id="a header without value"),
        pytest.param(without("ce_id"), body, "ce_id", id="no id"),
        pytest.param([*without("ce_id"), ("ce_id", b"a\x00b")], body, "ce_id", id="a NUL in the id"),
        pytest.param([*without("ce_type"), ("ce_type", b"case.vanished.v1")], body, "ce_type", id="an unknown type"),
        pytest.param(
            [*without("ce_type"), ("ce_type", b"case.registered.v2")], body, "ce_type", id="a type from the future"
        ),
        pytest.param([*without("ce_type"), ("ce_type", b"clock.armed.v1")], body, "ce_type", id="a foreign stream"),
        pytest.param([*without("ce_time"), ("ce_time", b"yesterday")], body, "ce_time", id="no time"),
        pytest.param(headers, b"{", "body", id="no JSON"),
        pytest.param(headers, None, "body", id="no body"),
        pytest.param(headers, b"\xff" * 2_000_000, "body", id="a body of 2 MB"),
        pytest.param([], b"", "ce_specversion", id="no headers at all"),
    ]


@pytest.mark.parametrize(("headers", "body", "field"), bad_records())
async def test_bad_input_is_named_and_blocks_nothing(
    ledger: Running, headers: list[tuple[str, Any]], body: bytes | None, field: str
) -> None:
    case, before = uuid4(), len(await ledger.dead_letters())
    place = await ledger.publish_raw("case.v1", str(case).encode(), headers, body, wait=False)
    after = registered(case_id=case)
    await ledger.hears(after)
    assert len(await booked(ledger, after)) == 1
    [letter] = (await ledger.dead_letters())[before:]
    assert (letter.stream, letter.partition, letter.offset) == place
    assert letter.field == field
    assert letter.detail
    shown = await ledger.http.get(f"/api/dead-letters/{letter.id}", headers=ledger.token(roles=["operator"]))
    assert shown.status_code == 200
    assert shown.json()["body_bytes"] == (None if body is None else len(body))


class UndecodableName(str):
    """A header name as librdkafka can send it, and aiokafka cannot."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


async def test_a_header_name_that_is_not_utf8_blocks_nothing(ledger: Running, infrastructure: Infrastructure) -> None:
    event, after = registered(), registered()
    builder: Any = default_records._DefaultRecordBatchBuilderPy  # pyright: ignore[reportPrivateUsage]
    for compression in (0, 1):
        raw = builder(2, compression, 0, -1, -1, 0, 100_000)
        raw.append(0, None, event.key, event.body(), [*event.headers(), (UndecodableName("x"), b"any")])
        raw.append(1, None, after.key, after.body(), after.headers())
        async with AIOKafkaProducer(bootstrap_servers=infrastructure.kafka_bootstrap) as producer:
            batch: Any = producer.create_batch()
            batch._builder, batch._relative_offset = raw, 2
            sent = await (await producer.send_batch(batch, ledger.prefix + "case.v1", partition=0))
        await ledger.is_past([("case.v1", 0, sent.offset + 1)])
        assert [len(await booked(ledger, each)) for each in (event, after)] == [1, 1]


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_other_systems_may_compress_what_they_publish(
    ledger: Running, infrastructure: Infrastructure, compression: Any
) -> None:
    event = registered()
    async with AIOKafkaProducer(
        bootstrap_servers=infrastructure.kafka_bootstrap, compression_type=compression
    ) as producer:
        sent = await producer.send_and_wait(
            ledger.prefix + "case.v1", value=event.body(), key=event.key, headers=event.headers()
        )
    await ledger.is_past([("case.v1", sent.partition, sent.offset)])
    assert len(await booked(ledger, event)) == 1


async def test_a_known_type_without_handler_is_passed_over(ledger: Running) -> None:
    before = len(await ledger.dead_letters())
    fact = CaseAssigned(
        branch="beijing", case_id=uuid4(), number="N", assigned_at=NOW, owner="bj.clerk", assigned_by="bj.manager"
    )
    await ledger.hears(CloudEvent.of(fact, source="/test"))
    assert len(await ledger.dead_letters()) == before


async def test_a_batch_handler_may_take_facts_of_unknown_types(ledger: Running) -> None:
    known = CloudEvent.of(
        DisputeReported(branch="beijing", owner=None, reported_at=NOW), source="/other", subject="dispute/7"
    )
    headers = {**dict(known.headers()), "ce_type": b"licence.expired.v1", "ce_id": b"unknown-1"}
    await ledger.publish_raw("group.v1", b"7", list(headers.items()), b'{"branch": "beijing", "any": [1, 2]}')
    await ledger.hears(known)
    rows = await ledger.fetch("SELECT what, branch FROM entry WHERE event_id = ANY ($1)", ["unknown-1", known.id])
    assert sorted(row["what"] for row in rows) == ["dispute.reported.v1", "unknown licence.expired.v1"]
    assert {row["branch"] for row in rows} == {"beijing"}


async def test_facts_of_other_years_are_handled_once_too(ledger: Running) -> None:
    for years in (-30, 5):
        event = registered(time=NOW + timedelta(days=365 * years))
        await ledger.hears(event, event)
        assert len(await booked(ledger, event)) == 1


async def test_a_transient_failure_is_tried_again_until_it_passes(ledger: Running) -> None:
    event, before = registered("AWAY"), len(await ledger.dead_letters())
    is_away["AWAY"] = True
    try:
        place = await ledger.publish_raw("case.v1", event.key, event.headers(), event.body(), wait=False)

        async def waits() -> str | None:
            consumer = ledger.service.consumer
            return None if consumer and consumer.problem else "it does not wait"

        await ledger.until_none(waits, 10)
        assert await booked(ledger, event) == []
    finally:
        is_away["AWAY"] = False
    await ledger.is_past([place])
    assert await booked(ledger, event) == ["AWAY"]
    assert len(await ledger.dead_letters()) == before


async def test_a_dead_letter_is_replayed_when_its_cause_is_gone(ledger: Running) -> None:
    event = registered("REFUSE")
    await ledger.hears(event)
    [letter] = [each for each in await ledger.dead_letters() if each.event_id == event.id]
    operator, clerk = ledger.token(person="op", roles=["operator"]), ledger.token()
    assert (await ledger.http.post(f"/api/dead-letters/{letter.id}/replay", headers=clerk)).status_code == 403
    failed = await ledger.http.post(f"/api/dead-letters/{letter.id}/replay", headers=operator)
    assert failed.status_code == 409
    assert (await ledger.http.get(f"/api/dead-letters/{letter.id}", headers=operator)).json()["attempts"] == 2
    # What an upgrade does: the same record is no longer refused.
    await ledger.fetch(
        "UPDATE dead_letter SET body = convert_to(replace(convert_from(body, 'UTF8'), 'REFUSE', 'FINE'), 'UTF8') "
        "WHERE id = $1",
        letter.id,
    )
    done = await ledger.http.post(f"/api/dead-letters/{letter.id}/replay", headers=operator)
    assert (done.status_code, done.json()["replayed_by"]) == (200, "op")
    assert await booked(ledger, event) == ["FINE"]
    assert (await ledger.http.post(f"/api/dead-letters/{letter.id}/replay", headers=operator)).status_code == 409
    waiting = (await ledger.http.get("/api/dead-letters", headers=operator)).json()["items"]
    assert letter.id not in [each["id"] for each in waiting]


async def test_every_query_fits_the_schema(ledger: Running) -> None:
    assert "claim_events" in await ledger.prepares_every_query("shouwen.runtime")
    assert "add_entry" in await ledger.prepares_every_query("ledger")


async def test_people_see_and_write_only_their_branches(ledger: Running) -> None:
    beijing, chengdu = ledger.token(branches=["beijing"]), ledger.token(branches=["chengdu"])
    auditor = ledger.token(branches=[], roles=["group_auditor"])
    case = str(uuid4())
    written = await ledger.http.post("/emit", headers=chengdu, json={"branch": "chengdu", "case_id": case})
    assert written.status_code == 200

    async def sees(token: dict[str, str]) -> bool:
        rows = (await ledger.http.get("/entries", headers=token)).json()
        return case in [row["case_id"] for row in rows]

    assert [await sees(chengdu), await sees(beijing), await sees(auditor)] == [True, False, True]
    assert await sees(ledger.token(branches=["*"])) is False
    assert await sees(ledger.token(branches=["beijing,chengdu"])) is False
    foreign = await ledger.http.post("/emit", headers=beijing, json={"branch": "chengdu", "case_id": str(uuid4())})
    assert foreign.status_code >= 400
