"""A complaint is found malicious by two persons, and nothing stops before the second one agrees (I-03)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from shouwen.contracts.case import CaseFoundMalicious
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

pytestmark = pytest.mark.req("I-03")


@pytest.fixture
def post(intake: Running) -> Callable[..., Any]:
    """Send a command as a person of Beijing, or of another branch."""

    async def send(
        number: str, path: str, person: str = "bj.clerk", role: str = "clerk", branch: str = "beijing", **body: Any
    ) -> httpx.Response:
        headers = intake.token(person, ["beijing", branch], [role])
        return await intake.http.post(f"/api/cases/{number}/{path}", json=body, headers=headers)

    return send


@pytest.fixture
def shown(intake: Running) -> Callable[[str], Any]:
    """A case as its owner sees it."""

    async def get(number: str) -> Body:
        return (await intake.http.get(f"/api/cases/{number}", headers=intake.token("bj.clerk"))).json()

    return get


@pytest.fixture
async def case(register: Any, matter: Callable[..., Body]) -> Body:
    """A registered complaint."""
    return (await register(matter())).json()


async def test_one_person_proposes_and_another_confirms_and_only_then_it_is_told(
    intake: Running, case: Body, post: Any, shown: Any
) -> None:
    number = case["number"]
    assert (await post(number, "malicious", reason="所述工资已于当日发放，有流水为证")).status_code == 200
    rows = await intake.fetch("SELECT type FROM case_fact WHERE case_id = $1", UUID(case["id"]))
    assert [row["type"] for row in rows] == ["case.registered.v1"], "a proposal tells nobody, so no clock stops"
    proposed = await shown(number)
    assert proposed["found_malicious_at"] is None
    assert proposed["malicious"][0]["state"] == "proposed"
    confirmed = await post(number, "malicious/confirm", "bj.manager", "manager", note="核实无误")
    assert confirmed.status_code == 200, confirmed.text
    [told] = await intake.emitted(CaseFoundMalicious, subject=f"case/{case['id']}")
    assert (told.data.proposed_by, told.data.confirmed_by) == ("bj.clerk", "bj.manager")
    found = await shown(number)
    assert found["found_malicious_at"] is not None
    assert found["severity"] == "ordinary", "malicious is a finding, not a severity"
    assert found["malicious"][0]["reason"] == "所述工资已于当日发放，有流水为证"
    assert found["malicious"][0]["decision"] == "核实无误"
    ended = await post(number, "resolve", summary="投诉不实")
    assert ended.status_code == 200, "nobody is owed an answer to what is untrue"


async def test_nobody_confirms_or_rejects_what_they_proposed(case: Body, post: Any, fields: Fields) -> None:
    await post(case["number"], "malicious", "bj.manager", "manager", reason="不实")
    for verdict, body in (("confirm", {}), ("reject", {"reason": "不是"})):
        answer = await post(case["number"], f"malicious/{verdict}", "bj.manager", "general_manager", **body)
        assert (answer.status_code, fields(answer)) == (403, ["person"])


async def test_a_clerk_or_a_manager_of_elsewhere_does_not_decide(
    intake: Running, case: Body, post: Any, fields: Fields
) -> None:
    number = case["number"]
    await post(number, "malicious", reason="不实")
    for role in ("clerk", "coordinator"):
        answer = await post(number, "malicious/confirm", "bj.clerk2", role)
        assert (answer.status_code, fields(answer)) == (403, ["person"])
    elsewhere = intake.token("cd.manager", ["chengdu"], ["manager", "group_admin"])
    answer = await intake.http.post(f"/api/cases/{number}/malicious/confirm", json={}, headers=elsewhere)
    assert (answer.status_code, fields(answer)) == (403, ["person"]), "a group role sees all, and decides nothing here"


async def test_a_rejected_finding_leaves_the_complaint_as_it_was_and_stays_readable(
    intake: Running, case: Body, post: Any, shown: Any
) -> None:
    number = case["number"]
    await post(number, "malicious", reason="不实")
    twice = await post(number, "malicious", "bj.clerk2", reason="也认为不实")
    assert twice.status_code == 409
    rejected = await post(number, "malicious/reject", "bj.general", "general_manager", reason="证据不足")
    assert rejected.status_code == 200, rejected.text
    after = await shown(number)
    assert (after["state"], after["found_malicious_at"]) == ("received", None)
    assert [(each["state"], each["decision"]) for each in after["malicious"]] == [("rejected", "证据不足")]
    assert (
        await intake.fetch(
            "SELECT 1 FROM case_fact WHERE case_id = $1 AND type = 'case.found_malicious.v1'", UUID(case["id"])
        )
        == []
    )
    unanswered = await post(number, "resolve")
    assert unanswered.status_code == 409, "its requester is owed an answer still"
    again = await post(number, "malicious", reason="补充了证据")
    assert again.status_code == 200, "new evidence may be brought"


async def test_malicious_is_never_set_at_registration_and_only_complaints_can_be(
    post: Any, register: Any, matter: Callable[..., Body], fields: Fields
) -> None:
    answer = await register(matter(severity="malicious"))
    assert (answer.status_code, fields(answer)) == (422, ["severity"])
    inquiry = (await register(matter(type="inquiry"))).json()
    answer = await post(inquiry["number"], "malicious", reason="不实")
    assert (answer.status_code, fields(answer)) == (409, ["type"])
    answer = await post(inquiry["number"], "malicious/confirm", "bj.manager", "manager")
    assert (answer.status_code, fields(answer)) == (409, ["state"])
    no_reason = await post(inquiry["number"], "malicious")
    assert (no_reason.status_code, fields(no_reason)) == (422, ["reason"])


async def test_the_reason_of_a_finding_rests_encrypted(intake: Running, case: Body, post: Any) -> None:
    await post(case["number"], "malicious", reason="某人的私事")
    [row] = await intake.fetch("SELECT reason FROM malicious_finding WHERE case_id = $1", UUID(case["id"]))
    assert "某人的私事".encode() not in row["reason"]
