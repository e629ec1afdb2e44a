"""The review service through its doors: REST in, Kafka in, Kafka out."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shouwen.contracts.case import CaseRegistered, ClientMention
from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientRegistered, ClientScreened
from shouwen.contracts.event import CloudEvent
from shouwen.runtime.privacy import keyed_hash
from shouwen.runtime.testing import Running

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
SHUJIN = {"name": "成都蜀锦餐饮管理有限公司", "identifier": "91510100MA61K2L3MG"}
CHENGXIN = {"name": "广州诚鑫达商贸有限公司", "identifier": "91440101MA9W1X2Y3J"}
PENGCHENG = {"name": "深圳鹏城电子有限公司", "identifier": "91440300MA5FQR4T5N"}
TIANFU = {"name": "成都天府智造科技有限公司", "identifier": "91510107MA6C7D8E9N"}


def _case(review: Running, client: dict[str, str] | None) -> CloudEvent[CaseRegistered]:
    case_id = uuid4()
    mention = None
    if client:
        mention = ClientMention(
            identifier_hash=keyed_hash(review.service.hash_key, client["identifier"]),
            sealed=review.service.seal.seal(client),
        )
    data = CaseRegistered(
        branch="beijing",
        case_id=case_id,
        number="BJ-2026-000001",
        case_type="complaint",
        channel="phone",
        received_at=NOW,
        registered_at=NOW,
        registrar="bj.clerk",
        owner="bj.clerk",
        severity="ordinary",
        promised_at=None,
        client=mention,
    )
    return CloudEvent.of(data, source="/shouwen/intake", time=NOW)


async def _post(review: Running, path: str, person: str, role: str, body: Any = None) -> httpx.Response:
    return await review.http.post(path, json=body, headers=review.token(person, ["beijing"], [role]))


async def _proposed(review: Running, client: dict[str, str]) -> str:
    proposal = {**client, "branch": "beijing", "reason_code": "forged_documents", "reason": "证明系伪造"}
    answer = await _post(review, "/api/list-entries", "bj.clerk", "clerk", proposal)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


async def _listed(review: Running, client: dict[str, str]) -> str:
    entry = await _proposed(review, client)
    answer = await _post(review, f"/api/list-entries/{entry}/confirm", "bj.general", "general_manager")
    assert answer.status_code == 200, answer.text
    return entry


async def test_every_query_fits_the_migrated_schema(review: Running) -> None:
    assert await review.prepares_every_query("shouwen.review")


@pytest.mark.req("V-01", "V-02")
async def test_a_client_is_put_on_file_once_under_a_number_and_shown_masked(review: Running) -> None:
    form = {**SHUJIN, "branch": "beijing", "kind": "company", "consent": True}
    answer = await _post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert answer.status_code == 201, answer.text
    client = answer.json()
    assert client["number"] == f"beijing-{datetime.now(UTC).year}-000001"
    assert SHUJIN["name"] not in answer.text
    assert SHUJIN["identifier"] not in answer.text
    [event] = await review.emitted(ClientRegistered)
    assert event.data.client_id == UUID(client["id"])
    again = await _post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert again.status_code == 409
    assert client["number"] in again.json()["detail"]


@pytest.mark.req("V-01")
@pytest.mark.parametrize(
    ("change", "field"),
    [({"identifier": "91510100MA61K2L3MX"}, "identifier"), ({"consent": False}, "consent"), ({"kind": "firm"}, "kind")],
)
async def test_a_wrong_form_is_refused_with_the_field_named(
    review: Running, change: dict[str, Any], field: str
) -> None:
    form = {**SHUJIN, "branch": "beijing", "kind": "company", "consent": True, **change}
    answer = await _post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert error["remedy"]


@pytest.mark.req("X-06")
async def test_another_branch_sees_no_client_of_ours(review: Running) -> None:
    form = {**TIANFU, "branch": "beijing", "kind": "company", "consent": True}
    client = (await _post(review, "/api/clients", "bj.clerk", "clerk", form)).json()
    stranger = review.token("cd.clerk", ["chengdu"], ["clerk"])
    assert (await review.http.get(f"/api/clients/{client['id']}", headers=stranger)).status_code == 404
    assert (await review.http.get("/api/clients", headers=stranger)).json()["items"] == []


@pytest.mark.req("V-04", "V-05")
async def test_two_persons_list_a_client_and_two_take_it_off_with_the_history_kept(review: Running) -> None:
    entry = await _proposed(review, CHENGXIN)
    own = await _post(review, f"/api/list-entries/{entry}/confirm", "bj.clerk", "manager")
    assert own.status_code == 403, "the proposing person cannot confirm, whatever the role"
    low = await _post(review, f"/api/list-entries/{entry}/confirm", "bj.clerk2", "clerk")
    assert low.status_code == 403, "a clerk cannot decide"
    assert (await _post(review, "/api/screen", "bj.clerk", "clerk", CHENGXIN)).json()["listed"] is False

    confirmed = await _post(review, f"/api/list-entries/{entry}/confirm", "bj.general", "general_manager")
    assert confirmed.status_code == 200
    [listed] = await review.emitted(ClientBlacklisted, subject=f"list-entry/{entry}")
    assert (listed.data.proposed_by, listed.data.confirmed_by) == ("bj.clerk", "bj.general")
    assert listed.data.identifier_hash == keyed_hash(review.service.hash_key, CHENGXIN["identifier"])
    answer = (await _post(review, "/api/screen", "bj.clerk", "clerk", CHENGXIN)).json()
    assert (answer["listed"], answer["reason_code"]) == (True, "forged_documents")

    why = {"reason": "复核后证明属实"}
    assert (await _post(review, f"/api/list-entries/{entry}/appeal", "bj.manager", "manager", why)).status_code == 200
    own = await _post(review, f"/api/list-entries/{entry}/lift", "bj.manager", "manager", why)
    assert own.status_code == 403
    lifted = await _post(review, f"/api/list-entries/{entry}/lift", "bj.general", "general_manager", why)
    assert lifted.status_code == 200
    assert len(await review.emitted(ClientDelisted, subject=f"list-entry/{entry}")) == 1
    shown = await review.http.get(f"/api/list-entries/{entry}", headers=review.token())
    assert [line["state"] for line in shown.json()["history"]] == ["proposed", "listed", "lift_proposed", "lifted"]


@pytest.mark.req("V-05", "I-17")
async def test_the_client_of_a_new_case_is_found_by_identifier_and_by_near_name(review: Running) -> None:
    entry = await _listed(review, PENGCHENG)
    exact = _case(review, PENGCHENG)
    near = _case(review, {"name": "深圳鹏城电子有限责任公司", "identifier": "91440300MA5GN6P7QK"})
    clear = _case(review, SHUJIN)
    unnamed = _case(review, None)
    await review.hears(exact, near, clear, unnamed)
    found = {event.data.case_id: event.data.hits for event in await review.emitted(ClientScreened, count=3)}
    assert [(hit.list_entry_id, hit.match) for hit in found[exact.data.case_id]] == [(UUID(entry), "identifier")]
    assert [(hit.list_entry_id, hit.match) for hit in found[near.data.case_id]] == [(UUID(entry), "name")]
    assert found[clear.data.case_id] == ()
    assert unnamed.data.case_id not in found
    shown = await review.http.get("/api/screenings", params={"subject": exact.subject}, headers=review.token())
    assert [hit["match"] for hit in shown.json()["items"][0]["hits"]] == ["identifier"]


@pytest.mark.req("X-05")
async def test_a_case_heard_twice_is_screened_once(review: Running) -> None:
    case = _case(review, SHUJIN)
    await review.hears(case, case)
    await review.settled()
    assert len(await review.emitted(ClientScreened, subject=case.subject)) == 1


@pytest.mark.req("I-18")
async def test_names_and_identifiers_rest_encrypted_and_leave_in_no_event(review: Running) -> None:
    await review.settled()
    for table in ("client", "list_entry", "list_entry_fact", "screening"):
        rows = str(await review.fetch(f"SELECT t::text AS row FROM {table} t"))  # noqa: S608 - names from this list
        for secret in (*SHUJIN.values(), *CHENGXIN.values(), *PENGCHENG.values()):
            assert secret not in rows
            assert secret.encode().hex() not in rows
    for record in await review.records("client.v1"):
        assert not any(secret.encode() in (record.value or b"") for secret in (*SHUJIN.values(), *CHENGXIN.values()))
