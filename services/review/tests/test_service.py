"""The review service on a real Kafka and a real PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from shouwen.contracts.case import CaseRegistered, ClientMention
from shouwen.contracts.casework import CaseErased
from shouwen.contracts.client import (
    ClientBlacklisted,
    ClientDelisted,
    ClientReferred,
    ClientRegistered,
    ClientScreened,
    ForgeryConfirmed,
)
from shouwen.contracts.event import CloudEvent
from shouwen.embedded.testing import Infrastructure
from shouwen.review.app import create
from shouwen.review.settings import ReviewSettings
from shouwen.runtime.privacy import Seal, keyed_hash
from shouwen.runtime.testing import Running, running

KEY = bytes(range(32))
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
REASON = {"reason_code": "forged_documents", "reason": "提交的社保缴费证明经核对系伪造"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


def company() -> str:
    """A unified social credit code with its check character."""
    start = "91" + "".join(random.choice(ALPHABET) for _ in range(15))  # noqa: S311 (test data)
    total = sum(ALPHABET.index(character) * 3**place for place, character in enumerate(start))
    return start + ALPHABET[(31 - total % 31) % 31]


@pytest.fixture(scope="session")
async def review(infrastructure: Infrastructure) -> AsyncIterator[Running]:
    async with running(create, ReviewSettings, infrastructure) as one:
        yield one


def registered(*, name: str | None = None, identifier: str | None = None, seal: Seal | None = None) -> CloudEvent[Any]:
    claims = {key: value for key, value in (("name", name), ("identifier", identifier)) if value}
    mention = ClientMention(
        identifier_hash=keyed_hash(KEY, identifier) if identifier else None,
        sealed=(seal or Seal(KEY)).seal(claims) if claims else None,
    )
    fact = CaseRegistered.model_validate(
        {
            "branch": "beijing",
            "case_id": uuid4(),
            "number": "BJ-2026-000001",
            "case_type": "complaint",
            "channel": "phone",
            "received_at": "2026-11-20T09:00:00+08:00",
            "registered_at": "2026-11-20T09:05:00+08:00",
            "registrar": "bj.clerk",
            "owner": "bj.clerk",
            "client": mention if claims else None,
        }
    )
    return CloudEvent.of(fact, source="/shouwen/intake", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")


def proposal(identifier: str, name: str = "广州诚鑫达商贸有限公司", **other: Any) -> dict[str, Any]:
    return {
        "branch": "beijing",
        "identifier": identifier,
        "name": name,
        **REASON,
        **other,
    }


async def post(review: Running, path: str, person: str, role: str, body: Any = None, **token: Any) -> Any:
    return await review.http.post(path, json=body, headers=review.token(person, roles=[role], **token))


async def listed(review: Running, identifier: str, name: str) -> str:
    """A confirmed entry's id."""
    entry = (await post(review, "/api/list-entries", "bj.clerk", "clerk", proposal(identifier, name))).json()["id"]
    confirmed = await post(review, f"/api/list-entries/{entry}/confirm", "bj.manager", "manager", {})
    assert confirmed.status_code == 200, confirmed.text
    return entry


async def test_every_query_fits_the_migrated_schema(review: Running) -> None:
    assert "similar_names" in await review.prepares_every_query("shouwen.review")


@pytest.mark.req("V-01")
async def test_a_client_is_put_on_file_under_a_number_and_shown_masked(review: Running) -> None:
    identifier = company()
    form = {
        "branch": "beijing",
        "kind": "company",
        "name": "北京星河软件有限公司",
        "identifier": identifier.lower(),
        "consent": True,
        "originals_seen": ["business_licence"],
    }
    answer = await post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert answer.status_code == 201, answer.text
    client = answer.json()
    assert client["number"].startswith("DJ-BEIJING-")
    assert identifier not in answer.text
    assert client["originals_seen"] == ["business_licence"]
    [fact] = [each for each in await review.emitted(ClientRegistered) if str(each.data.client_id) == client["id"]]
    assert fact.data.identifier_hash == keyed_hash(KEY, identifier)

    again = await post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert again.status_code == 409
    assert client["number"] in again.json()["detail"]
    [row] = await review.fetch("SELECT name, identifier FROM client WHERE id = $1", UUID(client["id"]))
    assert identifier.encode() not in row["identifier"]
    assert "星河".encode() not in row["name"]

    found = await review.http.get("/api/clients", params={"number": client["number"]}, headers=review.token())
    assert [each["id"] for each in found.json()["items"]] == [client["id"]]
    elsewhere = review.token("cd.clerk", branches=["chengdu"])
    assert (await review.http.get(f"/api/clients/{client['id']}", headers=elsewhere)).status_code == 404
    assert (await review.http.get("/api/clients", headers=elsewhere)).json()["items"] == []


