"""What is asked outside the contract is approved before it is promised; suggestions are decided before they end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shouwen.contracts.case import CaseNoticeRequested
from shouwen.contracts.casework import EvaluationDecided, EvaluationRequested, SuggestionDecided
from shouwen.runtime import telemetry
from shouwen.runtime.privacy import Seal
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

ASKED: Body = {"request": "要求免费驻场一个月。", "client_value": "high", "importance": "medium", "cost": "12000.00"}


@pytest.fixture
async def service_request(register: Any, matter: Callable[..., Body]) -> Body:
    """A request for a service that the contract does not hold."""
    answer = await register(matter(type="service_request"))
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture
def suggest(register: Any, matter: Callable[..., Body]) -> Callable[..., Any]:
    """Registers a suggestion, with a promised reply or without."""

    async def post(*, promised: bool) -> Body:
        by = (datetime.now(UTC) + timedelta(days=3)).isoformat() if promised else None
        person = {"name": "李建国", "email": "li.jianguo@example.com", "relation": "client_company"}
        answer = await register(matter(type="suggestion", promised_at=by, requester=person))
        assert answer.status_code == 201
        return answer.json()

    return post


@pytest.mark.req("I-12")
async def test_a_reply_that_commits_beyond_the_contract_waits_for_the_approval(
    intake: Running, service_request: Body, send: Any, fields: Fields
) -> None:
    promise = {"text": "可以提供驻场服务。", "commits": True}
    refused = await send(service_request, "reply", "bj.clerk", **promise)
    assert (refused.status_code, fields(refused), refused.json()["code"]) == (409, ["commits"], "not_approved")

    await send.good(service_request, "evaluations", "bj.clerk", **ASKED)
    assert (await send(service_request, "reply", "bj.clerk", **promise)).status_code == 409
    unsaid = await send(service_request, "reply", "bj.clerk", text="正在评估。")
    assert (unsaid.status_code, fields(unsaid)) == (422, ["commits"])
    await send.good(service_request, "reply", "bj.clerk", text="正在评估。", commits=False)
    early = await send(service_request, "resolve", "bj.clerk")
    assert (early.status_code, fields(early)) == (409, ["evaluation"])

    [evaluation] = await send.show(service_request, "evaluations")
    assert (evaluation["cost"], evaluation["client_value"], evaluation["decision"]) == ("12000.00", "high", None)
    await send.good(
        service_request,
        f"evaluations/{evaluation['id']}/decision",
        "bj.general",
        decision="approved_with_conditions",
        conditions="按驻场人天计费，期限一个月。",
        price="9800",
    )
    await send.good(service_request, "reply", "bj.clerk", **promise)
    await send.good(service_request, "resolve", "bj.clerk")
    [evaluation] = await send.show(service_request, "evaluations")
    assert (evaluation["decided_by"], evaluation["price"]) == ("bj.general", "9800.00")
    assert evaluation["conditions"] == "按驻场人天计费，期限一个月。"

    subject = f"case/{service_request['id']}"
    [asked] = await intake.emitted(EvaluationRequested, subject=subject)
    [decided] = await intake.emitted(EvaluationDecided, subject=subject)
    assert (decided.data.evaluation_id, decided.data.owner) == (asked.data.evaluation_id, "bj.clerk")
    for event in (asked, decided):
        assert telemetry.trace_id_of(event.traceparent) == service_request["trace_id"]


@pytest.mark.req("I-12")
async def test_what_was_refused_cannot_be_promised_until_a_new_request_is_approved(
    service_request: Body, send: Any, fields: Fields
) -> None:
    await send.good(service_request, "evaluations", "bj.clerk", **ASKED)
    twice = await send(service_request, "evaluations", "bj.clerk", **ASKED)
    assert (twice.status_code, twice.json()["code"]) == (409, "already_asked")
    [first] = await send.show(service_request, "evaluations")
    decide = f"evaluations/{first['id']}/decision"
    await send.good(service_request, decide, "bj.general", decision="refused", reason="成本过高。")
    refused = await send(service_request, "reply", "bj.clerk", commits=True)
    assert (refused.status_code, fields(refused)) == (409, ["commits"])
    again = await send(service_request, decide, "bj.general", decision="approved", price="0")
    assert (again.status_code, again.json()["code"]) == (409, "already_decided")

    await send.good(service_request, "evaluations", "bj.clerk", **ASKED)
    second = (await send.show(service_request, "evaluations"))[1]
    decide = f"evaluations/{second['id']}/decision"
    await send.good(service_request, decide, "bj.general", decision="approved", price="0")
    await send.good(service_request, "reply", "bj.clerk", commits=True)


@pytest.mark.req("I-12")
async def test_only_the_responsible_body_decides_and_not_on_its_own_request(
    service_request: Body, send: Any, fields: Fields
) -> None:
    foreign = await send(service_request, "evaluations", "bj.clerk2", **ASKED)
    assert foreign.status_code == 403
    await send.good(service_request, "evaluations", "bj.general", **ASKED)
    [evaluation] = await send.show(service_request, "evaluations")
    decide = f"evaluations/{evaluation['id']}/decision"
    for person in ("bj.clerk", "bj.manager", "bj.general"):
        refused = await send(service_request, decide, person, decision="approved", price="1")
        assert (refused.status_code, fields(refused)) == (403, ["decided_by"])
    unknown = await send(
        service_request, "evaluations/00000000-0000-7000-8000-000000000000/decision", "bj.general", decision="refused"
    )
    assert (unknown.status_code, fields(unknown)) == (404, ["evaluation_id"])


@pytest.mark.req("I-12")
async def test_an_approval_carries_a_price_or_conditions_and_a_refusal_its_reason(
    service_request: Body, send: Any, fields: Fields
) -> None:
    await send.good(service_request, "evaluations", "bj.clerk", **ASKED)
    [evaluation] = await send.show(service_request, "evaluations")
    for field, body in {
        "price": {"decision": "approved"},
        "conditions": {"decision": "approved_with_conditions", "price": "10"},
        "reason": {"decision": "refused"},
    }.items():
        refused = await send(service_request, f"evaluations/{evaluation['id']}/decision", "bj.general", **body)
        assert (refused.status_code, fields(refused)) == (422, [field])
    free = await send(
        service_request,
        f"evaluations/{evaluation['id']}/decision",
        "bj.general",
        decision="refused",
        reason="无。",
        price="0",
    )
    assert (free.status_code, fields(free)) == (422, ["price"])
    [evaluation] = await send.show(service_request, "evaluations")
    assert evaluation["decision"] is None


async def test_an_evaluation_needs_value_importance_and_cost(service_request: Body, send: Any, fields: Fields) -> None:
    for field in ASKED:
        refused = await send(
            service_request, "evaluations", "bj.clerk", **{k: v for k, v in ASKED.items() if k != field}
        )
        assert (refused.status_code, fields(refused)) == (422, [field])
    negative = await send(service_request, "evaluations", "bj.clerk", **ASKED | {"cost": "-1"})
    assert (negative.status_code, fields(negative)) == (422, ["cost"])


@pytest.mark.req("I-14")
async def test_a_suggestion_with_a_promised_reply_is_decided_and_told_before_it_ends(
    intake: Running, suggest: Any, send: Any, fields: Fields
) -> None:
    suggestion = await suggest(promised=True)
    refused = await send(suggestion, "resolve", "bj.clerk")
    assert (refused.status_code, fields(refused)) == (409, ["decision"])
    missing = await intake.http.get(f"/api/cases/{suggestion['number']}/decision", headers=send.headers("bj.clerk"))
    assert (missing.status_code, fields(missing)) == (404, ["decision"])

    await send.good(suggestion, "decision", "bj.manager", adopted=True, reason="将于下月起延长办公时间。")
    decision = await send.show(suggestion, "decision")
    assert (decision["adopted"], decision["decided_by"]) == (True, "bj.manager")
    assert decision["sent_at"] is not None
    subject = f"case/{suggestion['id']}"
    [decided] = await intake.emitted(SuggestionDecided, subject=subject)
    assert (decided.data.adopted, decided.data.decided_by) == (True, "bj.manager")
    assert telemetry.trace_id_of(decided.traceparent) == suggestion["trace_id"]
    [notice] = await intake.emitted(CaseNoticeRequested, subject=subject)
    assert notice.data.notice == "suggestion_decision"
    told = Seal(bytes(range(32))).open(notice.data.sealed)
    assert told["email"] == "li.jianguo@example.com"
    assert told["decision"] == "采纳。将于下月起延长办公时间。"
    await send.good(suggestion, "resolve", "bj.clerk")


@pytest.mark.req("I-14")
async def test_a_suggestion_is_decided_once_by_who_directs_and_told_where_it_was_not_promised_on_demand_only(
    intake: Running, suggest: Any, send: Any, fields: Fields
) -> None:
    suggestion = await suggest(promised=False)
    clerk = await send(suggestion, "decision", "bj.clerk", adopted=True, reason="好。")
    assert (clerk.status_code, fields(clerk)) == (403, ["decided_by"])
    await send.good(suggestion, "decision", "bj.manager", adopted=False, reason="已有类似措施。")
    again = await send(suggestion, "decision", "bj.manager", adopted=True, reason="好。")
    assert (again.status_code, fields(again)) == (409, ["decision"])
    assert (await send.show(suggestion, "decision"))["sent_at"] is None
    assert await intake.emitted(CaseNoticeRequested, subject=f"case/{suggestion['id']}", count=0) == []

    other = await suggest(promised=False)
    await send.good(other, "decision", "bj.manager", adopted=False, reason="已有类似措施。", inform=True)
    [notice] = await intake.emitted(CaseNoticeRequested, subject=f"case/{other['id']}")
    assert Seal(bytes(range(32))).open(notice.data.sealed)["decision"].startswith("未采纳")


async def test_what_is_no_suggestion_is_not_decided_on(service_request: Body, send: Any, fields: Fields) -> None:
    refused = await send(service_request, "decision", "bj.manager", adopted=True, reason="好。")
    assert (refused.status_code, fields(refused)) == (409, ["type"])
