"""The data of one client or requester are erased by two persons, for good; the history of the cases stays (I-18)."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shouwen.contracts.casework import CaseErased
from shouwen.intake.app import erase_again
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.privacy import keyed_hash
from shouwen.runtime.testing import Running

Body = dict[str, Any]
SECRETS = ("司徒静", "13655500123", "situ.jing@example.com", "广州司徒贸易有限公司", "司徒静的工资", "已告知司徒静")


def admin(intake: Running, person: str = "admin.one", role: str = "group_admin") -> dict[str, str]:
    return intake.token(person, (), (role,))


@pytest.fixture
def ended(intake: Running, register: Any, matter: Callable[..., Body]) -> Callable[..., Any]:
    """Register a matter full of personal data and bring it to its end; gives its number."""

    async def one(identifier: str, *, resolve: bool = True) -> str:
        answer = await register(
            matter(
                subject=SECRETS[4],
                description=f"{SECRETS[0]}来电，电话{SECRETS[1]}。",
                requester={"name": SECRETS[0], "phone": SECRETS[1], "email": SECRETS[2], "relation": "client_company"},
                client={"name": SECRETS[3], "identifier": identifier},
            )
        )
        assert answer.status_code == 201, answer.text
        number = answer.json()["number"]
        await command(intake, number, "reply", {"text": SECRETS[5]})
        if resolve:
            await command(intake, number, "resolve", {"summary": SECRETS[5]})
        return number

    return one


async def command(intake: Running, number: str, what: str, body: Body) -> None:
    answer = await intake.http.post(f"/api/cases/{number}/{what}", json=body, headers=intake.token("bj.clerk"))
    assert answer.status_code == 200, answer.text


async def shown(intake: Running, number: str) -> Body:
    return (await intake.http.get(f"/api/cases/{number}", headers=intake.token("bj.clerk"))).json()


async def ask(intake: Running, person: str = "admin.one", **whose: str) -> httpx.Response:
    body = {"reason": "本人书面申请 2027-14", **whose}
    return await intake.http.post("/api/erasures", json=body, headers=admin(intake, person))


async def decide(intake: Running, erasure: str, how: str, person: str) -> httpx.Response:
    return await intake.http.post(f"/api/erasures/{erasure}/{how}", headers=admin(intake, person))


@pytest.mark.req("I-18")
async def test_a_client_is_erased_by_two_persons_and_the_history_stays(intake: Running, ended: Any) -> None:
    identifier = f"9144{uuid4().int % 10**12:012}XY"
    number = await ended(identifier)
    before = await shown(intake, number)
    asked = await ask(intake, client_identifier=identifier.lower())
    assert asked.status_code == 201, asked.text
    assert (asked.json()["state"], asked.json()["cases"]) == ("proposed", 1)
    assert (await shown(intake, number)) == before, "asking alone changes nothing"
    alone = await decide(intake, asked.json()["id"], "confirm", "admin.one")
    assert (alone.status_code, alone.json()["code"]) == (403, "own_proposal")
    done = await decide(intake, asked.json()["id"], "confirm", "admin.two")
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["decided_by"]) == ("done", "admin.two")

    after = await shown(intake, number)
    assert after["erased"] == ["client"]
    assert after["client"] is None
    assert after["requester"]["name"] == SECRETS[0], "the requester is another person"
    assert "erased" in after["subject"]
    assert "erased" in after["description"]
    assert {note["text"] for note in after["notes"]} == {after["subject"]}
    kept = ("number", "state", "received_at", "registered_at", "owner", "replied_at", "ended_at", "trace_id")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    headers = intake.token("bj.clerk")
    timeline = (await intake.http.get(f"/api/cases/{number}/timeline", headers=headers)).json()["items"]
    types = [entry["type"] for entry in timeline]
    assert {"case.registered.v1", "case.replied.v1", "case.resolved.v1"} <= set(types)
    assert types[-1] == "case.erased.v1"
    [told] = await intake.emitted(CaseErased, subject=f"case/{before['id']}")
    assert told.data.whose == "client"
    assert told.data.client is not None
    assert told.data.client.identifier_hash == keyed_hash(intake.service.hash_key, identifier)
    [fact] = await intake.fetch("SELECT details::text AS said FROM case_fact WHERE event_id = $1", told.id)
    assert told.data.client.identifier_hash not in fact["said"], "the case does not lead to the client any more"
    for parameters in ({"client_identifier": identifier}, {"text": SECRETS[4]}):
        answer = await intake.http.get("/api/cases", params=parameters, headers=headers)
        assert number not in [each["number"] for each in answer.json()["items"]]
    assert await words_left(intake, number) == []


@pytest.mark.req("I-18")
async def test_a_requester_is_erased_by_phone_wherever_it_was_given(intake: Running, ended: Any) -> None:
    first, second = await ended("91440101MA0000001A"), await ended("91440101MA0000002A")
    asked = (await ask(intake, phone="+86 136 5550 0123")).json()
    assert asked["cases"] >= 2
    assert (await decide(intake, asked["id"], "confirm", "admin.two")).status_code == 200
    for number in (first, second):
        after = await shown(intake, number)
        assert after["erased"] == ["requester"]
        assert after["requester"]["name"] is None
        assert after["requester"]["phone"] is None
        assert after["client"]["name"] == SECRETS[3]
    again = await ask(intake, email=SECRETS[2])
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_erase")


async def test_data_that_are_still_needed_are_not_erased(intake: Running, ended: Any) -> None:
    identifier = f"9144{uuid4().int % 10**12:012}XZ"
    number = await ended(identifier, resolve=False)
    refused = await ask(intake, client_identifier=identifier)
    assert (refused.status_code, refused.json()["code"]) == (409, "open_cases")
    assert number in refused.json()["detail"]
    await command(intake, number, "resolve", {})
    asked = (await ask(intake, client_identifier=identifier)).json()
    twice = await ask(intake, "admin.two", client_identifier=identifier)
    assert (twice.status_code, twice.json()["code"]) == (409, "asked_already")
    taken_back = await decide(intake, asked["id"], "reject", "admin.one")
    assert taken_back.json()["state"] == "rejected"
    late = await decide(intake, asked["id"], "confirm", "admin.two")
    assert (late.status_code, late.json()["code"]) == (409, "decided")
    assert (await shown(intake, number))["erased"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x"}, "body"),
        ({"reason": "x", "phone": "13655500123", "email": "a@b.cn"}, "body"),
        ({"phone": "13655500123"}, "reason"),
        ({"reason": "x", "phone": "abc"}, "phone"),
    ],
)
async def test_an_erasure_names_one_person_and_a_reason(
    intake: Running, fields: Callable[..., list[str]], body: Body, field: str
) -> None:
    answer = await intake.http.post("/api/erasures", json=body, headers=admin(intake))
    assert answer.status_code == 422
    assert fields(answer) == [field]


async def test_only_those_who_may_erase_and_audit(intake: Running) -> None:
    body = {"reason": "x", "phone": "13655500123"}
    for role, branches in (("clerk", ("beijing",)), ("group_auditor", ()), ("general_manager", ("beijing",))):
        headers = intake.token("someone", branches, (role,))
        assert (await intake.http.post("/api/erasures", json=body, headers=headers)).status_code == 403
        confirm = await intake.http.post(f"/api/erasures/{uuid4()}/confirm", headers=headers)
        assert confirm.status_code == 403
    assert (await intake.http.get("/api/erasures", headers=intake.token("bj.clerk"))).status_code == 403
    assert (await intake.http.get("/api/looks", headers=admin(intake))).status_code == 403
    missing = await decide(intake, str(uuid4()), "confirm", "admin.two")
    assert missing.status_code == 404


@pytest.mark.req("I-18")
async def test_what_a_backup_brings_back_is_erased_again(intake: Running, ended: Any) -> None:
    identifier = f"9144{uuid4().int % 10**12:012}XQ"
    number = await ended(identifier)
    backup = (await intake.fetch("SELECT * FROM cases WHERE number = $1", number))[0]
    asked = (await ask(intake, client_identifier=identifier)).json()
    assert (await decide(intake, asked["id"], "confirm", "admin.two")).status_code == 200
    await intake.fetch(
        "UPDATE cases SET subject = $2, description = $3, client_name = $4, client_identifier = $5, "
        "client_identifier_hash = $6, client_erased_at = NULL WHERE number = $1",
        number,
        *(backup[name] for name in ("subject", "description", "client_name", "client_identifier")),
        backup["client_identifier_hash"],
    )
    assert (await shown(intake, number))["client"]["name"] == SECRETS[3]
    later = await ended(identifier)
    settings = intake.service.settings
    assert isinstance(settings, IntakeSettings)
    assert await erase_again(settings) >= 1
    assert (await shown(intake, number))["client"] is None
    assert (await shown(intake, later))["client"]["name"] == SECRETS[3], "a new matter is not part of the old erasure"


@pytest.mark.req("I-18")
async def test_whose_backup_was_restored_is_told_of_the_erasure_once_more(intake: Running, ended: Any) -> None:
    identifier = f"9144{uuid4().int % 10**12:012}XT"
    number = await ended(identifier)
    asked = (await ask(intake, client_identifier=identifier)).json()
    done = (await decide(intake, asked["id"], "confirm", "admin.two")).json()
    settings = intake.service.settings
    assert isinstance(settings, IntakeSettings)
    await erase_again(settings)
    case = await shown(intake, number)
    first, again = await intake.emitted(CaseErased, subject=f"case/{case['id']}", count=2)
    assert first.id != again.id
    assert first.data == again.data
    assert again.data.erased_at == datetime.fromisoformat(done["decided_at"]), "what came afterwards stays"


@pytest.mark.req("I-18")
async def test_looks_at_unmasked_data_are_listed_for_the_auditor(intake: Running, ended: Any) -> None:
    number = await ended(f"9144{uuid4().int % 10**12:012}XL")
    for _ in range(3):
        await shown(intake, number)
    auditor = intake.token("auditor", (), ("group_auditor",))
    found: list[Body] = []
    after: str | None = None
    while True:
        query = {"number": number, "person": "bj.clerk", "limit": 2} | ({"after": after} if after else {})
        page = (await intake.http.get("/api/looks", params=query, headers=auditor)).json()
        found += page["items"]
        if (after := page["next"]) is None:
            break
    assert len(found) == 3
    assert [look["id"] for look in found] == sorted((look["id"] for look in found), reverse=True)
    assert all("requester.phone" in look["fields"] and look["branch"] == "beijing" for look in found)
    nobody = await intake.http.get("/api/looks", params={"person": "nobody"}, headers=auditor)
    assert nobody.json()["items"] == []
    wrong = await intake.http.get("/api/looks", params={"after": "x"}, headers=auditor)
    assert wrong.status_code == 422


async def words_left(intake: Running, number: str) -> list[str]:
    """Tables in which words of a case can still be read with the service's keys."""
    [case] = await intake.fetch("SELECT id FROM cases WHERE number = $1", number)
    columns = await intake.fetch(
        "SELECT c.table_name AS relation, c.column_name AS name FROM information_schema.columns AS c "
        "JOIN information_schema.columns AS k USING (table_schema, table_name) "
        "WHERE c.table_schema = 'public' AND c.data_type = 'bytea' AND k.column_name = 'case_id'"
    )
    left: list[str] = []
    for column in columns:
        query = f'SELECT "{column["name"]}" AS value FROM "{column["relation"]}" WHERE case_id = $1'  # noqa: S608
        for row in await intake.fetch(query, UUID(str(case["id"]))):
            if row["value"] is not None and "erased" not in await asyncio.to_thread(
                intake.service.keys.decrypt, row["value"]
            ):
                left.append(column["relation"])
    return left
