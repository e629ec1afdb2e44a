"""Duplicates are merged or linked, and no history is lost (I-19)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from shouwen.contracts.case import CaseLinked, CaseMerged
from shouwen.intake.domain import merging
from shouwen.intake.domain.case import Actor, Case, MergedAway, NotInThisState, NotYours
from shouwen.intake.domain.dossier import Dossier, InvestigationOpen
from shouwen.intake.domain.merging import OtherBranch, PartOrWhole, SameCase, SurvivorEnded
from shouwen.intake.handlers.merging import surviving
from shouwen.intake.store import cases
from shouwen.runtime.auth import Principal
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

NOON = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
OWNER = Actor("bj.clerk", frozenset({"clerk"}), frozenset({"beijing"}))
CASE = Case(
    id=UUID(int=1),
    number="BJ-2026-000001",
    branch="beijing",
    type="complaint",
    severity="ordinary",
    channel="phone",
    relation="dispatched_employee",
    state="received",
    received_at=NOON,
    registered_at=NOON,
    registrar="bj.clerk",
    owner="bj.clerk",
    department=None,
    promised_at=None,
    traceparent=None,
)
OTHER = replace(CASE, id=UUID(int=2), number="BJ-2026-000002")


@pytest.mark.req("I-19")
def test_a_merged_case_points_to_the_other_and_can_be_merged_no_more() -> None:
    merged, fact = merging.merge(CASE, OTHER, actor=OWNER, now=NOON)
    assert (merged.state, merged.merged_into, merged.merged_into_number) == ("merged", OTHER.id, OTHER.number)
    assert (fact.into_id, fact.into_number) == (OTHER.id, OTHER.number)
    with pytest.raises(MergedAway):
        merging.merge(merged, OTHER, actor=OWNER, now=NOON)
    with pytest.raises(MergedAway) as circle:
        merging.merge(OTHER, merged, actor=OWNER, now=NOON)
    assert circle.value.members == {"survivor": OTHER.number}, "no circle: the survivor is named"


def test_a_merge_is_refused_where_something_would_be_lost() -> None:
    with pytest.raises(SameCase):
        merging.merge(CASE, CASE, actor=OWNER, now=NOON)
    with pytest.raises(OtherBranch):
        merging.merge(CASE, replace(OTHER, branch="chengdu"), actor=OWNER, now=NOON)
    with pytest.raises(SurvivorEnded):
        merging.merge(CASE, replace(OTHER, state="resolved"), actor=OWNER, now=NOON)
    with pytest.raises(NotInThisState):
        merging.merge(replace(CASE, state="closed"), OTHER, actor=OWNER, now=NOON)
    with pytest.raises(NotYours):
        merging.merge(replace(CASE, owner="bj.clerk2"), OTHER, actor=OWNER, now=NOON)
    with pytest.raises(PartOrWhole, match="a part"):
        merging.merge(replace(CASE, parent_id=UUID(int=9)), OTHER, actor=OWNER, now=NOON)
    with pytest.raises(PartOrWhole, match="split"):
        merging.merge(replace(CASE, parts=2), OTHER, actor=OWNER, now=NOON)
    with pytest.raises(InvestigationOpen):
        merging.merge(CASE, OTHER, actor=OWNER, now=NOON, dossier=Dossier(is_under_investigation=True))


@pytest.fixture
def post(intake: Running) -> Callable[..., Any]:
    """Send a command as a person of Beijing."""

    async def send(
        number: str, path: str, person: str = "bj.clerk", role: str = "clerk", key: str | None = None, **body: Any
    ) -> httpx.Response:
        headers = intake.token(person, ["beijing"], [role]) | ({"Idempotency-Key": key} if key else {})
        return await intake.http.post(f"/api/cases/{number}/{path}", json=body, headers=headers)

    return send


@pytest.fixture
def shown(intake: Running) -> Callable[[str], Any]:
    """A case as its owner sees it."""

    async def get(number: str) -> Body:
        answer = await intake.http.get(f"/api/cases/{number}", headers=intake.token("bj.clerk"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
async def pair(register: Any, matter: Callable[..., Body]) -> list[Body]:
    """Two complaints that are one matter."""
    return [(await register(matter())).json() for _ in range(2)]


@pytest.mark.req("I-19")
async def test_a_merged_case_stays_readable_and_names_the_case_in_which_it_goes_on(
    intake: Running, pair: list[Body], post: Any, shown: Any, fields: Fields
) -> None:
    lost, kept = pair
    await post(lost["number"], "acknowledge", note="已受理")
    answer = await post(lost["number"], "merge", key="once", into=kept["number"], note="同一员工同一事项")
    assert (answer.status_code, answer.json()["state"]) == (200, "merged"), answer.text
    assert (await post(lost["number"], "merge", key="once", into=kept["number"], note="同一员工同一事项")).json()[
        "state"
    ] == "merged"
    [told] = await intake.emitted(CaseMerged, subject=f"case/{lost['id']}")
    assert (str(told.data.into_id), told.data.into_number) == (kept["id"], kept["number"])
    after = await shown(lost["number"])
    assert after["merged_into"] == kept["number"]
    assert {"已受理", "同一员工同一事项"} <= {note["text"] for note in after["notes"]}, "its history stays"
    assert (await shown(kept["number"]))["merged"] == [lost["number"]]
    for path, body in (
        ("reply", {"text": "答复"}),
        ("assign", {"owner": "bj.clerk2"}),
        ("handover", {"receiver": "bj.clerk2", "reason": "转"}),
        ("reopen", {"reason": "dissatisfied", "note": "不满意"}),
        ("close", {}),
        ("withdraw", {"reason": "撤"}),
        ("split", {"parts": [{"department": "payroll", "subject": "核对", "description": "请核对。"}]}),
        ("malicious", {"reason": "不实"}),
        ("investigation", {"investigator": "bj.coordinator"}),
        ("survey", {}),
        ("remedies", {"remedy": "apology", "text": "已致歉"}),
    ):
        refused = await post(lost["number"], path, **body)
        assert (refused.status_code, fields(refused)) == (409, ["state"]), refused.text
        assert refused.json()["survivor"] == kept["number"]
    chain = (await intake.http.get(f"/api/cases/{lost['number']}/custody", headers=intake.token("bj.clerk"))).json()
    assert chain["chain"][-1]["until"] is not None


async def test_what_was_merged_twice_goes_on_in_the_last(
    intake: Running, pair: list[Body], post: Any, register: Any, matter: Callable[..., Body]
) -> None:
    third = (await register(matter())).json()
    first, second = pair
    await post(first["number"], "merge", into=second["number"])
    await post(second["number"], "merge", into=third["number"])
    circle = await post(third["number"], "merge", into=first["number"])
    assert circle.status_code == 409
    assert circle.json()["survivor"] == second["number"]
    clerk = Principal("bj.clerk", "", frozenset({"beijing"}), frozenset({"clerk"}))
    async with intake.service.work.as_person(clerk) as tx:
        filed = await cases.case_by_number(tx, first["number"])
        assert filed is not None
        assert (await surviving(tx, filed)).case.number == third["number"]


async def test_a_bad_merge_names_the_field_and_changes_nothing(
    pair: list[Body], post: Any, shown: Any, fields: Fields, register: Any, matter: Callable[..., Body]
) -> None:
    case, other = pair
    foreign = (await register(matter(branch="chengdu"))).json()
    await post(other["number"], "withdraw", reason="撤回")
    for into, status in (
        (case["number"], 422),
        ("BJ-2026-999999", 422),
        (foreign["number"], 422),
        ("one", 422),
        (other["number"], 409),
    ):
        answer = await post(case["number"], "merge", into=into)
        assert (answer.status_code, fields(answer)) == (status, ["into"]), answer.text
    assert (await shown(case["number"]))["state"] == "received"


@pytest.mark.req("I-19")
async def test_linked_cases_both_go_on_and_show_each_other(
    intake: Running, pair: list[Body], post: Any, shown: Any, fields: Fields
) -> None:
    case, other = pair
    assert (await post(other["number"], "link", other=case["number"], note="同一客户")).status_code == 200
    assert (await shown(case["number"]))["links"] == [other["number"]]
    assert (await shown(other["number"]))["links"] == [case["number"]]
    assert (await shown(case["number"]))["state"] == "received"
    for one, two in (pair, pair[::-1]):
        [told] = await intake.emitted(CaseLinked, subject=f"case/{one['id']}")
        assert told.data.other_number == two["number"]
    again = await post(case["number"], "link", other=other["number"])
    assert (again.status_code, fields(again)) == (409, ["other"])
    itself = await post(case["number"], "link", other=case["number"])
    assert (itself.status_code, fields(itself)) == (422, ["other"])
