"""Investigations of complaints, what we did not cause, and what the requester is given."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from shouwen.contracts.case import CaseFoundMalicious
from shouwen.contracts.casework import (
    CorrectiveActionAssigned,
    CorrectiveActionCompleted,
    FindingRecorded,
    InvestigationOpened,
    RemedyRecorded,
    RulingApproved,
)
from shouwen.runtime import telemetry
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

FACTS = "经核实，当班人员未登记来电。"


@pytest.fixture
async def complaint(register: Any, matter: Callable[..., Body]) -> Body:
    """A complaint about the clerk who answered the phone."""
    answer = await register(matter())
    assert answer.status_code == 201
    return answer.json()


async def investigated(send: Any, case: Body, finding: str) -> None:
    """A complaint with a finding of the investigator bj.clerk2."""
    await send.good(case, "investigation", "bj.clerk", investigator="bj.clerk2")
    await send.good(case, "investigation/facts", "bj.clerk2", text=FACTS)
    await send.good(case, "investigation/finding", "bj.clerk2", finding=finding, reasoning="依据服务规范第十三条。")


def in_a_week() -> str:
    """A day that is still to come."""
    return (datetime.now(UTC) + timedelta(days=7)).isoformat()


@pytest.mark.req("I-10")
async def test_a_major_complaint_is_not_resolved_before_its_investigation_was_ruled_on(
    register: Any, matter: Callable[..., Body], send: Any, fields: Callable[[httpx.Response], list[str]]
) -> None:
    case = (await register(matter(severity="major"))).json()
    await send.good(case, "reply", "bj.clerk", text="已答复。")
    refused = await send(case, "resolve", "bj.clerk")
    assert (refused.status_code, refused.json()["code"]) == (409, "investigation_missing")
    assert fields(refused) == ["investigation"]
    await investigated(send, case, "not_substantiated")
    early = await send(case, "resolve", "bj.clerk")
    assert (early.status_code, early.json()["code"]) == (409, "investigation_open")
    await send.good(case, "investigation/ruling", "bj.manager", finding="not_substantiated", ruling="不成立。")
    await send.good(case, "resolve", "bj.clerk")
    await send.good(case, "close", "bj.clerk")
    # What was ruled on in the first run stands in the second.
    await send.good(case, "reopen", "bj.clerk", reason="dissatisfied", note="仍不满意。")
    await send.good(case, "reply", "bj.clerk", text="再次答复。")
    await send.good(case, "resolve", "bj.clerk")


@pytest.mark.req("I-10")
async def test_a_complaint_is_investigated_found_ruled_and_put_right_in_its_own_trace(
    intake: Running, complaint: Body, send: Any
) -> None:
    await investigated(send, complaint, "neglect_of_duty")
    await send.good(
        complaint, "investigation/ruling", "bj.manager", finding="neglect_of_duty", ruling="批评并补录登记。"
    )
    await send.good(
        complaint,
        "investigation/actions",
        "bj.manager",
        task="补充来电登记培训。",
        owner="bj.clerk",
        due_at=in_a_week(),
    )
    [shown] = await send.show(complaint, "investigations")
    assert (shown["round"], shown["stage"], shown["investigator"]) == (1, "ruled", "bj.clerk2")
    assert (shown["finding"], shown["approved_by"], shown["ruling"]) == (
        "neglect_of_duty",
        "bj.manager",
        "批评并补录登记。",
    )
    assert [(fact["by"], fact["text"]) for fact in shown["facts"]] == [("bj.clerk2", FACTS)]
    [action] = shown["actions"]
    assert (action["owner"], action["task"], action["completed_at"]) == ("bj.clerk", "补充来电登记培训。", None)
    await send.good(
        complaint, f"investigation/actions/{action['id']}/complete", "bj.clerk", outcome="已于例会完成培训。"
    )
    [shown] = await send.show(complaint, "investigations")
    assert shown["actions"][0]["outcome"] == "已于例会完成培训。"

    subject = f"case/{complaint['id']}"
    for fact in (
        InvestigationOpened,
        FindingRecorded,
        RulingApproved,
        CorrectiveActionAssigned,
        CorrectiveActionCompleted,
    ):
        [event] = await intake.emitted(fact, subject=subject)
        assert telemetry.trace_id_of(event.traceparent) == complaint["trace_id"]
    timeline = await send.show(complaint, "timeline?limit=200")
    assert FACTS not in str(timeline)
    assert "case.ruling_approved.v1" in [entry["type"] for entry in timeline["items"]]


@pytest.mark.req("I-10")
async def test_the_person_complained_of_neither_opens_nor_investigates_nor_approves_nor_reads(
    complaint: Body, send: Any, fields: Fields
) -> None:
    about = {"complained_of": ["bj.manager"]}
    themselves = await send(complaint, "investigation", "bj.manager", investigator="bj.clerk2", **about)
    assert (themselves.status_code, fields(themselves)) == (403, ["complained_of"])
    refused = await send(complaint, "investigation", "bj.clerk", investigator="bj.manager", **about)
    assert (refused.status_code, fields(refused)) == (403, ["investigator"])
    assert refused.json()["code"] == "complained_of"

    await send.good(complaint, "investigation", "bj.clerk", investigator="bj.clerk2", **about)
    await send.good(complaint, "investigation/facts", "bj.clerk2", text=FACTS)
    await send.good(complaint, "investigation/finding", "bj.clerk2", finding="violation", reasoning="属实。")
    approved = await send(complaint, "investigation/ruling", "bj.manager", finding="violation", ruling="无。")
    assert (approved.status_code, fields(approved)) == (403, ["approved_by"])

    [shown] = await send.show(complaint, "investigations", "bj.manager")
    assert (shown["masked"], shown["reasoning"], shown["facts"][0]["text"]) == (True, None, None)
    [shown] = await send.show(complaint, "investigations", "bj.general")
    assert (shown["masked"], shown["reasoning"], shown["facts"][0]["text"]) == (False, "属实。", FACTS)


@pytest.mark.req("I-10")
async def test_an_investigator_found_to_be_concerned_is_replaced_and_their_finding_does_not_stand(
    complaint: Body, send: Any, fields: Fields
) -> None:
    await investigated(send, complaint, "not_substantiated")
    refused = await send(complaint, "investigation", "bj.clerk", investigator="bj.clerk2", complained_of=["bj.clerk2"])
    assert (refused.status_code, fields(refused)) == (403, ["investigator"])
    await send.good(complaint, "investigation", "bj.clerk", investigator="bj.general", complained_of=["bj.clerk2"])
    [shown] = await send.show(complaint, "investigations")
    assert (shown["investigator"], shown["stage"], shown["finding"]) == ("bj.general", "open", None)
    assert shown["reasoning"] is None
    assert len(shown["facts"]) == 1, "what was found out stays"
    own = await send(complaint, "investigation/facts", "bj.clerk2", text=FACTS)
    assert (own.status_code, fields(own)) == (403, ["investigator"])


@pytest.mark.req("I-10")
async def test_the_database_refuses_it_as_well(intake: Running, complaint: Body, send: Any) -> None:
    await send.good(complaint, "investigation", "bj.clerk", investigator="bj.clerk2", complained_of=["bj.manager"])
    for change in ("investigator = 'bj.manager'", "approved_by = 'bj.manager'", "approved_by = 'bj.clerk2'"):
        with pytest.raises(asyncpg.CheckViolationError):
            await intake.fetch(f"UPDATE investigation SET {change} WHERE case_id = $1::text::uuid", complaint["id"])  # noqa: S608


@pytest.mark.req("I-10", "I-19")
async def test_a_case_taken_up_again_is_investigated_in_another_round_and_the_first_is_kept(
    complaint: Body, send: Any
) -> None:
    await investigated(send, complaint, "not_substantiated")
    await send.good(complaint, "investigation/ruling", "bj.manager", finding="not_substantiated", ruling="不成立。")
    await send.good(complaint, "reply", "bj.clerk", text="不成立。")
    await send.good(complaint, "resolve", "bj.clerk")
    await send.good(complaint, "reopen", "bj.clerk", reason="new_information", note="有新证据。")
    await send.good(complaint, "investigation", "bj.clerk", investigator="bj.general")
    latest, first = await send.show(complaint, "investigations")
    assert (latest["round"], latest["stage"], latest["facts"]) == (2, "open", [])
    assert (first["round"], first["stage"], first["ruling"]) == (1, "ruled", "不成立。")


@pytest.mark.req("I-10")
async def test_a_ruling_needs_a_second_person_with_a_directing_role_and_the_finding_that_stands(
    complaint: Body, send: Any, fields: Fields
) -> None:
    await send.good(complaint, "investigation", "bj.clerk", investigator="bj.manager")
    early = await send(complaint, "investigation/finding", "bj.manager", finding="violation", reasoning="属实。")
    assert (early.status_code, fields(early)) == (409, ["facts"])
    await send.good(complaint, "investigation/facts", "bj.manager", text=FACTS)
    none = await send(complaint, "investigation/ruling", "bj.general", finding="violation", ruling="警告。")
    assert (none.status_code, fields(none)) == (409, ["finding"])
    await send.good(complaint, "investigation/finding", "bj.manager", finding="violation", reasoning="属实。")

    for person in ("bj.manager", "bj.clerk"):
        refused = await send(complaint, "investigation/ruling", person, finding="violation", ruling="警告。")
        assert (refused.status_code, fields(refused)) == (403, ["approved_by"])
    other = await send(complaint, "investigation/ruling", "bj.general", finding="not_substantiated", ruling="无。")
    assert (other.status_code, fields(other)) == (409, ["finding"])
    await send.good(complaint, "investigation/ruling", "bj.general", finding="violation", ruling="警告。")
    again = await send(complaint, "investigation/finding", "bj.manager", finding="violation", reasoning="再次。")
    assert (again.status_code, again.json()["code"]) == (409, "already_ruled")


async def test_only_a_complaint_or_report_is_investigated_and_only_by_known_persons(
    register: Any, matter: Callable[..., Body], complaint: Body, send: Any, fields: Fields
) -> None:
    inquiry = (await register(matter(type="inquiry"))).json()
    refused = await send(inquiry, "investigation", "bj.clerk", investigator="bj.clerk2")
    assert (refused.status_code, fields(refused)) == (409, ["type"])
    unknown = await send(complaint, "investigation", "bj.clerk", investigator="nobody")
    assert (unknown.status_code, fields(unknown)) == (422, ["investigator"])
    foreign = await send(complaint, "investigation", "bj.clerk2", investigator="bj.clerk2")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "not_directing")
    none = await send(complaint, "investigation/facts", "bj.clerk2", text=FACTS)
    assert (none.status_code, none.json()["code"]) == (409, "no_investigation")
    early = await send(
        complaint, "investigation/actions", "bj.clerk", task="培训", owner="bj.clerk2", due_at=in_a_week()
    )
    assert (early.status_code, early.json()["code"]) == (409, "no_investigation")


@pytest.mark.req("I-10")
async def test_a_case_under_investigation_does_not_end_before_the_ruling(
    complaint: Body, send: Any, fields: Fields
) -> None:
    await investigated(send, complaint, "not_substantiated")
    await send.good(complaint, "reply", "bj.clerk", text="正在核实。")
    refused = await send(complaint, "resolve", "bj.clerk")
    assert (refused.status_code, fields(refused)) == (409, ["investigation"])
    await send.good(complaint, "investigation/ruling", "bj.manager", finding="not_substantiated", ruling="不成立。")
    await send.good(complaint, "resolve", "bj.clerk")


@pytest.mark.req("I-03", "I-10")
async def test_a_complaint_ruled_malicious_is_malicious_by_investigator_and_approver(
    intake: Running, complaint: Body, send: Any, fields: Fields
) -> None:
    await investigated(send, complaint, "malicious")
    await send.good(complaint, "investigation/ruling", "bj.manager", finding="malicious", ruling="经核实不属实。")
    [found] = await intake.emitted(CaseFoundMalicious, subject=f"case/{complaint['id']}")
    assert (found.data.proposed_by, found.data.confirmed_by) == ("bj.clerk2", "bj.manager")
    shown = (await intake.http.get(f"/api/cases/{complaint['number']}", headers=send.headers("bj.manager"))).json()
    assert shown["found_malicious_at"] is not None
    assert "不属实" not in str(shown), "what was written down stays with the investigation"
    await send.good(complaint, "resolve", "bj.clerk")


@pytest.mark.req("I-11")
async def test_what_we_did_not_cause_is_explained_with_help_before_the_case_ends(
    complaint: Body, send: Any, fields: Fields
) -> None:
    await investigated(send, complaint, "not_caused_by_us")
    await send.good(complaint, "investigation/ruling", "bj.manager", finding="not_caused_by_us", ruling="非我方原因。")
    await send.good(complaint, "reply", "bj.clerk", text="已核实。")
    refused = await send(complaint, "resolve", "bj.clerk")
    assert (refused.status_code, fields(refused)) == (409, ["explanation"])
    half = await send(complaint, "investigation/explanation", "bj.clerk", explanation="银行系统故障。")
    assert (half.status_code, fields(half)) == (422, ["help_offered"])
    await send.good(
        complaint,
        "investigation/explanation",
        "bj.clerk",
        explanation="系银行系统故障。",
        help_offered="已协助向银行申请加急入账。",
    )
    await send.good(complaint, "resolve", "bj.clerk")
    [shown] = await send.show(complaint, "investigations")
    assert (shown["explained_by"], shown["help_offered"]) == ("bj.clerk", "已协助向银行申请加急入账。")


async def test_only_what_we_did_not_cause_is_explained(complaint: Body, send: Any, fields: Fields) -> None:
    await investigated(send, complaint, "violation")
    refused = await send(complaint, "investigation/explanation", "bj.clerk", explanation="无。", help_offered="无。")
    assert (refused.status_code, fields(refused)) == (409, ["finding"])


@pytest.mark.req("I-13")
async def test_apology_compensation_and_follow_up_service_are_recorded_on_the_matter(
    intake: Running, complaint: Body, send: Any
) -> None:
    await send.good(complaint, "remedies", "bj.clerk", remedy="apology", text="当面致歉。")
    await send.good(
        complaint,
        "remedies",
        "bj.clerk",
        remedy="compensation",
        amount="200.50",
        follow_up_due_at=in_a_week(),
        follow_up_owner="bj.clerk2",
    )
    given = await send.show(complaint, "remedies")
    assert [(one["remedy"], one["amount"], one["text"]) for one in given["remedies"]] == [
        ("apology", None, "当面致歉。"),
        ("compensation", "200.50", None),
    ]
    [planned] = given["follow_ups"]
    assert (planned["reason"], planned["owner"], planned["done_at"]) == ("remedy", "bj.clerk2", None)

    await send.good(complaint, f"follow-ups/{planned['id']}/done", "bj.clerk2", text="客户表示满意。")
    given = await send.show(complaint, "remedies")
    assert (given["follow_ups"][0]["done_by"], given["follow_ups"][0]["text"]) == ("bj.clerk2", "客户表示满意。")
    subject = f"case/{complaint['id']}"
    [told] = await intake.emitted(CorrectiveActionAssigned, subject=subject)
    [done] = await intake.emitted(CorrectiveActionCompleted, subject=subject)
    assert (told.data.owner, str(told.data.action_id), done.data.completed_by) == (
        "bj.clerk2",
        planned["id"],
        "bj.clerk2",
    )
    events = await intake.emitted(RemedyRecorded, subject=f"case/{complaint['id']}", count=3)
    assert [event.data.remedy for event in events] == ["apology", "compensation", "follow_up_service"]
    again = await send(complaint, f"follow-ups/{planned['id']}/done", "bj.clerk2")
    assert (again.status_code, again.json()["code"]) == (409, "follow_up_done")


@pytest.mark.req("I-13")
async def test_a_remedy_that_cannot_be_is_refused_with_its_field(complaint: Body, send: Any, fields: Fields) -> None:
    for field, body in {
        "amount": {"remedy": "apology", "amount": "10"},
        "given_at": {"remedy": "apology", "given_at": in_a_week()},
        "due_at": {"remedy": "apology", "follow_up_due_at": "2020-01-01T00:00:00Z"},
        "follow_up_owner": {"remedy": "apology", "follow_up_due_at": in_a_week(), "follow_up_owner": "nobody"},
    }.items():
        refused = await send(complaint, "remedies", "bj.clerk", **body)
        assert (refused.status_code, fields(refused)) == (422, [field])
    foreign = await send(complaint, "remedies", "bj.clerk2", remedy="apology")
    assert foreign.status_code == 403
    assert await send.show(complaint, "remedies") == {"remedies": [], "follow_ups": []}


@pytest.mark.req("I-13")
async def test_a_case_is_not_closed_while_something_is_to_be_put_right_or_to_follow(
    complaint: Body, send: Any, fields: Fields
) -> None:
    await investigated(send, complaint, "violation")
    await send.good(complaint, "investigation/ruling", "bj.manager", finding="violation", ruling="整改。")
    await send.good(
        complaint, "investigation/actions", "bj.manager", task="整改", owner="bj.clerk2", due_at=in_a_week()
    )
    await send.good(complaint, "remedies", "bj.clerk", remedy="apology", follow_up_due_at=in_a_week())
    await send.good(complaint, "reply", "bj.clerk", text="已处理。")
    await send.good(complaint, "resolve", "bj.clerk")
    refused = await send(complaint, "close", "bj.clerk")
    assert (refused.status_code, fields(refused)) == (409, ["actions"])
    [shown] = await send.show(complaint, "investigations")
    await send.good(complaint, f"investigation/actions/{shown['actions'][0]['id']}/complete", "bj.clerk2")
    refused = await send(complaint, "close", "bj.clerk")
    assert (refused.status_code, fields(refused)) == (409, ["follow_ups"])
    given = await send.show(complaint, "remedies")
    await send.good(complaint, f"follow-ups/{given['follow_ups'][0]['id']}/done", "bj.clerk")
    await send.good(complaint, "close", "bj.clerk")


@pytest.mark.req("I-10", "I-13")
async def test_what_is_still_owed_is_listed_by_person_the_earliest_due_first(
    intake: Running, complaint: Body, send: Any, fields: Fields
) -> None:
    await investigated(send, complaint, "violation")
    await send.good(complaint, "investigation/ruling", "bj.manager", finding="violation", ruling="整改。")
    later, sooner = in_a_week(), (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await send.good(complaint, "investigation/actions", "bj.manager", task="整改", owner="bj.coordinator", due_at=later)
    await send.good(
        complaint,
        "remedies",
        "bj.clerk",
        remedy="apology",
        follow_up_due_at=sooner,
        follow_up_owner="bj.coordinator",
    )

    async def listed(**query: str) -> Body:
        answer = await intake.http.get("/api/things-to-do", params=query, headers=send.headers("bj.manager"))
        assert answer.status_code == 200
        return answer.json()

    first = await listed(owner="bj.coordinator", limit="1")
    assert [(each["kind"], each["number"]) for each in first["items"]] == [("follow_up", complaint["number"])]
    second = await listed(owner="bj.coordinator", after=first["next"])
    assert [each["kind"] for each in second["items"]] == ["corrective_action"]
    assert second["next"] is None
    assert (await listed(owner="bj.coordinator", due_before="2020-01-01T00:00:00Z"))["items"] == []
    foreign = await intake.http.get("/api/things-to-do", headers=send.headers("cd.manager"))
    assert complaint["number"] not in foreign.text
    wrong = await intake.http.get("/api/things-to-do", params={"after": "x~y"}, headers=send.headers("bj.manager"))
    assert (wrong.status_code, fields(wrong)) == (422, ["after"])


@pytest.mark.req("X-06")
async def test_another_branch_sees_nothing_of_what_lies_with_a_case(
    intake: Running, complaint: Body, send: Any
) -> None:
    await investigated(send, complaint, "violation")
    for what in ("investigations", "remedies", "evaluations", "surveys", "decision"):
        answer = await intake.http.get(f"/api/cases/{complaint['number']}/{what}", headers=send.headers("cd.manager"))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (404, "number")
    for command, body in (
        ("investigation", {"investigator": "cd.clerk"}),
        ("investigation/ruling", {"finding": "violation", "ruling": "无。"}),
        ("remedies", {"remedy": "apology"}),
        ("survey", {}),
    ):
        assert (await send(complaint, command, "cd.manager", **body)).status_code == 404


async def test_the_same_command_again_has_no_second_effect(intake: Running, complaint: Body, send: Any) -> None:
    headers = intake.token("bj.clerk") | {"Idempotency-Key": f"remedy-{complaint['id']}"}
    for _ in range(2):
        answer = await intake.http.post(
            f"/api/cases/{complaint['number']}/remedies", json={"remedy": "apology"}, headers=headers
        )
        assert answer.status_code == 200
    assert len((await send.show(complaint, "remedies"))["remedies"]) == 1


@pytest.mark.req("I-10", "I-18")
async def test_what_is_written_down_rests_encrypted_and_each_look_at_it_is_recorded(
    intake: Running, complaint: Body, send: Any
) -> None:
    await investigated(send, complaint, "violation")
    rows = await intake.fetch(
        "SELECT investigation::text || investigation_fact::text AS text FROM investigation "
        "JOIN investigation_fact USING (case_id)"
    )
    assert rows
    assert all(FACTS not in row["text"] for row in rows)
    await send.show(complaint, "investigations", "bj.general")
    looks = await intake.fetch("SELECT person, fields FROM look WHERE case_id = $1::text::uuid", complaint["id"])
    assert [(row["person"], row["fields"]) for row in looks] == [("bj.general", ["investigation.facts"])]
