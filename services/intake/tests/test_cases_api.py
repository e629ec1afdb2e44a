"""The register through its REST API, on real PostgreSQL and Kafka."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from shouwen.contracts.case import (
    CaseAssigned,
    CasePlanDelivered,
    CaseRegistered,
    CaseReplied,
    CaseResolved,
    CaseWithdrawn,
)
from shouwen.runtime import telemetry
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]


async def test_every_query_fits_the_migrated_schema(intake: Running) -> None:
    assert "take_number" in await intake.prepares_every_query("shouwen.intake")


async def test_every_table_has_row_level_security(intake: Running) -> None:
    tables = await intake.fetch(
        "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'branch' "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT c.relrowsecurity"
    )
    assert [row["relname"] for row in tables] == []


@pytest.mark.req("I-01", "I-05")
async def test_a_registered_matter_has_number_trace_registrar_owner_and_both_times(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    received = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    promised = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    answer = await register(
        matter(channel="letter", received_at=received.isoformat(), promised_at=promised.isoformat())
    )
    assert answer.status_code == 201
    case = answer.json()
    assert set(case) == {"id", "number", "trace_id", "state"}
    assert re.fullmatch(r"BJ-20\d\d-\d{6}", case["number"])
    assert re.fullmatch(r"[0-9a-f]{32}", case["trace_id"])
    assert case["state"] == "received"

    [event] = await intake.emitted(CaseRegistered, subject=f"case/{case['id']}")
    fact = event.data
    assert (fact.owner, fact.registrar, fact.department) == ("bj.clerk", "bj.clerk", "customer-service")
    assert (fact.received_at, fact.promised_at, fact.severity) == (received, promised, "ordinary")
    assert fact.registered_at - fact.received_at > timedelta(hours=23)
    assert event.source == "/shouwen/intake"
    assert telemetry.trace_id_of(event.traceparent) == case["trace_id"]
    assert event.key == case["id"].encode()


@pytest.mark.req("I-01")
async def test_numbers_run_without_a_gap_through_concurrent_registrations_of_which_some_fail(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    """Fifty at once: every fifth fails before it has a number, every seventh after it has one."""

    def body(place: int) -> Body:
        if place % 5 == 0:
            return matter(branch="shenzhen", owner="sz.nobody")
        if place % 7 == 0:
            # The subject is right for the API and wrong for the database's trigger below.
            return matter(branch="shenzhen", department="fails-late")
        return matter(branch="shenzhen")

    connection = await asyncpg.connect(intake.owner_url)
    try:
        await connection.execute(
            "CREATE FUNCTION fail_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'late'; END $$; "
            "CREATE TRIGGER fail_late AFTER INSERT ON cases FOR EACH ROW WHEN (NEW.department = 'fails-late') "
            "EXECUTE FUNCTION fail_late()"
        )
        answers = await asyncio.gather(*(register(body(place)) for place in range(50)))
        await connection.execute("DROP TRIGGER fail_late ON cases; DROP FUNCTION fail_late()")
    finally:
        await connection.close()
    assert {answer.status_code for answer in answers} == {201, 422, 500}
    registered = {answer.json()["number"] for answer in answers if answer.status_code == 201}
    assert len(registered) == sum(1 for place in range(50) if place % 5 and place % 7)
    rows = await intake.fetch("SELECT number FROM cases WHERE branch = 'shenzhen' ORDER BY number")
    numbers = [row["number"] for row in rows]
    assert registered <= set(numbers)
    assert [int(number[-6:]) for number in numbers] == list(range(1, len(numbers) + 1))


@pytest.mark.req("X-05")
async def test_the_same_key_gives_the_same_answer_once(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    key = str(uuid4())
    first = await register(matter(), key=key)
    assert first.status_code == 201
    headers = intake.token("bj.clerk")
    replied = await intake.http.post(f"/api/cases/{first.json()['number']}/reply", json={}, headers=headers)
    assert replied.status_code == 200
    again = await register(matter(), key=key)
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await intake.emitted(CaseRegistered, subject=f"case/{first.json()['id']}")) == 1


async def test_concurrent_requests_with_one_key_register_one_case(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    key = str(uuid4())
    answers = await asyncio.gather(*(register(matter(), key=key) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["number"] for answer in answers}) == 1


async def test_a_key_cannot_be_used_for_another_request(
    register: Any, matter: Callable[..., Body], fields: Fields
) -> None:
    key = str(uuid4())
    assert (await register(matter(), key=key)).status_code == 201
    other = await register(matter(subject="另一件事"), key=key)
    assert other.status_code == 422
    assert fields(other) == ["Idempotency-Key"]
    # Another person's key is another key.
    assert (await register(matter(subject="另一件事"), key=key, person="bj.clerk2")).status_code == 201


async def test_a_failed_registration_leaves_its_key_free(register: Any, matter: Callable[..., Body]) -> None:
    key = str(uuid4())
    assert (await register(matter(owner="bj.nobody"), key=key)).status_code == 422
    assert (await register(matter(), key=key)).status_code == 201


@pytest.mark.parametrize(
    ("differences", "field", "word"),
    [
        ({"channel": "fax"}, "channel", "suggestion_box"),
        ({"type": "request"}, "type", "service_request"),
        ({"severity": "malicious"}, "severity", "major"),
        ({"type": "inquiry", "severity": "major"}, "severity", "complaint"),
        ({"subject": "长" * 201}, "subject", ""),
        ({"subject": "  "}, "subject", ""),
        ({"description": "长" * 20_001}, "description", ""),
        ({"description": "a\u0000b"}, "description", ""),
        ({"description": None}, "description", ""),
        ({"requester": {"name": "李", "phone": "call me"}}, "requester.phone", ""),
        ({"requester": None}, "requester", ""),
        ({"received_at": "2026-11-20T09:00:00"}, "received_at", "offset"),
        ({"received_at": "0001-01-01T00:00:00+08:00"}, "received_at", ""),
        ({"received_at": "2998-01-01T00:00:00+08:00"}, "received_at", "past"),
        ({"promised_at": "1999-01-01T00:00:00+08:00"}, "promised_at", "later"),
        ({"owner": "cd.clerk"}, "owner", "directory"),
        ({"client": {"name": "甲", "identifier": "<script>"}}, "client.identifier", ""),
        ({"note": "x"}, "note", "Remove"),
    ],
)
async def test_a_wrong_field_is_named_with_its_remedy(
    register: Any, matter: Callable[..., Body], fields: Fields, differences: Body, field: str, word: str
) -> None:
    answer = await register(matter(**differences))
    assert answer.status_code == 422
    assert fields(answer) == [field]
    assert word in answer.text


async def test_what_is_not_json_or_has_no_key_is_refused(
    intake: Running, matter: Callable[..., Body], fields: Fields
) -> None:
    headers = intake.token("bj.clerk")
    keyless = await intake.http.post("/api/cases", json=matter(), headers=headers)
    assert (keyless.status_code, fields(keyless)) == (422, ["Idempotency-Key"])
    headers |= {"Idempotency-Key": "k", "Content-Type": "application/json"}
    broken = await intake.http.post("/api/cases", content=b'{"type": ', headers=headers)
    assert (broken.status_code, fields(broken)) == (422, ["body"])
    large = await intake.http.post("/api/cases", json=matter(description="长" * 700_000), headers=headers)
    assert large.status_code == 413


@pytest.mark.req("X-06")
async def test_a_token_of_another_branch_an_expired_one_or_none_registers_nothing(
    intake: Running, matter: Callable[..., Body], fields: Fields
) -> None:
    for headers, status, field in (
        (intake.token("cd.clerk", ["chengdu"]), 403, "branch"),
        (intake.token("bj.clerk", roles=["group_auditor"]), 403, "roles"),
        (intake.token("bj.clerk", expires_in=-60), 401, "Authorization"),
        ({}, 401, "Authorization"),
    ):
        answer = await intake.http.post("/api/cases", json=matter(), headers=headers | {"Idempotency-Key": "x-06"})
        assert (answer.status_code, fields(answer)) == (status, [field])
    assert not await intake.fetch("SELECT 1 FROM idempotency_key WHERE key = 'x-06'")


@pytest.mark.req("X-06")
async def test_another_branch_sees_nothing_of_a_case(
    intake: Running, register: Any, matter: Callable[..., Body], fields: Fields
) -> None:
    number = (await register(matter())).json()["number"]
    foreign = intake.token("cd.manager", ["chengdu"], ["manager"])
    for path in (f"/api/cases/{number}", f"/api/cases/{number}/timeline"):
        answer = await intake.http.get(path, headers=foreign)
        assert (answer.status_code, fields(answer)) == (404, ["number"])
    answer = await intake.http.post(f"/api/cases/{number}/reply", json={}, headers=foreign)
    assert answer.status_code == 404
    listed = await intake.http.get("/api/cases", headers=foreign)
    assert {case["branch"] for case in listed.json()["items"]} <= {"chengdu"}
    group = await intake.http.get(f"/api/cases/{number}", headers=intake.token("auditor", [], ["group_auditor"]))
    assert group.status_code == 200


@pytest.mark.req("X-06")
async def test_the_database_itself_keeps_branches_apart(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = (await register(matter())).json()
    app = await asyncpg.connect(intake.service.settings.database_url.get_secret_value())
    try:
        for branches, seen in (("chengdu", 0), ("", 0), ("beijing", 1), ("chengdu,beijing", 1), ("*", 1)):
            async with app.transaction():
                await app.execute("SELECT set_config('shouwen.branches', $1, true)", branches)
                for table, column in (("cases", "id"), ("case_fact", "case_id"), ("idempotency_key", "case_id")):
                    found = await app.fetchval(f"SELECT count(*) FROM {table} WHERE {column} = $1::uuid", case["id"])  # noqa: S608 (names from above)
                    assert found == seen, (branches, table)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction():
                await app.execute("SELECT set_config('shouwen.branches', 'chengdu', true)")
                await app.execute("INSERT INTO number_counter (branch, year, last) VALUES ('beijing', 2000, 1)")
        for statement in (
            "UPDATE case_fact SET actor = 'x'",
            "DELETE FROM case_fact",
            "DELETE FROM cases",
            "UPDATE look SET person = 'x'",
            "UPDATE listed_client SET delisted_at = now()",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await app.execute(statement)
        assert await app.fetch("SELECT * FROM look") == [], "who looked is for the group's auditors"
    finally:
        await app.close()


async def test_commands_change_the_case_and_tell_of_it_in_the_cases_trace(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    case = (await register(matter())).json()
    path, subject = f"/api/cases/{case['number']}", f"case/{case['id']}"
    manager = intake.token("bj.manager", roles=["manager"])
    for command, body, state in (
        ("assign", {"owner": "bj.clerk2"}, "assigned"),
        ("plan", {"text": "方案"}, "in_progress"),
        ("reply", {"text": "已核实", "written": True}, "responded"),
        ("resolve", {"summary": "已办结"}, "resolved"),
    ):
        answer = await intake.http.post(f"{path}/{command}", json=body, headers=manager)
        assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
        assert answer.json()["trace_id"] == case["trace_id"]
    assert answer.json()["owner"] == "bj.clerk2"
    for event_type in (CaseAssigned, CasePlanDelivered, CaseReplied, CaseResolved):
        [event] = await intake.emitted(event_type, subject=subject)
        assert telemetry.trace_id_of(event.traceparent) == case["trace_id"]
        assert event.data.number == case["number"]
    ended = await intake.http.post(f"{path}/reply", json={}, headers=manager)
    assert ended.status_code == 409
    assert "resolved" in ended.json()["detail"]


async def test_a_withdrawn_case_says_why_and_its_refusals_say_what_is_missing(
    intake: Running, register: Any, matter: Callable[..., Body], fields: Fields
) -> None:
    case = (await register(matter())).json()
    path, clerk = f"/api/cases/{case['number']}", intake.token("bj.clerk")
    early = await intake.http.post(f"{path}/resolve", json={}, headers=clerk)
    assert (early.status_code, fields(early)) == (409, ["reply"])
    reasonless = await intake.http.post(f"{path}/withdraw", json={}, headers=clerk)
    assert (reasonless.status_code, fields(reasonless)) == (422, ["reason"])
    stranger = await intake.http.post(f"{path}/withdraw", json={"reason": "撤回"}, headers=intake.token("bj.clerk2"))
    assert (stranger.status_code, fields(stranger)) == (403, ["owner"])
    unknown = await intake.http.post(f"{path}/assign", json={"owner": "cd.clerk"}, headers=clerk)
    assert (unknown.status_code, fields(unknown)) == (422, ["owner"])
    withdrawn = await intake.http.post(f"{path}/withdraw", json={"reason": "来电人已自行解决"}, headers=clerk)
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    [event] = await intake.emitted(CaseWithdrawn, subject=f"case/{case['id']}")
    assert event.data.recorded_by == "bj.clerk"
    shown = (await intake.http.get(path, headers=clerk)).json()
    assert [note["text"] for note in shown["notes"]] == ["来电人已自行解决"]


async def test_a_command_with_a_key_has_its_effect_once(
    intake: Running, register: Any, matter: Callable[..., Body], fields: Fields
) -> None:
    case = (await register(matter())).json()
    path, headers = f"/api/cases/{case['number']}/reply", intake.token("bj.clerk") | {"Idempotency-Key": str(uuid4())}
    answers = await asyncio.gather(
        *(intake.http.post(path, json={"text": "已答复"}, headers=headers) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    await intake.settled()
    assert len(await intake.emitted(CaseReplied, subject=f"case/{case['id']}")) == 1
    other = await intake.http.post(path, json={"text": "别的"}, headers=headers)
    assert (other.status_code, fields(other)) == (422, ["Idempotency-Key"])


async def test_the_register_is_read_in_pages_through_filters(
    intake: Running, register: Any, matter: Callable[..., Body]
) -> None:
    numbers = [
        (await register(matter(branch="chengdu", type="inquiry", owner="cd.clerk2"))).json()["number"] for _ in range(5)
    ]
    headers = intake.token("cd.manager", ["chengdu"], ["manager"])
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = await intake.http.get(
            "/api/cases", params={"limit": "2", "owner": "cd.clerk2", "type": "inquiry", **after}, headers=headers
        )
        assert answer.status_code == 200
        page = answer.json()
        found += [case["number"] for case in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == numbers[::-1]
    for parameters in ({"state": "resolved"}, {"branch": "beijing"}):
        answer = await intake.http.get("/api/cases", params={"owner": "cd.clerk2", **parameters}, headers=headers)
        assert answer.json() == {"items": [], "next": None}
    for parameters in ({"after": "x"}, {"limit": "0"}, {"type": "x"}, {"client": "李"}):
        assert (await intake.http.get("/api/cases", params=parameters, headers=headers)).status_code == 422


async def test_the_api_describes_itself_without_the_network(intake: Running) -> None:
    page = await intake.http.get("/api/docs")
    assert page.status_code == 200
    for link in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert link.startswith("/")
        assert (await intake.http.get(link)).status_code == 200
    document = (await intake.http.get("/api/openapi.json")).json()
    for path in (
        "/api/cases",
        "/api/cases/{number}",
        "/api/cases/{number}/timeline",
        "/api/cases/{number}/withdraw",
        "/api/events",
        "/api/directory",
    ):
        assert path in document["paths"]
