"""Another system has its events timed without code: it registers an event type and a pack, and publishes (S-19)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import httpx
import pytest

from shouwen.contracts.clock import ClockBreached, ClockMet, ClockStarted
from shouwen.contracts.event import CloudEvent, Instant
from shouwen.contracts.group import GroupFact
from shouwen.contracts.publisher import publish
from shouwen.runtime.testing import Grounds, Running
from shouwen.sla.app import create
from shouwen.sla.settings import SlaSettings

FILED: dict[str, Any] = {
    "event_type": "permit.filed.v1",
    "title": "工作许可证申请",
    "properties": {
        "filed_at": {"type": "string", "format": "date-time", "description": "When the papers were complete"},
        "kind": {"type": "string", "enum": ["new", "renewal"]},
        "copies": {"type": "integer"},
    },
    "required": ["filed_at"],
}
ISSUED: dict[str, Any] = {
    "event_type": "permit.issued.v1",
    "title": "工作许可证签发",
    "properties": {"issued_at": {"type": "string", "format": "date-time"}},
    "required": ["issued_at"],
}
PACK = """\
pack: work-permits
version: 1
effective_from: 2026-01-01
title: 工作许可证
policies:
  permit:
    start: {event: permit.filed.v1, when: {kind: [new, renewal]}}
    stop: permit.issued.v1
    targets:
      issue:
        limit: 15
        unit: calendar_days
        warn_at: [50%]
        clause: 许可办法 §9
"""


class PermitFiled(GroupFact):
    """What the permit office's own code would write."""

    event_type: ClassVar[str] = "permit.filed.v1"

    filed_at: Instant
    kind: str = "new"


def permit(subject: str, filed_at: datetime) -> CloudEvent[PermitFiled]:
    fact = PermitFiled(branch="qingdao", owner="qd.clerk", department=None, filed_at=filed_at)
    return CloudEvent.of(fact, source="/permits", subject=subject)


def headers_of(subject: str, event_type: str, event_id: str | None = None) -> list[tuple[str, bytes]]:
    pairs = {
        "ce_specversion": "1.0",
        "ce_id": event_id or str(uuid4()),
        "ce_type": event_type,
        "ce_source": "/permits",
        "ce_subject": subject,
        "ce_time": "2026-09-14T10:00:00+08:00",
    }
    return [(name, value.encode()) for name, value in pairs.items()]


def group(sla: Running) -> dict[str, str]:
    return sla.token(person="group.admin", branches=(), roles=("group_admin",))


async def register(sla: Running, event_type: dict[str, Any]) -> httpx.Response:
    return await sla.http.post("/api/event-types", json=event_type, headers=group(sla))


async def clocks(sla: Running, subject: str) -> list[dict[str, Any]]:
    answer = await sla.http.get("/api/clocks", params={"subject": subject}, headers=group(sla))
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