@pytest.mark.req("V-01")
async def test_form_numbers_of_a_branch_have_no_gaps(review: Running) -> None:
    async def register(valid: bool) -> Any:
        identifier = company() if valid else "91350100M000100Y44"
        form = {"branch": "shenzhen", "kind": "company", "name": "公司", "identifier": identifier, "consent": True}
        return await post(review, "/api/clients", "sz.clerk", "clerk", form, branches=["shenzhen"])

    answers = await asyncio.gather(*(register(number % 3 > 0) for number in range(12)))
    positions = sorted(int(each.json()["number"][-6:]) for each in answers if each.status_code == 201)
    assert positions == list(range(1, 9))


@pytest.mark.req("V-01", "V-02")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"identifier": "91350100M000100Y44"}, "identifier"),
        ({"consent": False}, "consent"),
        ({"kind": "club"}, "kind"),
        ({"name": "  "}, "name"),
        ({"surprise": 1}, "surprise"),
    ],
)
async def test_a_wrong_form_names_its_field(review: Running, change: dict[str, Any], field: str) -> None:
    form = {"branch": "beijing", "kind": "company", "name": "北京", "identifier": company(), "consent": True, **change}
    answer = await post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert all(each["remedy"] for each in answer.json()["errors"])


@pytest.mark.req("V-04", "V-05")
async def test_two_persons_put_a_client_on_the_list_and_two_take_it_off(review: Running) -> None:
    identifier = company()
    answer = await post(review, "/api/list-entries", "bj.manager", "manager", proposal(identifier))
    assert answer.status_code == 201, answer.text
    entry = answer.json()["id"]
    assert identifier not in answer.text
    path = f"/api/list-entries/{entry}"
    assert (await post(review, "/api/list-entries", "bj.clerk", "clerk", proposal(identifier))).status_code == 409
    question = {"identifier": identifier}
    assert (await post(review, "/api/screen", "cd.clerk", "clerk", question)).json()["allowed"] is True

    alone = await post(review, f"{path}/confirm", "bj.manager", "manager")
    assert (alone.status_code, alone.json()["code"]) == (403, "same_person")
    assert (await post(review, f"{path}/confirm", "bj.clerk", "clerk")).status_code == 403
    foreign = await post(review, f"{path}/confirm", "cd.manager", "manager", branches=["chengdu"])
    assert foreign.status_code == 404
    confirmed = await post(review, f"{path}/confirm", "bj.general", "general_manager")
    assert confirmed.json()["state"] == "listed"
    [fact] = [each for each in await review.emitted(ClientBlacklisted) if str(each.data.list_entry_id) == entry]
    assert fact.data.identifier_hash == keyed_hash(KEY, identifier)
    assert (fact.data.proposed_by, fact.data.confirmed_by) == ("bj.manager", "bj.general")

    no = (await post(review, "/api/screen", "cd.clerk", "clerk", question, branches=["chengdu"])).json()
    assert (no["allowed"], no["reason_code"]) == (False, "forged_documents")
    form = {"branch": "beijing", "kind": "company", "name": "改名后", "identifier": identifier, "consent": True}
    refused = await post(review, "/api/clients", "bj.clerk", "clerk", form)
    assert (refused.status_code, refused.json()["reason_code"]) == (409, "forged_documents")

    assert (await post(review, f"{path}/lift", "bj.general", "general_manager")).status_code == 409
    appealed = await post(review, f"{path}/appeal", "bj.clerk", "clerk", {"reason": "原件已补交"})
    assert appealed.json()["state"] == "appealed"
    assert (await post(review, "/api/screen", "bj.clerk", "clerk", question)).json()["allowed"] is False
    lifted = await post(review, f"{path}/lift", "bj.general", "general_manager", {"reason": "属实"})
    assert [each["step"] for each in lifted.json()["history"]] == ["proposed", "confirmed", "appealed", "lifted"]
    assert len([e for e in await review.emitted(ClientDelisted) if str(e.data.list_entry_id) == entry]) == 1
    assert (await post(review, "/api/screen", "bj.clerk", "clerk", question)).json()["allowed"] is True
    assert (await post(review, "/api/list-entries", "bj.clerk", "clerk", proposal(identifier))).status_code == 201


