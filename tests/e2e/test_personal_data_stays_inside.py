"""After a matter went through the whole suite its people stand nowhere readable: not in logs, traces, metrics, streams
or tables, whichever service wrote them; and once they are erased, they stand nowhere behind a key either (I-18).
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
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
from support import Person, idempotency_key, until

from shouwen.embedded.reconcile import until_at_rest
from shouwen.embedded.secrets import Secrets
from shouwen.embedded.suite import Suite
from shouwen.runtime.privacy import KeyRing, Seal, Unreadable, keyed_hash, read_key

Marked = Mapping[str, str]
"""What is told of somebody, in words that are unique to one run."""


def marked() -> Marked:
    run = uuid4().hex[:8]
    return {
        "requester": f"端木{run}语嫣",
        "phone": f"139{int(run, 16) % 10**8:08}",
        "email": f"duanmu.{run}@example.com",
        "client": f"贵阳端木{run}商贸有限公司",
        "identifier": with_check_character(f"915201{run.upper()}XKQ"),
        "subject": f"关于端木{run}的加班费",
        "description": f"住南明区{run}巷七号，请勿外传。",
        "reply": f"已电话告知端木{run}，款项今日到账。",
        "wrong": f"错填{run}的渠道",
    }


def with_check_character(code: str) -> str:
    """A unified social credit code (GB 32100) from its first 17 characters."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(character) * pow(3, place, 31) for place, character in enumerate(code))
    return code + alphabet[-total % 31]


SEALED = re.compile(r"eyJ[\w-]+\.[\w-]*\.[\w-]+\.[\w-]+\.[\w-]+")


@pytest.mark.req("I-18")
async def test_nothing_of_a_requester_or_client_can_be_read_outside_the_answers(
    suite: Suite, person: Callable[..., Person], http: httpx.AsyncClient
) -> None:
    clerk, words = person("cd.clerk", "chengdu", "clerk"), marked()
    case = await _work_a_case(clerk, words)
    await _looked_for(clerk, words)
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
        for what, value in words.items():
            for form in (value, value.encode().hex(), value.encode("unicode_escape").decode()):
                assert form not in text, f"the {what} can be read in {place}"
    assert searched > 40, "logs, streams, tables, metrics and the trace were searched"


@pytest.mark.req("I-18")
async def test_once_both_are_erased_no_service_can_read_anything_of_requester_and_client(
    suite: Suite, person: Callable[..., Person]
) -> None:
    clerk, words = person("cd.clerk", "chengdu", "clerk"), marked()
    case = await _work_a_case(clerk, words)
    invited = await clerk.post("intake", f"/api/cases/{case['number']}/survey", {})
    assert invited.status_code == 200, invited.text
    form = {"branch": "chengdu", "kind": "company", "consent": True}
    filed = await clerk.post(
        "review", "/api/clients", {**form, "name": words["client"], "identifier": words["identifier"]}
    )
    assert filed.status_code == 201, filed.text
    hashed = keyed_hash(read_key(Secrets(suite.home.secrets).key("privacy_hash_key")), words["identifier"])
    assert await until_at_rest(suite.access, timeout=60)
    before = await _readable(suite, {**words, "hash": hashed})
    assert {place.partition(".")[0] for place in before} == {"intake", "notify", "review"}, "this finds what is kept"

    first, second = (person(name, "", "group_admin") for name in ("group.admin", "group.admin2"))
    for whose in ({"client_identifier": words["identifier"]}, {"phone": words["phone"]}):
        asked = await first.post("intake", "/api/erasures", {"reason": "本人申请", **whose})
        assert asked.status_code == 201, asked.text
        done = await second.post("intake", f"/api/erasures/{asked.json()['id']}/confirm", {})
        assert done.status_code == 200, done.text
    assert await until_at_rest(suite.access, timeout=60)
    # Which erasure was whose stays, by hash: it has to be carried out again on a restored backup.
    assert await _readable(suite, {**words, "hash": hashed}) == {"intake.erasure": {"hash"}}


async def _readable(suite: Suite, words: Marked) -> dict[str, set[str]]:
    """Which of the words stand in which tables of the four databases, read with all the keys of the suite."""
    secrets = Secrets(suite.home.secrets)
    seal = Seal(read_key(secrets.key("seal_key")))
    found: dict[str, set[str]] = {}
    for service in suite.access.services:
        keys = KeyRing.from_setting(secrets.key_ring(service))
        async for place, rows in _rows(suite, service):
            text = "\n".join(_opened(value, keys, seal) for row in rows for value in row.values())
            if here := {what for what, value in words.items() if value in text}:
                found[place] = here
    return found


def _opened(value: object, keys: KeyRing, seal: Seal) -> str:
    """A value of a table as who has the keys reads it."""
    if isinstance(value, bytes):
        with suppress(Unreadable):
            value = keys.decrypt(value)
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    for token in SEALED.findall(text):
        with suppress(Unreadable):
            text += str(seal.open(token))
    return text


async def _work_a_case(clerk: Person, words: Marked) -> dict[str, Any]:
    matter = {
        "type": "complaint",
        "channel": "letter",
        "branch": "chengdu",
        "severity": "ordinary",
        "subject": words["subject"],
        "description": words["description"],
        "received_at": (datetime.now(UTC) - timedelta(hours=26)).isoformat(),
        "requester": {
            "name": words["requester"],
            "phone": words["phone"],
            "email": words["email"],
            "relation": "client_company",
        },
        "client": {"name": words["client"], "identifier": words["identifier"]},
    }
    wrong = await clerk.post("intake", "/api/cases", {**matter, "channel": words["wrong"]}, **idempotency_key())
    assert wrong.status_code == 422
    case = await clerk.register(matter)
    path = f"/api/cases/{case['number']}"
    for step, body in (
        ("acknowledge", {}),
        ("plan", {"text": words["reply"]}),
        ("reply", {"text": words["reply"], "written": True}),
        ("resolve", {"summary": words["reply"]}),
    ):
        done = await clerk.post("intake", f"{path}/{step}", body)
        assert done.status_code == 200, f"{step}: {done.text}"
    again = await clerk.post("intake", f"{path}/reply", {"text": words["reply"]})
    assert again.status_code == 409, "a refusal is logged too"
    return case


async def _looked_for(clerk: Person, words: Marked) -> None:
    """What people search for stands in addresses, which are easily logged."""
    for parameters in (
        {"text": words["subject"]},
        {"phone": words["phone"]},
        {"email": words["email"]},
        {"client_identifier": words["identifier"]},
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
    async for place, rows in _rows(suite, service):
        shown = (value.hex() if isinstance(value, bytes) else str(value) for row in rows for value in row.values())
        yield place, "\n".join(shown)


async def _rows(suite: Suite, service: str) -> AsyncIterator[tuple[str, list[asyncpg.Record]]]:
    """The rows of each table of a service's database."""
    base, _, query = suite.admin_dsn().partition("?")
    connection = await asyncpg.connect(f"{base.rpartition('/')[0]}/shouwen_{service}?{query}")
    try:
        tables = await connection.fetch("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
        for table in tables:
            yield f"{service}.{table['name']}", await connection.fetch(f'SELECT * FROM "{table["name"]}"')  # noqa: S608
    finally:
        await connection.close()


def _plain(content: bytes) -> str:
    """A text with what JSON and addresses write in another form written out beside it."""
    text = content.decode(errors="replace")
    unescaped = re.sub(r"\\u([0-9a-fA-F]{4})", lambda code: chr(int(code[1], 16)), text)
    return f"{text}\n{unescaped}\n{unquote(text)}"
