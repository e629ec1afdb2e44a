"""Facts of other systems over HTTP: both CloudEvents modes, once each, unchanged on the bus."""

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shouwen.contracts.group import InjuryReported
from shouwen.runtime.testing import Running

Body = dict[str, Any]
INJURY: Body = {
    "branch": "beijing",
    "owner": "bj.clerk",
    "occurred_at": "2026-11-19T05:00:00+08:00",
    "reported_at": "2026-11-19T20:00:00+08:00",
}


def event(**differences: Any) -> Body:
    usual: Body = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "type": "injury.reported.v1",
        "source": "/safety",
        "subject": f"injury/{uuid4()}",
        "time": "2026-11-19T20:00:00+08:00",
        "datacontenttype": "application/json",
        "data": INJURY,
    }
    return {name: value for name, value in (usual | differences).items() if value is not None}


async def send(intake: Running, body: Body | bytes, **token: Any) -> httpx.Response:
    usual: Body = {"person": "safety-system", "roles": ["system"]}
    headers = intake.token(**usual | token)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await intake.http.post(
        "/api/events",
        content=content,
        headers=headers | {"Content-Type": "application/cloudevents+json; charset=utf-8"},
    )


@pytest.mark.req("X-07")
async def test_a_structured_event_reaches_the_bus_unchanged_and_once(intake: Running) -> None:
    sent = event(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    first, again = await send(intake, sent), await send(intake, sent)
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() == again.json()
    assert first.json()["stream"] == "group.v1"
    await intake.settled()
    [heard] = await intake.emitted(InjuryReported, subject=sent["subject"])
    assert (heard.id, heard.source, heard.time.isoformat()) == (sent["id"], "/safety", "2026-11-19T12:00:00+00:00")
    assert heard.traceparent is not None
    assert heard.traceparent.startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
    assert heard.data == InjuryReported.model_validate(INJURY)
    assert heard.key == sent["subject"].removeprefix("injury/").encode()


@pytest.mark.req("X-07")
async def test_a_binary_event_gives_the_same(intake: Running) -> None:
    attributes = {name: value for name, value in event(subject=f"injury/工伤-{uuid4()}").items() if name != "data"}
    del attributes["datacontenttype"]
    headers = {f"ce-{name}": httpx.URL(f"http://x/{value}").raw_path.decode()[1:] for name, value in attributes.items()}
    headers |= {"ce-source": "/safety", "ce-time": attributes["time"], "Content-Type": "application/json"}
    headers |= intake.token("safety-system", roles=["system"])
    answer = await intake.http.post("/api/events", content=json.dumps(INJURY).encode(), headers=headers)
    assert answer.status_code == 202, answer.text
    [heard] = await intake.emitted(InjuryReported, subject=attributes["subject"])
    assert (heard.id, heard.data) == (attributes["id"], InjuryReported.model_validate(INJURY))


async def test_an_id_that_was_used_for_another_fact_is_refused(intake: Running) -> None:
    sent = event()
    assert (await send(intake, sent)).status_code == 202
    other = await send(intake, sent | {"data": INJURY | {"owner": "bj.clerk2"}})
    assert other.status_code == 409
    assert (await send(intake, sent | {"source": "/another-system"})).status_code == 202


@pytest.mark.parametrize(
    ("differences", "field"),
    [
        ({"id": None}, "id"),
        ({"time": None}, "time"),
        ({"time": "2026-11-19T20:00:00"}, "time"),
        ({"subject": "injury/"}, "subject"),
        ({"specversion": "2.0"}, "specversion"),
        ({"type": "injury.reported.v9"}, "type"),
        ({"type": "injury.imagined.v1"}, "type"),
        ({"type": "client.blacklisted.v1"}, "data.list_entry_id"),
        ({"data": INJURY | {"occurred_at": "yesterday"}}, "data.occurred_at"),
        ({"data": {"branch": "beijing"}}, "data.occurred_at"),
        ({"data": [1]}, "body"),
    ],
)
async def test_a_wrong_event_is_refused_with_its_field(
    intake: Running, fields: Callable[[httpx.Response], list[str]], differences: Body, field: str
) -> None:
    answer = await send(intake, event(**differences))
    assert answer.status_code == 422
    assert fields(answer) == [field]


@pytest.mark.req("S-19", "X-07")
async def test_who_sends_a_type_that_only_sla_knows_is_told_where_it_goes(intake: Running) -> None:
    answer = await send(intake, event(type="permit.filed.v1", data={"branch": "beijing"}))
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == "type"
    assert "group.v1 of Kafka" in error["remedy"]


async def test_the_suites_own_events_cannot_come_from_outside(
    intake: Running, fields: Callable[[httpx.Response], list[str]]
) -> None:
    branch = {"branch": "beijing", "name": "北京", "number_prefix": "XX"}
    answer = await send(intake, event(type="branch.described.v1", data=branch))
    assert (answer.status_code, fields(answer)) == (422, ["type"])


async def test_only_a_system_of_the_branch_may_publish(
    intake: Running, fields: Callable[[httpx.Response], list[str]]
) -> None:
    clerk = await send(intake, event(), roles=["clerk"])
    assert (clerk.status_code, fields(clerk)) == (403, ["roles"])
    foreign = await send(intake, event(), branches=["chengdu"])
    assert (foreign.status_code, fields(foreign)) == (403, ["branch"])
    expired = await send(intake, event(), expires_in=-120)
    assert expired.status_code == 401


async def test_what_is_no_event_is_refused(intake: Running, fields: Callable[[httpx.Response], list[str]]) -> None:
    broken = await send(intake, b'{"id": ')
    assert (broken.status_code, fields(broken)) == (422, ["body"])
    surrogate = await send(intake, json.dumps(event(subject="injury/\ud800")).encode())
    assert surrogate.status_code == 422
    headers = intake.token("safety-system", roles=["system"])
    form = await intake.http.post("/api/events", data={"a": "b"}, headers=headers)
    assert (form.status_code, fields(form)) == (422, ["Content-Type"])
    not_utf8 = [(name.encode(), value.encode()) for name, value in headers.items()]
    not_utf8 += [(b"content-type", b"application/json"), (b"ce-id", b"\xff\xfe"), (b"ce-specversion", b"1.0")]
    answer = await intake.http.post("/api/events", content=b"{}", headers=not_utf8)
    assert (answer.status_code, fields(answer)) == (422, ["ce-id"])
    large = await send(intake, b"x" * 2_000_000)
    assert large.status_code == 413
