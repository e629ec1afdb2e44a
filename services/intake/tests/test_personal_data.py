"""Nothing about a client or a requester leaks (I-18): not at rest, on the bus, in logs, or to who needs it not."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shouwen.contracts.case import CaseRegistered
from shouwen.runtime import logs, telemetry
from shouwen.runtime.testing import Running

Body = dict[str, Any]

SECRETS: Body = {
    "name": "欧阳静怡",
    "phone": "13911239876",
    "client": "北京星河万象劳务有限公司",
    "identifier": "91110105MA01XYZW3T",
    "subject": "关于欧阳女士工资的投诉",
    "description": "家住朝阳区某街道十二号，请勿外传。",
    "reply": "您好欧阳女士，已为您核实。",
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, at the most talkative level."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    logs.setup("intake", "DEBUG", stream)
    yield stream
    root.handlers = handlers
    root.setLevel(level)


async def work(intake: Running, register: Any, matter: Callable[..., Body]) -> Body:
    """A matter full of personal data, registered, answered, looked at, and sent wrongly once."""
    body = matter(
        subject=SECRETS["subject"],
        description=SECRETS["description"],
        requester={"name": SECRETS["name"], "phone": SECRETS["phone"], "relation": "client_company"},
        client={"name": SECRETS["client"], "identifier": SECRETS["identifier"]},
    )
    wrong = await register(body | {"channel": SECRETS["name"], "requester": body["requester"] | {"relation": "x"}})
    assert wrong.status_code == 422
    assert SECRETS["name"] not in wrong.text
    case = (await register(body)).json()
    path = f"/api/cases/{case['number']}"
    replied = await intake.http.post(f"{path}/reply", json={"text": SECRETS["reply"]}, headers=intake.token("bj.clerk"))
    assert replied.status_code == 200
    assert (await intake.http.get(path, headers=intake.token("bj.clerk"))).status_code == 200
    return case


@pytest.mark.req("I-18")
async def test_no_personal_data_leave_in_events_logs_or_spans_or_rest_readable(
    intake: Running, register: Any, matter: Callable[..., Body], log: io.StringIO
) -> None:
    spans = InMemorySpanExporter()
    telemetry.observe(SimpleSpanProcessor(spans))
    case = await work(intake, register, matter)
    await intake.emitted(CaseRegistered, subject=f"case/{case['id']}")
    places: dict[str, str] = {"log": log.getvalue()}
    for stream in ("case.v1", "directory.v1"):
        for record in await intake.records(stream):
            places[f"{stream} at {record.offset}"] = (
                f"{record.key!r} {record.headers!r} " + (record.value or b"").decode()
            )
    for span in spans.get_finished_spans():
        places[f"span {span.name}"] = span.to_json()
    for table in ("cases", "case_fact", "heard_fact", "idempotency_key", "look", "dead_letter"):
        for row in await intake.fetch(f"SELECT t::text AS row FROM {table} AS t"):  # noqa: S608 (names from above)
            places[f"table {table}"] = places.get(f"table {table}", "") + row["row"]
    for place, text in places.items():
        readable = text.encode().decode("unicode_escape", "ignore") + text
        for what, secret in SECRETS.items():
            assert secret not in readable, f"{what} is in {place}"
            assert secret.encode().hex() not in text, f"{what} is in {place}, in plain bytes"
    assert "POST /api/cases/{number}/reply" in {span.name for span in spans.get_finished_spans()}


@pytest.mark.req("I-18", "X-04")
async def test_the_cases_id_is_on_spans_of_its_own_trace_only(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    spans = InMemorySpanExporter()
    telemetry.observe(SimpleSpanProcessor(spans))
    case = await work(intake, register, matter)
    found = [
        span for span in spans.get_finished_spans() if (span.attributes or {}).get("shouwen.case.id") == case["id"]
    ]
    assert {"POST /api/cases", "reply case"} <= {span.name for span in found}
    assert {f"{span.context.trace_id:032x}" for span in found if span.context} == {case["trace_id"]}
    assert all((span.attributes or {}).get("shouwen.branch") == "beijing" for span in found)


@pytest.mark.req("I-18")
async def test_review_alone_can_open_the_client_of_an_event(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = await work(intake, register, matter)
    [event] = await intake.emitted(CaseRegistered, subject=f"case/{case['id']}")
    mention = event.data.client
    assert mention is not None
    assert mention.sealed is not None
    assert intake.service.seal.open(mention.sealed) == {
        "name": SECRETS["client"],
        "identifier": SECRETS["identifier"],
    }


@pytest.mark.req("I-18")
async def test_who_need_not_know_sees_masked_data_and_every_other_look_is_recorded(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = await work(intake, register, matter)
    path = f"/api/cases/{case['number']}"

    async def shown(person: str, role: str, branches: tuple[str, ...] = ("beijing",)) -> Body:
        answer = await intake.http.get(path, headers=intake.token(person, branches, [role]))
        assert answer.status_code == 200
        return answer.json()

    for person, role in (("bj.clerk", "clerk"), ("bj.manager", "manager"), ("bj.coordinator", "coordinator")):
        seen = await shown(person, role)
        assert seen["masked"] is False
        assert (seen["requester"]["name"], seen["requester"]["phone"]) == (SECRETS["name"], SECRETS["phone"])
        assert seen["client"]["identifier"] == SECRETS["identifier"]
    for person, role, branches in (
        ("bj.clerk2", "clerk", ("beijing",)),
        ("auditor", "group_auditor", ()),
        ("crm", "system", ("beijing",)),
    ):
        seen = await shown(person, role, branches)
        assert seen["masked"] is True
        assert (seen["requester"]["name"], seen["requester"]["phone"]) == ("欧***", "139****9876")
        assert SECRETS["identifier"] not in json.dumps(seen)
    listed = await intake.http.get("/api/cases", headers=intake.token("bj.clerk"))
    assert SECRETS["phone"] not in listed.text

    looks = await intake.fetch("SELECT person, fields FROM look WHERE case_id = $1 ORDER BY id", UUID(case["id"]))
    # The first is the clerk's own look right after the registration.
    assert [row["person"] for row in looks] == ["bj.clerk", "bj.clerk", "bj.manager", "bj.coordinator"]
    assert looks[0]["fields"] == ["requester.name", "requester.phone", "client.identifier"]


async def test_cases_of_one_client_or_phone_are_found_by_hash(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = await work(intake, register, matter)
    clerk = intake.token("bj.clerk")
    shown = (await intake.http.get(f"/api/cases/{case['number']}", headers=clerk)).json()
    parameters = {"client": shown["client"]["identifier_hash"], "limit": "1"}
    found = await intake.http.get("/api/cases", params=parameters, headers=clerk)
    assert [each["number"] for each in found.json()["items"]] == [case["number"]]
    hashes = await intake.fetch("SELECT requester_phone_hash FROM cases WHERE id = $1", UUID(case["id"]))
    assert len(hashes[0]["requester_phone_hash"]) == 64


@pytest.mark.req("I-18")
async def test_the_address_of_a_requester_rests_encrypted_and_is_masked_for_others(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    body = matter(requester={"name": "李娜", "email": "li.na@example.com"})
    number = (await register(body)).json()["number"]

    [row] = await intake.fetch("SELECT requester_email, requester_email_hash FROM cases WHERE number = $1", number)
    assert b"li.na" not in row["requester_email"]
    assert len(row["requester_email_hash"]) == 64
    mine = await intake.http.get(f"/api/cases/{number}", headers=intake.token("bj.clerk", ["beijing"], ["clerk"]))
    assert mine.json()["requester"]["email"] == "li.na@example.com"
    theirs = await intake.http.get(f"/api/cases/{number}", headers=intake.token("bj.other", ["beijing"], ["clerk"]))
    assert theirs.json()["requester"]["email"] == "l***@example.com"