@pytest.mark.req("V-05")
async def test_the_list_is_seen_by_all_branches_and_a_suspicion_by_its_own(review: Running) -> None:
    entry = await listed(review, company(), "北京失信甲有限公司")
    suspicion = (await post(review, "/api/list-entries", "bj.clerk", "clerk", proposal(company()))).json()["id"]
    everywhere = review.token("cd.clerk", branches=["chengdu"])
    seen: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = (await review.http.get("/api/list-entries", params={"limit": "2", **after}, headers=everywhere)).json()
        seen += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    ids = [each["id"] for each in seen]
    assert entry in ids
    assert suspicion not in ids
    assert {step["reason"] for each in seen for step in each["history"]} == {None}
    assert (await review.http.get(f"/api/list-entries/{suspicion}", headers=everywhere)).status_code == 404
    own = (await review.http.get(f"/api/list-entries/{suspicion}", headers=review.token())).json()
    assert own["history"][0]["reason"] == "提交的社保缴费证明经核对系伪造"


@pytest.mark.req("V-05")
async def test_no_role_of_the_service_can_rewrite_history(review: Running) -> None:
    grants = await review.fetch(
        "SELECT grantee, privilege_type FROM information_schema.table_privileges "
        "WHERE table_name IN ('list_step', 'client', 'screening') AND grantee LIKE 'shouwen%' "
        "AND grantee NOT LIKE '%owner'"
    )
    assert {row["privilege_type"] for row in grants} <= {"SELECT", "INSERT"}
    deletes = await review.fetch(
        "SELECT 1 FROM information_schema.table_privileges WHERE table_name = 'list_entry' "
        "AND privilege_type IN ('DELETE', 'TRUNCATE') AND grantee NOT LIKE '%owner'"
    )
    assert deletes == []


async def screened(review: Running, event: CloudEvent[Any]) -> ClientScreened:
    await review.hears(event)
    [fact] = await review.emitted(ClientScreened, subject=f"case/{event.data.case_id}")
    assert fact.traceparent is not None
    assert fact.traceparent.split("-")[1] == TRACE
    return fact.data


@pytest.mark.req("V-05", "I-17")
async def test_the_client_of_a_new_case_is_screened_by_identifier_and_by_near_name(review: Running) -> None:
    identifier, stem = company(), f"蓉城{uuid4().hex[:6]}劳务"
    entry = await listed(review, identifier, f"{stem}有限公司")

    proof = await screened(review, registered(name="随便什么名字", identifier=identifier))
    assert [(str(hit.list_entry_id), hit.match, hit.reason_code) for hit in proof.hits] == [
        (entry, "identifier", "forged_documents")
    ]
    near = await screened(review, registered(name=f"{stem}股份有限公司", identifier=company()))
    assert [(str(hit.list_entry_id), hit.match) for hit in near.hits] == [(entry, "name")]
    traditional = await screened(review, registered(name=f"{stem}有限公司".replace("劳务", "勞務")))
    assert [(str(hit.list_entry_id), hit.match) for hit in traditional.hits] == [(entry, "name")]
    clear = await screened(review, registered(name="上海毫不相干食品厂", identifier=company()))
    assert clear.hits == ()


