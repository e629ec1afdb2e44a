"""After a matter went through the whole suite its people stand nowhere readable: not in logs, traces, metrics, streams
or tables, whichever service wrote them (I-18).
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from support import Person, until

from shouwen.embedded.reconcile import until_at_rest
from shouwen.embedded.suite import Suite

RUN = uuid4().hex[:8]
MARKED = {
    "requester": f"端木{RUN}语嫣",
    "phone": f"139{int(RUN, 16) % 10**8:08}",
    "email": f"duanmu.{RUN}@example.com",
    "client": f"贵阳端木{RUN}商贸有限公司",
    "identifier": f"915201{RUN.upper()}XKQZ",
    "subject": f"关于端木{RUN}的加班费",
    "description": f"住南明区{RUN}巷七号，请勿外传。",
    "reply": f"已电话告知端木{RUN}，款项今日到账。",
    "wrong": f"错填{RUN}的渠道",
}
"""What is unique to this run, and must be found nowhere."""


@pytest.mark.req("I-18")
async def test_nothing_of_a_requester_or_client_can_be_read_outside_the_answers(
    suite: Suite, person: Callable[..., Person], http: httpx.AsyncClient
) -> None:
    clerk = person("cd.clerk", "chengdu", "clerk")
    case = await _work_a_case(clerk)
    await _looked_for(clerk)
    assert await until_at_rest(suite.access, timeout=60)
    subject = f"case/{case['id']}"

    async def clocks() -> list[dict[str, Any]]:
        return (await clerk.get("sla", "/api/clocks", subject=subject))["items"]

    # The letter came 26 hours ago: a breach is told to people, which brings notify and its mails into the run.
    await until(clocks, lambda found: any(clock["breached"] for clock in found))
    assert await until_at_rest(suite.access, timeout=60)

    searched = 0
    async for place, text in _places(suite, http, case["trace_id"]):
        searched += 1
        for what, value in MARKED.items():
            for form in (value, value.encode().hex(), value.encode("unicode_escape").decode()):
                assert form not in text, f"the {what} can be read in {place}"
    assert searched > 40, "logs, streams, tables, metrics and the trace were searched"


async def _work_a_case(clerk: Person) -> dict[str, Any]:
    matter = {
        "type": "complaint",
        "channel": "letter",
        "branch": "chengdu",
        "severity": "ordinary",
        "subject": MARKED["subject"],
        "description": MARKED["description"],
        "received_at": (datetime.now(UTC) - timedelta(hours=26)).isoformat(),
        "requester": {
            "name": MARKED["requester"],
            "phone": MARKED["phone"],
            "email": MARKED["email"],
            "relation": "client_company",
        },
        "client": {"name": MARKED["client"], "identifier": MARKED["identifier"]},
    }
    wrong = await clerk.post("intake", "/api/cases", {**matter, "channel": MARKED["wrong"]}, **_key())
    assert wrong.status_code == 422
    registered = await clerk.post("intake", "/api/cases", matter, **_key())
    assert registered.status_code == 201, registered.text
    case = registered.json()
    path = f"/api/cases/{case['number']}"
    for step, body in (
        ("acknowledge", {}),
        ("plan", {"text": MARKED["reply"]}),
        ("reply", {"text": MARKED["reply"], "written": True}),
        ("resolve", {"summary": MARKED["reply"]}),
    ):
        done = await clerk.post("intake", f"{path}/{step}", body)
        assert done.status_code == 200, f"{step}: {done.text}"
    again = await clerk.post("intake", f"{path}/reply", {"text": MARKED["reply"]})
    assert again.status_code == 409, "a refusal is logged too"
    return case


async def _looked_for(clerk: Person) -> None:
    """What people search for stands in addresses, which are easily logged."""
    for parameters in (
        {"text": MARKED["subject"]},
        {"phone": MARKED["phone"]},
        {"email": MARKED["email"]},
        {"client_identifier": MARKED["identifier"]},
    ):
        found = (await clerk.get("intake", "/api/cases", **parameters))["items"]
        assert len(found) == 1, parameters.keys()


async def _places(suite: Suite, http: httpx.AsyncClient, trace_id: str) -> AsyncIterator[tuple[str, str]]:
    """Everything that the suite has written, with the name of the place."""
    for file in sorted(suite.home.logs.rglob("*")):
        if file.is_file():
            yield f"log {file.name}", _plain(file.read_bytes())
    for service in suite.access.services:
        yield f"metrics of {service}", (await http.get(f"{suite.access.url(service)}/metrics")).text

    async def trace() -> str:
        return (await http.get(f"{suite.access.zipkin}/api/v2/trace/{trace_id}")).text

    yield "its trace", _plain((await until(trace, lambda text: "send email" in text)).encode())
    recent = await http.get(f"{suite.access.zipkin}/api/v2/traces", params={"limit": 1000, "lookback": 3_600_000})
    yield "the traces", _plain(recent.content)
    async for place, content in _records(suite):
        yield place, _plain(content)
    for service in suite.access.services:
        async for place, content in _tables(suite, service):
            yield place, content


async def _records(suite: Suite) -> AsyncIterator[tuple[str, bytes]]:
    """Each record of each topic: key, headers and body."""
    consumer = AIOKafkaConsumer(bootstrap_servers=suite.kafka_bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        topics = sorted(topic for topic in await consumer.topics() if not topic.startswith("__"))
        admin = AIOKafkaAdminClient(bootstrap_servers=suite.kafka_bootstrap)
        await admin.start()
        described = await admin.describe_topics(topics)
        await admin.close()
        places = [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        begins = await consumer.beginning_offsets(places)
        left = {place for place in places if ends[place] > begins[place]}
        assert {place.topic.removeprefix(suite.access.stream_prefix) for place in left} >= {
            "case.v1",
            "clock.v1",
            "message.v1",
        }
        while left:
            for place, records in (await consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    headers = b" ".join(name.encode() + b" " + (value or b"") for name, value in record.headers)
                    content = b" ".join((record.key or b"", headers, record.value or b""))
                    yield f"{place.topic} at {record.offset}", content
            left = {place for place in left if await consumer.position(place) < ends[place]}
    finally:
        with suppress(Exception):
            await consumer.stop()


async def _tables(suite: Suite, service: str) -> AsyncIterator[tuple[str, str]]:
    """Each table of a service's database as text; bytes are shown in hex."""
    base, _, query = suite.admin_dsn().partition("?")
    connection = await asyncpg.connect(f"{base.rpartition('/')[0]}/shouwen_{service}?{query}")
    try:
        tables = await connection.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            rows = await connection.fetch(f'SELECT each::text AS row FROM "{table["name"]}" AS each')  # noqa: S608
            yield f"{service}.{table['name']}", "\n".join(row["row"] for row in rows)
    finally:
        await connection.close()


def _plain(content: bytes) -> str:
    """A text with what JSON and addresses write in another form written out beside it."""
    text = content.decode(errors="replace")
    unescaped = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    return f"{text}\n{unescaped}\n{unquote(text)}"


def _key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid4())}