@pytest.mark.req("S-19")
async def test_a_registered_type_and_a_pack_time_events_at_once_in_every_replica(
    ground: Grounds, tmp_path: Path
) -> None:
    directory = tmp_path / "directory.yaml"
    directory.write_text(
        "branches:\n  - {branch: qingdao, name: 青岛, number_prefix: QD, packs: []}\n", encoding="utf-8"
    )
    quick = timedelta(milliseconds=50)
    subject, late = "permit/2026-17", "permit/2026-18"
    async with (
        ground.running(create, SlaSettings, directory_file=directory, ticker_interval=quick) as one,
        ground.running(create, SlaSettings, directory_file=directory, ticker_interval=quick) as other,
    ):
        # Before anybody registers it, the type is not known, and its event is set aside.
        await publish(ground.bootstrap, permit("permit/2026-16", datetime.now(UTC)), prefix=ground.prefix)

        async def is_set_aside() -> str | None:
            return None if await one.dead_letters() else "no dead letter yet"

        await one.until_none(is_set_aside)
        [letter] = await one.dead_letters()
        assert (letter.field, "permit.filed.v1" in letter.detail) == ("ce_type", True)

        for event_type in (FILED, ISSUED):
            answer = await register(one, event_type)
            assert answer.status_code == 201, answer.text
        yaml = {**group(other), "Content-Type": "application/yaml"}
        # For one branch, by its own pack; registered with one replica, published with the other.
        answer = await other.http.post("/api/packs", params={"branch": "qingdao"}, content=PACK, headers=yaml)
        assert answer.status_code == 201, answer.text

        now = datetime.now(UTC)
        await publish(
            ground.bootstrap,
            permit(subject, now),
            permit(late, now - timedelta(days=40)),
            prefix=ground.prefix,
        )

        async def are_timed() -> str | None:
            return None if await clocks(one, subject) and await clocks(one, late) else "no clock yet"

        await one.until_none(are_timed)
        [running] = await clocks(one, subject)
        assert (running["pack"], running["target"], running["clause"]) == ("work-permits", "issue", "许可办法 §9")
        assert (running["state"], running["owner"]) == ("running", "qd.clerk")
        assert datetime.fromisoformat(running["started_at"]) == now
        started = [e.data for e in await one.emitted(ClockStarted, count=2)]
        assert {each.timed_subject for each in started} == {subject, late}
        assert [e.data.timed_subject for e in await one.emitted(ClockBreached)] == [late]

        # Any Kafka client will do.
        body = b'{"branch": "qingdao", "issued_at": "%s", "not_declared": "left out"}' % now.isoformat().encode()
        await one.publish_raw("group.v1", b"2026-17", headers_of(subject, "permit.issued.v1"), body, wait=False)
        [met] = [e.data for e in await one.emitted(ClockMet)]
        assert (met.timed_subject, met.breached) == (subject, False)
        rows = await one.fetch("SELECT data FROM fact WHERE event_type = 'permit.issued.v1'")
        assert "not_declared" not in str(rows[0]["data"]), "what was not declared is not kept"

        # What came too early is handed back.
        operator = one.token(person="op", branches=(), roles=("operator",))
        answer = await one.http.post(f"/api/dead-letters/{letter.id}/replay", headers=operator)
        assert answer.status_code == 200, answer.text
        assert len(await clocks(one, "permit/2026-16")) == 1


@pytest.mark.req("S-19")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"branch": "beijing"}', "filed_at"),
        (b'{"branch": "beijing", "filed_at": "yesterday"}', "filed_at"),
        (b'{"branch": "beijing", "filed_at": "2026-09-14T10:00:00"}', "filed_at"),
        (b'{"branch": "beijing", "filed_at": "2026-09-14T10:00:00+08:00", "kind": "old"}', "kind"),
        (b'{"branch": "beijing", "filed_at": "2026-09-14T10:00:00+08:00", "copies": "two"}', "copies"),
        (b'{"branch": "beijing", "filed_at": "2026-09-14T10:00:00+08:00", "owner": {"name": "x"}}', "owner"),
        (b'{"filed_at": "2026-09-14T10:00:00+08:00"}', "branch"),
        (b'{"branch": "atlantis", "filed_at": "2026-09-14T10:00:00+08:00"}', "branch"),
        (b"not JSON", "body"),
    ],
)
async def test_a_fact_that_does_not_keep_its_declaration_is_set_aside_and_the_next_is_heard(
    sla: Running, body: bytes, field: str
) -> None:
    assert (await register(sla, FILED)).status_code in {200, 201}
    bad, good = f"permit/{uuid4()}", f"permit/{uuid4()}"
    await sla.publish_raw("group.v1", b"k", headers_of(bad, "permit.filed.v1"), body)
    await sla.publish_raw(
        "group.v1",
        b"k",
        headers_of(good, "permit.filed.v1"),
        b'{"branch": "beijing", "filed_at": "2026-09-14T10:00:00+08:00"}',
    )
    [letter] = [each for each in await sla.dead_letters() if each.subject == bad]
    assert letter.field == field
    assert "yesterday" not in letter.detail
    assert [row["subject"] for row in await sla.fetch("SELECT subject FROM fact WHERE subject = $1", good)] == [good]