async def test_a_case_is_screened_once_and_the_result_can_be_looked_up(review: Running) -> None:
    event = registered(name="上海毫不相干食品厂", identifier=company())
    await review.hears(event, event, CloudEvent.of(event.data, source="/shouwen/intake"))
    await review.settled()
    assert len(await review.emitted(ClientScreened, subject=f"case/{event.data.case_id}")) == 1
    subject = {"subject": f"case/{event.data.case_id}"}
    [found] = (await review.http.get("/api/screenings", params=subject, headers=review.token())).json()["items"]
    assert (found["subject"], found["hits"], found["trace_id"]) == (subject["subject"], [], TRACE)
    elsewhere = review.token("cd.clerk", branches=["chengdu"])
    assert (await review.http.get("/api/screenings", params=subject, headers=elsewhere)).json()["items"] == []
    nonsense = await review.http.get("/api/screenings", params={"subject": "case/x"}, headers=review.token())
    assert nonsense.json() == {"items": [], "next": None}


async def test_a_case_without_a_client_is_not_screened(review: Running) -> None:
    event = registered()
    await review.hears(event)
    await review.settled()
    assert await review.emitted(ClientScreened, count=0, subject=f"case/{event.data.case_id}") == []


async def test_a_client_sealed_with_another_key_is_set_aside_and_blocks_nothing(review: Running) -> None:
    bad = registered(name="某公司", seal=Seal(bytes(32)))
    good = registered(name="另一公司")
    await review.hears(bad, good)
    assert len(await review.emitted(ClientScreened, subject=f"case/{good.data.case_id}")) == 1
    assert str(bad.data.case_id) in {(each.subject or "").partition("/")[2] for each in await review.dead_letters()}


@pytest.mark.req("V-03")
async def test_other_systems_get_a_yes_or_no_with_the_reason(review: Running) -> None:
    stem = f"深海{uuid4().hex[:6]}物流"
    await listed(review, company(), f"{stem}有限公司")
    ask = {"name": f"{stem}集团有限公司", "identifier": company()[:-1]}
    answer = (await post(review, "/api/screen", "crm", "system", ask)).json()
    assert answer["allowed"] is True
    assert answer["needs_review"] is True
    assert answer["identifier_valid"] is False
    nothing = await post(review, "/api/screen", "crm", "system", {})
    assert nothing.status_code == 422
    assert nothing.json()["errors"][0]["field"] == "identifier"


async def on_file(review: Running, identifier: str) -> str:
    """The id of a client on file."""
    form = {
        "branch": "beijing",
        "kind": "company",
        "name": "天津宏远达科技有限公司",
        "identifier": identifier,
        "consent": True,
    }
    return (await post(review, "/api/clients", "bj.clerk", "clerk", form)).json()["id"]


@pytest.mark.req("V-04")
async def test_a_serious_forgery_is_told_when_two_persons_have_confirmed_it_and_its_referral_too(
    review: Running,
) -> None:
    client = await on_file(review, company())
    referral = {"authority": "北京市公安局朝阳分局，受案号 0042"}
    early = await post(review, f"/api/clients/{client}/referral", "bj.manager", "manager", referral)
    assert early.status_code == 409
    assert "serious" in early.text

    body = {"client_id": client, "reason_code": "forged_documents", "reason": "伪造印章", "serious": True}
    entry = (await post(review, "/api/list-entries", "bj.clerk", "clerk", body)).json()
    assert entry["serious"] is True
    alone = await post(review, f"/api/list-entries/{entry['id']}/confirm", "bj.clerk", "manager", {})
    assert alone.status_code == 403, "one person alone confirms nothing"
    await post(review, f"/api/list-entries/{entry['id']}/confirm", "bj.manager", "manager", {})
    [fact] = [each.data for each in await review.emitted(ForgeryConfirmed) if str(each.data.client_id) == client]
    assert (fact.serious, fact.proposed_by, fact.confirmed_by) == (True, "bj.clerk", "bj.manager")

    done = await post(review, f"/api/clients/{client}/referral", "bj.manager", "manager", referral)
    assert done.status_code == 201, done.text
    [told] = [each.data for each in await review.emitted(ClientReferred) if str(each.data.client_id) == client]
    assert told.referred_by == "bj.manager"
    again = await post(review, f"/api/clients/{client}/referral", "bj.manager", "manager", referral)
    assert again.status_code == 409
    [row] = await review.fetch("SELECT authority FROM referral WHERE client_id = $1", UUID(client))
    assert "朝阳".encode() not in row["authority"]


