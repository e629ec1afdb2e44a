"""The course of a case through the API: acknowledged, waiting, promised, reclassified, closed, taken up again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shouwen.contracts.case import (
    CaseAcknowledged,
    CaseClosed,
    CasePaused,
    CasePromised,
    CaseReclassified,
    CaseReopened,
    CaseResumed,
)
from shouwen.contracts.clock import ClockFact, ClockMet, ClockRecalculated, ClockStarted
from shouwen.contracts.event import CloudEvent
from shouwen.intake.store.cases import QUERIES
from shouwen.intake.ticker import Ticker
from shouwen.runtime.testing import Running

Body = dict[str, Any]
HOUR = timedelta(hours=1)


@pytest.fixture
def command(intake: Running) -> Callable[..., Any]:
    """Give a command as a person of Beijing."""

    async def post(
        number: str, name: str, *, person: str = "bj.clerk", role: str = "clerk", key: str | None = None, **body: Any
    ) -> httpx.Response:
        headers = intake.token(person, ["beijing"], [role])
        if key:
            headers |= {"Idempotency-Key": key}
        return await intake.http.post(f"/api/cases/{number}/{name}", json=body, headers=headers)

    return post


@pytest.fixture
def shown(intake: Running) -> Callable[[str], Any]:
    """A case as its owner sees it."""

    async def get(number: str) -> Body:
        answer = await intake.http.get(f"/api/cases/{number}", headers=intake.token("bj.clerk"))
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
async def case(register: Any, matter: Callable[..., Body]) -> Body:
    """A registered complaint."""
    return (await register(matter())).json()


async def test_a_case_is_acknowledged_waits_goes_on_is_answered_resolved_and_closed(
    intake: Running, case: Body, command: Any, shown: Any
) -> None:
    number, subject = case["number"], f"case/{case['id']}"
    until = (datetime.now(UTC) + HOUR).isoformat()
    steps: list[tuple[str, Body, str]] = [
        ("acknowledge", {"note": "已告知受理"}, "acknowledged"),
        ("pause", {"reason": "awaiting_requester", "expected_until": until, "note": "请补充工资条"}, "pending"),
        ("resume", {"note": "已补充"}, "in_progress"),
        ("reply", {"text": "已补发", "written": True}, "responded"),
        ("resolve", {"summary": "补发到账"}, "resolved"),
        ("close", {"note": "回访满意"}, "closed"),
    ]
    for name, body, state in steps:
        answer = await command(number, name, **body)
        assert (answer.status_code, answer.json()["state"]) == (200, state), answer.text
        if name == "pause":
            assert (await shown(number))["pause"]["reason"] == "awaiting_requester"
    end = await shown(number)
    assert (end["pause"], end["cycle"], end["runs"]) == (None, 1, [])
    assert end["acknowledged_at"] is not None
    assert "请补充工资条" in [note["text"] for note in end["notes"]]
    for event in (CaseAcknowledged, CasePaused, CaseResumed, CaseClosed):
        [told] = await intake.emitted(event, subject=subject)
        assert told.traceparent is not None
        assert told.traceparent.split("-")[1] == case["trace_id"]
        assert "工资" not in told.data.model_dump_json()


async def test_a_wait_ends_by_itself_when_the_answer_was_expected(
    intake: Running, case: Body, command: Any, shown: Any, register: Any, matter: Callable[..., Body]
) -> None:
    number, other = case["number"], (await register(matter())).json()
    until = datetime.now(UTC) + HOUR
    for each in (number, other["number"]):
        await command(each, "pause", reason="awaiting_requester", expected_until=until.isoformat())
    await intake.fetch(
        "UPDATE cases SET paused_at = now() - interval '2 hours', expected_until = now() - interval '1 hour' "
        "WHERE id = $1",
        UUID(case["id"]),
    )
    ticker = Ticker(intake.service.work, interval=timedelta(minutes=1))
    await ticker.settle()
    await ticker.settle()
    after = await shown(number)
    assert (after["state"], after["pause"]) == ("in_progress", None)
    [told] = await intake.emitted(CaseResumed, subject=f"case/{case['id']}")
    assert told.data.resumed_by == "system"
    assert told.data.resumed_at < datetime.now(UTC) - HOUR / 2, "it goes on from when the answer was expected"
    assert (await shown(other["number"]))["state"] == "pending"


async def test_words_of_a_command_rest_encrypted(intake: Running, case: Body, command: Any) -> None:
    await command(case["number"], "acknowledge", note="请勿外传的话")
    rows = await intake.fetch("SELECT note FROM case_fact WHERE case_id = $1 AND note IS NOT NULL", UUID(case["id"]))
    assert len(rows) == 1
    assert "请勿外传的话".encode() not in rows[0]["note"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("acknowledge", {}),
        ("pause", {"reason": "awaiting_third_party"}),
        ("reclassify", {"type": "report"}),
        ("promise", {"promised_at": (datetime.now(UTC) + 3 * HOUR).isoformat()}),
    ],
)
async def test_the_same_command_with_its_key_again_has_no_second_effect(
    intake: Running, case: Body, command: Any, name: str, body: Body, fields: Callable[[httpx.Response], list[str]]
) -> None:
    key = str(uuid4())
    first = await command(case["number"], name, key=key, **body)
    again = await command(case["number"], name, key=key, **body)
    assert (first.status_code, again.status_code) == (200, 200), first.text
    rows = await intake.fetch("SELECT type FROM case_fact WHERE case_id = $1", UUID(case["id"]))
    assert len(rows) == 2
    other = await command(case["number"], name, key=key, note="别的", **body)
    assert other.status_code == 422
    assert fields(other) == ["Idempotency-Key"]


@pytest.mark.req("I-02")
async def test_a_kind_is_corrected_and_the_clocks_are_told_when_it_came_in(
    intake: Running, case: Body, command: Any, shown: Any
) -> None:
    answer = await command(case["number"], "reclassify", type="report", note="反映的是违规行为")
    assert answer.status_code == 200, answer.text
    after = await shown(case["number"])
    assert (after["type"], after["severity"]) == ("report", None)
    [told] = await intake.emitted(CaseReclassified, subject=f"case/{case['id']}")
    assert (told.data.case_type, told.data.previous_type) == ("report", "complaint")
    assert told.data.received_at == datetime.fromisoformat(after["received_at"])


async def test_a_refused_command_names_the_field_and_changes_nothing(
    case: Body, command: Any, shown: Any, fields: Callable[[httpx.Response], list[str]]
) -> None:
    number = case["number"]
    before = await shown(number)
    past = (datetime.now(UTC) - HOUR).isoformat()
    for name, body, status, field in (
        ("resume", {}, 409, "state"),
        ("close", {}, 409, "state"),
        ("reopen", {"reason": "dissatisfied", "note": "不满意"}, 409, "state"),
        ("pause", {"reason": "awaiting_nobody"}, 422, "reason"),
        ("pause", {"reason": "awaiting_requester", "expected_until": past}, 422, "expected_until"),
        ("reclassify", {"type": "report", "severity": "major"}, 422, "severity"),
        ("reclassify", {"type": "complaint", "severity": "malicious"}, 422, "severity"),
        ("promise", {"promised_at": past}, 422, "promised_at"),
        ("reopen", {"reason": "dissatisfied"}, 422, "note"),
    ):
        answer = await command(number, name, **body)
        assert (answer.status_code, fields(answer)) == (status, [field]), answer.text
    assert await shown(number) == before


@pytest.mark.req("I-07")
async def test_a_later_time_than_the_policies_set_is_promised_with_the_requesters_consent_only(
    intake: Running, case: Body, command: Any, shown: Any, fields: Callable[[httpx.Response], list[str]]
) -> None:
    now = datetime.now(UTC)
    usual: Body = {
        "branch": "beijing",
        "timed_subject": f"case/{case['id']}",
        "pack": "labour-dispatch",
        "policy": "complaint",
        "clause": "004 三(六)",
    }

    def told(fact: type[ClockFact], clock: UUID, target: str, at: datetime, **times: Any) -> CloudEvent[ClockFact]:
        return CloudEvent.of(fact(clock_id=clock, target=target, **usual, **times), source="/shouwen/sla", time=at)

    soon, plan, promise = uuid4(), uuid4(), uuid4()
    await intake.hears(
        told(ClockStarted, soon, "acknowledgement", now, started_at=now, due_at=now + HOUR),
        told(ClockStarted, plan, "first_response", now, started_at=now, due_at=now + 2 * HOUR),
        told(ClockStarted, promise, "promise", now, started_at=now, due_at=now + HOUR / 2),
        told(ClockMet, soon, "acknowledgement", now, completed_at=now, due_at=now + HOUR, breached=False),
        told(
            ClockRecalculated,
            plan,
            "first_response",
            now + timedelta(seconds=1),
            recalculated_at=now,
            previous_due_at=now + 2 * HOUR,
            due_at=now + 4 * HOUR,
        ),
    )
    later = (now + 5 * HOUR).isoformat()
    earlier = (now + 3 * HOUR).isoformat()
    refused = await command(case["number"], "promise", promised_at=later)
    assert (refused.status_code, fields(refused)) == (409, ["requester_consented"])
    assert (await command(case["number"], "promise", promised_at=earlier)).status_code == 200
    refused = await command(case["number"], "promise", promised_at=(now + 3.5 * HOUR).isoformat())
    assert fields(refused) == ["requester_consented"], "what was promised is not put off without consent"
    consented = await command(case["number"], "promise", promised_at=later, requester_consented=True)
    assert consented.status_code == 200, consented.text
    promises = await intake.emitted(CasePromised, count=2, subject=f"case/{case['id']}")
    assert [each.data.requester_consented for each in promises] == [False, True]
    assert datetime.fromisoformat((await shown(case["number"]))["promised_at"]) == now + 5 * HOUR


@pytest.mark.req("I-19")
async def test_a_case_taken_up_again_keeps_its_first_run_and_begins_the_next(
    intake: Running, case: Body, command: Any, shown: Any
) -> None:
    number = case["number"]
    for name, body in (("reply", {"text": "已答复"}), ("resolve", {}), ("close", {})):
        assert (await command(number, name, **body)).status_code == 200
    first = await shown(number)
    again = await command(
        number, "reopen", person="bj.clerk2", key="again", reason="dissatisfied", note="仍未到账", owner="bj.manager"
    )
    assert again.status_code == 200, again.text
    assert (again.json()["state"], again.json()["owner"]) == ("in_progress", "bj.manager")
    after = await shown(number)
    assert (after["cycle"], after["replied_at"], after["ended_at"]) == (2, None, None)
    [run] = after["runs"]
    assert (run["cycle"], run["state"], run["owner"], run["reason"]) == (1, "closed", "bj.clerk", "dissatisfied")
    assert (run["replied_at"], run["ended_at"]) == (first["replied_at"], first["ended_at"])
    assert "仍未到账" in [note["text"] for note in after["notes"]]
    [told] = await intake.emitted(CaseReopened, subject=f"case/{case['id']}")
    assert (told.data.cycle, told.data.reason, told.data.owner) == (2, "dissatisfied", "bj.manager")
    refused = await command(number, "resolve", person="bj.manager", role="manager")
    assert refused.status_code == 409, "the second run is answered anew"
    chain = await intake.fetch("SELECT person, until FROM custody WHERE case_id = $1 ORDER BY id", UUID(case["id"]))
    assert [(row["person"], row["until"] is None) for row in chain] == [("bj.clerk", False), ("bj.manager", True)]


async def test_a_case_is_not_taken_up_by_somebody_who_is_not_there(
    case: Body, command: Any, fields: Callable[[httpx.Response], list[str]]
) -> None:
    await command(case["number"], "withdraw", reason="已自行解决")
    answer = await command(case["number"], "reopen", reason="ended_wrongly", note="误登记", owner="bj.nobody")
    assert (answer.status_code, fields(answer)) == (422, ["owner"])


def test_a_saved_case_keeps_every_field_that_a_command_may_change() -> None:
    for column in ("type", "severity", "cycle", "pause_reason", "merged_into", "found_malicious_at"):
        assert f"{column} = $" in QUERIES.save_case