@pytest.mark.req("S-19")
async def test_a_type_that_nobody_registered_is_set_aside(sla: Running) -> None:
    subject = f"permit/{uuid4()}"
    await sla.publish_raw("group.v1", b"k", headers_of(subject, "permit.lost.v1"), b'{"branch": "beijing"}')
    [letter] = [each for each in await sla.dead_letters() if each.subject == subject]
    assert (letter.error, letter.field) == ("UnknownType", "ce_type")


@pytest.mark.req("S-19")
async def test_a_type_can_only_grow(sla: Running) -> None:
    base = {**FILED, "event_type": "permit.grows.v1"}
    assert (await register(sla, base)).status_code == 201
    assert (await register(sla, base)).status_code == 200
    more: dict[str, Any] = {**base, "properties": {**FILED["properties"], "office": {"type": "string"}}}
    answer = await register(sla, more)
    assert (answer.status_code, answer.json()["registered_by"]) == (201, "group.admin")
    for wrong in (
        base,
        {**more, "properties": {**FILED["properties"], "copies": {"type": "string"}}},
        {**more, "required": ["filed_at", "office"]},
    ):
        answer = await register(sla, wrong)
        assert answer.status_code == 409, answer.text
        assert "next version" in answer.text
    shown = await sla.http.get("/api/event-types/permit.grows.v1", headers=sla.token())
    assert set(shown.json()["properties"]) == {"filed_at", "kind", "copies", "office"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_type": "injury.reported.v1"}, "event_type"),
        ({"event_type": "Permit Filed"}, "event_type"),
        ({"event_type": "permit.filed"}, "event_type"),
        ({"required": ["nobody"]}, "required"),
        ({"properties": {"branch": {"type": "string"}}, "required": []}, "properties.branch"),
        ({"properties": {"n": {"type": "integer", "format": "date"}}, "required": []}, "properties.n"),
        ({"properties": {"n": {"type": "text"}}, "required": []}, "properties.n.type"),
    ],
)
async def test_a_type_that_cannot_be_is_refused_with_its_field(
    sla: Running, changes: dict[str, Any], field: str
) -> None:
    answer = await register(sla, {**FILED, **changes})
    assert answer.status_code == 422, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]], answer.text


async def test_types_are_registered_by_those_who_may_and_listed_page_by_page(sla: Running) -> None:
    clerk = sla.token(roles=("clerk",))
    assert (await sla.http.post("/api/event-types", json=FILED, headers=clerk)).status_code == 403
    assert (await sla.http.get("/api/event-types/none.such.v1", headers=clerk)).status_code == 404
    for number in range(3):
        await register(sla, {**ISSUED, "event_type": f"page.n{number}.v1"})
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await sla.http.get("/api/event-types", params={"limit": 2, **after}, headers=clerk)).json()
        seen += [item["event_type"] for item in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert seen == sorted(set(seen))
    assert {"page.n0.v1", "page.n1.v1", "page.n2.v1"} <= set(seen)


@pytest.mark.req("S-19")
async def test_a_pack_may_only_name_registered_types_and_their_fields(sla: Running) -> None:
    await register(sla, FILED)
    headers = {**sla.token(), "Content-Type": "application/yaml"}
    pack = PACK.replace("permit.issued.v1", "injury.on_site.v1")
    answer = await sla.http.post("/api/packs/validate", content=pack, headers=headers)
    assert answer.status_code == 200, answer.text
    for wrong, words in (
        (pack.replace("permit.filed.v1", "permit.found.v1"), "registered first"),
        (pack.replace("[new, renewal]", "old"), "never occurs"),
        (pack.replace("kind:", "sort:"), "no field sort"),
        (pack.replace("permit.filed.v1,", "permit.filed.v1, at: kind,"), "no time named kind"),
    ):
        answer = await sla.http.post("/api/packs/validate", content=wrong, headers=headers)
        assert (answer.status_code, words in answer.text) == (422, True), answer.text