async def test_only_a_forgery_of_a_client_on_file_can_be_serious(review: Running) -> None:
    unknown = await post(review, "/api/list-entries", "bj.clerk", "clerk", proposal(company(), serious=True))
    assert unknown.status_code == 422
    assert unknown.json()["errors"][0]["field"] == "client_id"
    other = proposal(company(), serious=True, reason_code="wage_arrears")
    refused = await post(review, "/api/list-entries", "bj.clerk", "clerk", other)
    assert refused.json()["errors"][0]["field"] == "serious"


# --- erasure --------------------------------------------------------------------------------------------------------


def erased(identifier: str, *, at: datetime | None = None) -> CloudEvent[CaseErased]:
    fact = CaseErased(
        branch="beijing",
        case_id=uuid4(),
        number="BJ-2026-000001",
        whose="client",
        erased_at=at or datetime.now(UTC),
        client=ClientMention(identifier_hash=keyed_hash(KEY, identifier)),
    )
    return CloudEvent.of(fact, source="/shouwen/intake")


async def filed_client(review: Running, identifier: str, branch: str = "beijing") -> dict[str, Any]:
    body = {
        "branch": branch,
        "kind": "company",
        "name": "广州司徒贸易有限公司",
        "identifier": identifier,
        "consent": True,
    }
    answer = await post(review, "/api/clients", "bj.clerk", "clerk", body, branches=[branch])
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.req("I-18")
async def test_an_erased_client_is_out_of_the_files_of_all_branches_and_the_forms_stay(review: Running) -> None:
    identifier = company()
    filed = [await filed_client(review, identifier, branch) for branch in ("beijing", "shenzhen")]
    other = await filed_client(review, company())
    event = erased(identifier)
    await review.hears(event)
    await review.hears(event, erased(identifier))
    for before in filed:
        answer = await review.http.get(
            f"/api/clients/{before['id']}", headers=review.token("x", branches=[before["branch"]])
        )
        after = answer.json()
        assert (after["name"], after["identifier"]) == (None, None)
        assert datetime.fromisoformat(after["erased_at"]) == event.data.erased_at
        kept = ("number", "kind", "registered_by", "registered_at", "originals_seen")
        assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
        [row] = await review.fetch("SELECT * FROM client WHERE id = $1", UUID(before["id"]))
        assert (row["name"], row["identifier"], row["identifier_hash"]) == (None, None, None)
    untouched = await review.http.get(f"/api/clients/{other['id']}", headers=review.token("x"))
    assert untouched.json() == other


@pytest.mark.req("I-18")
async def test_who_registers_anew_after_an_erasure_is_a_new_client(review: Running) -> None:
    identifier = company()
    first = await filed_client(review, identifier)
    event = erased(identifier)
    await review.hears(event)
    second = await filed_client(review, identifier)
    assert second["number"] != first["number"]
    await review.hears(erased(identifier, at=event.data.erased_at))
    after = await review.http.get(f"/api/clients/{second['id']}", headers=review.token("x"))
    assert after.json() == second, "an erasure that is told again reaches only what was there when it was decided"


@pytest.mark.req("V-05")
async def test_the_list_of_dishonest_clients_outlives_an_erasure(review: Running) -> None:
    identifier = company()
    client = await filed_client(review, identifier)
    entry = await post(review, "/api/list-entries", "bj.clerk", "clerk", {"client_id": client["id"], **REASON})
    assert entry.status_code == 201, entry.text
    path = f"/api/list-entries/{entry.json()['id']}"
    assert (await post(review, f"{path}/confirm", "bj.manager", "manager", {})).status_code == 200
    await review.hears(erased(identifier))
    answer = await post(review, "/api/screen", "bj.clerk", "clerk", {"identifier": identifier})
    assert answer.json()["allowed"] is False
    listed = (await review.http.get(path, headers=review.token("x"))).json()
    assert listed["name"] == "广州司徒贸易有限公司"


@pytest.mark.req("I-18")
async def test_nobody_is_proposed_for_the_list_out_of_an_erased_file(review: Running) -> None:
    identifier = company()
    client = await filed_client(review, identifier)
    await review.hears(erased(identifier))
    answer = await post(review, "/api/list-entries", "bj.clerk", "clerk", {"client_id": client["id"], **REASON})
    assert (answer.status_code, answer.json()["code"]) == (409, "erased_client")
