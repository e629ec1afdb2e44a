"""A matter that spans departments is split, tracked and answered as one (I-08; 003 §7(一))."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from shouwen.contracts.case import CaseAssigned, CaseRegistered, CaseReplied, CaseSplit, CaseWithdrawn
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

pytestmark = pytest.mark.req("I-08")

WAGES: Body = {
    "department": "payroll",
    "owner": "bj.clerk2",
    "subject": "核对工资",
    "description": "请核对十月工资并答复。",
}
CONTRACT: Body = {"department": "unheard-of", "subject": "核对合同", "description": "请核对合同约定的发薪日。"}


@pytest.fixture
def post(intake: Running) -> Callable[..., Any]:
    """Send a command as a person of Beijing; the coordinator unless another is named."""

    async def send(
        number: str, path: str, person: str = "bj.coordinator", role: str = "coordinator", **body: Any
    ) -> httpx.Response:
        key = body.pop("key", None)
        headers = intake.token(person, ["beijing"], [role]) | ({"Idempotency-Key": key} if key else {})
        return await intake.http.post(f"/api/cases/{number}/{path}", json=body, headers=headers)

    return send


@pytest.fixture
def shown(intake: Running) -> Callable[[str], Any]:
    """A case as the coordinator sees it."""

    async def get(number: str) -> Body:
        headers = intake.token("bj.coordinator", ["beijing"], ["coordinator"])
        answer = await intake.http.get(f"/api/cases/{number}", headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
async def case(register: Any, matter: Callable[..., Body]) -> Body:
    """A complaint that concerns two departments."""
    return (await register(matter())).json()


async def test_each_part_has_its_number_department_owner_and_clocks(
    intake: Running, case: Body, post: Any, shown: Any
) -> None:
    number = case["number"]
    answer = await post(number, "split", parts=[WAGES, CONTRACT], note="涉及两个部门")
    assert answer.status_code == 200, answer.text
    whole = answer.json()
    assert (whole["state"], whole["owner"]) == ("in_progress", "bj.coordinator"), (
        "the coordinator answers for the whole"
    )
    assert [each["number"] for each in whole["parts"]] == [f"{number}-1", f"{number}-2"]
    assert [each["owner"] for each in whole["parts"]] == ["bj.clerk2", "bj.coordinator"]

    [split] = await intake.emitted(CaseSplit, subject=f"case/{case['id']}")
    assert [str(each) for each in split.data.parts] == [each["id"] for each in whole["parts"]]
    [assigned] = await intake.emitted(CaseAssigned, subject=f"case/{case['id']}")
    assert assigned.data.owner == "bj.coordinator"
    [registered] = await intake.emitted(CaseRegistered, subject=f"case/{whole['parts'][0]['id']}")
    assert str(registered.data.parent_id) == case["id"]
    assert (registered.data.department, registered.data.owner) == ("payroll", "bj.clerk2")
    assert registered.data.received_at == registered.data.registered_at, "its clocks count from when it is asked"
    assert registered.traceparent is not None
    assert registered.traceparent.split("-")[1] == case["trace_id"]

    part = await shown(f"{number}-1")
    assert (part["subject"], part["parent"], part["state"]) == ("核对工资", number, "received")
    assert part["requester"]["name"] is not None, "the department can reach the requester"
    words = await intake.http.get(
        "/api/cases",
        params={"text": "核对工资", "department": "payroll"},
        headers=intake.token("bj.coordinator", ["beijing"], ["coordinator"]),
    )
    assert f"{number}-1" in [each["number"] for each in words.json()["items"]], "a part is found like any case"
    seen = await shown(number)
    assert [(each["number"], each["subject"]) for each in seen["parts"]] == [
        (f"{number}-1", "核对工资"),
        (f"{number}-2", "核对合同"),
    ]


async def test_the_whole_gets_one_answer_out_of_those_of_its_parts_and_ends_last(
    case: Body, post: Any, shown: Any, fields: Fields
) -> None:
    number = case["number"]
    await post(number, "split", parts=[WAGES, CONTRACT])
    early = await post(number, "reply", text="统一答复")
    assert (early.status_code, fields(early)) == (409, ["parts"])
    assert f"{number}-1, {number}-2" in early.json()["errors"][0]["problem"] + early.json()["detail"]
    assert (await post(f"{number}-1", "reply", "bj.clerk2", "clerk", text="工资已补发")).status_code == 200
    assert (await post(f"{number}-2", "reply", text="合同约定每月十日")).status_code == 200
    parts = (await shown(number))["parts"]
    assert [[answer["text"] for answer in each["answers"]] for each in parts] == [["工资已补发"], ["合同约定每月十日"]]
    stranger = await post(number, "reply", "bj.clerk2", "clerk", text="我来答复")
    assert (stranger.status_code, fields(stranger)) == (403, ["owner"]), "one answer, from who answers for the whole"
    assert (await post(number, "reply", text="工资已补发，合同约定每月十日发薪。")).status_code == 200
    still_open = await post(number, "resolve")
    assert (still_open.status_code, fields(still_open)) == (409, ["parts"])
    for each in (f"{number}-1", f"{number}-2"):
        assert (await post(each, "resolve", summary="已办")).status_code == 200
    assert (await post(number, "resolve", summary="已办结")).status_code == 200


async def test_only_the_coordinator_splits_and_a_part_is_not_split_again(case: Body, post: Any, fields: Fields) -> None:
    number = case["number"]
    for person, role in (("bj.clerk", "clerk"), ("bj.manager", "manager")):
        answer = await post(number, "split", person, role, parts=[WAGES])
        assert (answer.status_code, fields(answer)) == (403, ["person"])
    assert (await post(number, "split", parts=[WAGES])).status_code == 200
    nested = await post(f"{number}-1", "split", parts=[CONTRACT])
    assert (nested.status_code, fields(nested)) == (409, ["number"])


async def test_parts_are_numbered_without_a_gap_and_a_split_sent_again_makes_no_more(
    intake: Running, case: Body, post: Any, register: Any, matter: Callable[..., Body]
) -> None:
    number = case["number"]
    first = await post(number, "split", key=f"split-{number}", parts=[WAGES])
    again = await post(number, "split", key=f"split-{number}", parts=[WAGES])
    assert again.json()["parts"] == first.json()["parts"]
    bad = await post(number, "split", parts=[WAGES, WAGES | {"owner": "bj.nobody"}])
    assert bad.status_code == 422
    more = await post(number, "split", parts=[CONTRACT, CONTRACT])
    assert [each["number"] for each in more.json()["parts"]] == [f"{number}-2", f"{number}-3"]
    following = (await register(matter())).json()["number"]
    last = await intake.fetch("SELECT last FROM number_counter WHERE branch = 'beijing' ORDER BY year DESC LIMIT 1")
    assert int(following.split("-")[2]) == last[0]["last"], "parts use up no number of the register"


async def test_a_bad_part_names_the_field_and_nothing_is_split(
    intake: Running, case: Body, post: Any, fields: Fields
) -> None:
    number = case["number"]
    for parts, field in (
        ([], "parts"),
        ([WAGES | {"owner": "cd.clerk"}], "parts.0.owner"),
        ([WAGES, WAGES | {"subject": " "}], "parts.1.subject"),
        ([WAGES | {"type": "malicious"}], "parts.0.type"),
    ):
        answer = await post(number, "split", parts=parts)
        assert (answer.status_code, fields(answer)) == (422, [field]), answer.text
    assert await intake.fetch("SELECT 1 FROM cases WHERE parent_id = $1", UUID(case["id"])) == []


async def test_a_withdrawn_whole_takes_its_open_parts_along(intake: Running, case: Body, post: Any, shown: Any) -> None:
    number = case["number"]
    parts = (await post(number, "split", parts=[WAGES, CONTRACT])).json()["parts"]
    await post(f"{number}-1", "reply", "bj.clerk2", "clerk", text="工资已补发")
    await post(f"{number}-1", "resolve", "bj.clerk2", "clerk")
    assert (await post(number, "withdraw", reason="当事人撤回")).status_code == 200
    assert [each["state"] for each in (await shown(number))["parts"]] == ["resolved", "withdrawn"]
    assert len(await intake.emitted(CaseWithdrawn, subject=f"case/{parts[1]['id']}")) == 1


async def test_a_part_is_not_taken_up_again_while_the_whole_has_ended(case: Body, post: Any, fields: Fields) -> None:
    number = case["number"]
    await post(number, "split", parts=[WAGES])
    await post(number, "withdraw", reason="当事人撤回")
    refused = await post(f"{number}-1", "reopen", reason="ended_wrongly", note="误撤")
    assert (refused.status_code, fields(refused)) == (409, ["state"])
    assert (await post(number, "reopen", reason="ended_wrongly", note="误撤")).status_code == 200
    assert (await post(f"{number}-1", "reopen", reason="ended_wrongly", note="误撤")).status_code == 200
    early = await post(number, "reply", text="答复")
    assert (early.status_code, fields(early)) == (409, ["parts"])


@pytest.mark.req("I-06")
async def test_a_matter_answered_on_the_spot_is_registered_and_answered_in_one_request(
    intake: Running, register: Any, matter: Callable[..., Body], shown: Any, fields: Fields
) -> None:
    body = matter(type="inquiry", answer={"text": "每月十日发薪", "written": False})
    first = await register(body, key="spot")
    assert (first.status_code, first.json()["state"]) == (201, "responded"), first.text
    again = await register(body, key="spot")
    assert (again.status_code, again.json()) == (200, first.json())
    case = await shown(first.json()["number"])
    assert (case["owner"], case["state"]) == ("bj.clerk", "responded")
    assert [note["text"] for note in case["notes"]] == ["每月十日发薪"]
    subject = f"case/{first.json()['id']}"
    [replied] = await intake.emitted(CaseReplied, subject=subject)
    [registered] = await intake.emitted(CaseRegistered, subject=subject)
    assert replied.data.replied_at == registered.data.registered_at
    system = await register(matter(owner="bj.clerk", answer={"text": "自动答复"}), person="crm", roles=("system",))
    assert (system.status_code, fields(system)) == (422, ["answer"])
