"""How satisfied requesters are: a link that works once, without an account, and what a bad score leads to (I-15)."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from shouwen.contracts.case import CaseNoticeRequested, CaseReopened
from shouwen.contracts.casework import SurveyAnswered, SurveyInvited
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime import telemetry
from shouwen.runtime.privacy import Seal
from shouwen.runtime.testing import Running, running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

WORDS = "等了很久，态度也不好。"


@pytest.fixture
async def ended(register: Any, matter: Callable[..., Body], send: Any) -> Body:
    """A complaint that was answered and resolved, of somebody with an e-mail address."""
    person = {"name": "赵小兰", "email": "zhao.xiaolan@example.com", "phone": "13900001111", "relation": "other"}
    case = (await register(matter(requester=person))).json()
    await send.good(case, "reply", "bj.clerk", text="已处理。")
    await send.good(case, "resolve", "bj.clerk")
    return case


async def link(intake: Running, case: Body, count: int = 1) -> str:
    """The path of the link in the message to the requester."""
    notices = await intake.emitted(CaseNoticeRequested, subject=f"case/{case['id']}", count=count)
    told = Seal(bytes(range(32))).open(notices[-1].data.sealed)
    assert told["email"] == "zhao.xiaolan@example.com"
    found = re.fullmatch(r"http://127\.0\.0\.1:8101(/api/public/survey/\S+)/page", told["link"])
    assert found is not None
    return found[1]


@pytest.mark.req("I-15")
async def test_a_requester_answers_once_without_an_account_and_the_score_is_shown(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient, fields: Fields
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended)
    question = await public.get(path)
    assert question.status_code == 200
    assert question.json()["number"] == ended["number"]
    assert "赵小兰" not in question.text
    assert "bj.clerk" not in question.text

    answer = await public.post(path, json={"score": 5, "text": "非常满意，谢谢。"})
    assert (answer.status_code, answer.json()) == (200, {"score": 5, "led_to": "nothing"})
    [survey] = await send.show(ended, "surveys")
    assert (survey["score"], survey["text"], survey["led_to"]) == (5, "非常满意，谢谢。", "nothing")

    shown = await intake.http.get(f"/api/cases/{ended['number']}", headers=send.headers("bj.clerk"))
    assert shown.json()["score"] == 5

    for again in (await public.post(path, json={"score": 1}), await public.get(path)):
        assert (again.status_code, again.json()["code"], fields(again)) == (409, "survey_used", ["token"])
    [survey] = await send.show(ended, "surveys")
    assert survey["score"] == 5

    subject = f"case/{ended['id']}"
    [invited] = await intake.emitted(SurveyInvited, subject=subject)
    [answered] = await intake.emitted(SurveyAnswered, subject=subject)
    assert (answered.data.survey_id, answered.data.score) == (invited.data.survey_id, 5)
    assert telemetry.trace_id_of(answered.traceparent) == ended["trace_id"]
    rows = await intake.fetch("SELECT survey::text AS row FROM survey")
    assert all("谢谢" not in row["row"] for row in rows)


@pytest.mark.req("I-15")
async def test_the_link_leads_to_a_page_that_needs_no_script(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended) + "/page"
    page = await public.get(path)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert ended["number"] in page.text
    assert "<script" not in page.text
    again = await public.post(path, data={"text": "<b>慢</b>"})
    assert again.status_code == 422
    assert "&lt;b&gt;慢&lt;/b&gt;" in again.text, "what was typed is kept, and is no markup"
    thanks = await public.post(path, data={"score": "2", "text": WORDS})
    assert thanks.status_code == 200
    assert "重新办理" in thanks.text
    [survey] = await send.show(ended, "surveys")
    assert (survey["score"], survey["text"], survey["led_to"]) == (2, WORDS, "reopened")
    for used in (await public.get(path), await public.post(path, data={"score": "5"})):
        assert used.status_code == 409
        assert "仅可使用一次" in used.text
    assert (await public.get("/api/public/survey/x/page")).status_code == 404


@pytest.mark.req("I-15", "I-19")
async def test_a_dissatisfied_answer_takes_the_case_up_again(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended)
    answer = await public.post(path, json={"score": 1, "text": WORDS})
    assert answer.json() == {"score": 1, "led_to": "reopened"}
    [survey] = await send.show(ended, "surveys")
    assert (survey["led_to"], survey["text"]) == ("reopened", WORDS)
    shown = (await intake.http.get(f"/api/cases/{ended['number']}", headers=send.headers("bj.clerk"))).json()
    assert (shown["state"], shown["cycle"]) == ("in_progress", 2)
    assert (WORDS, "requester") in [(note["text"], note["by"]) for note in shown["notes"]]
    [reopened] = await intake.emitted(CaseReopened, subject=f"case/{ended['id']}")
    assert (reopened.data.reason, reopened.data.reopened_by, reopened.data.owner) == (
        "dissatisfied",
        "requester",
        "bj.clerk",
    )


@pytest.mark.req("I-15")
async def test_a_dissatisfied_answer_about_a_case_that_is_open_again_has_somebody_follow_up(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended)
    await send.good(ended, "reopen", "bj.clerk", reason="new_information", note="又有材料。")
    answer = await public.post(path, json={"score": 2})
    assert answer.json() == {"score": 2, "led_to": "follow_up"}
    [planned] = (await send.show(ended, "remedies"))["follow_ups"]
    assert (planned["reason"], planned["owner"], planned["done_at"]) == ("survey", "bj.clerk", None)


@pytest.mark.req("I-15")
async def test_of_two_answers_at_the_same_time_one_counts(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended)
    answers = await asyncio.gather(*(public.post(path, json={"score": 4}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert len(await intake.emitted(SurveyAnswered, subject=f"case/{ended['id']}")) == 1


@pytest.mark.req("I-15")
async def test_a_link_that_was_changed_made_up_or_has_expired_leads_nowhere(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient, fields: Fields
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended)
    other = path.replace("beijing.", "chengdu.")
    for wrong in (path[:-1], path[:-1] + ("A" if path[-1] != "A" else "B"), other, "/api/public/survey/x.y.z"):
        answer = await public.post(wrong, json={"score": 5})
        assert (answer.status_code, answer.json()["code"], fields(answer)) == (404, "bad_link", ["token"])
    await intake.fetch(
        "UPDATE survey SET expires_at = invited_at WHERE case_id = $1::text::uuid RETURNING id", ended["id"]
    )
    late = await public.post(path, json={"score": 5})
    assert (late.status_code, late.json()["code"], fields(late)) == (410, "survey_expired", ["token"])
    # A new link may be sent then.
    await send.good(ended, "survey", "bj.clerk")
    answer = await public.post(await link(intake, ended, count=2), json={"score": 5})
    assert answer.status_code == 200


@pytest.mark.req("I-15")
async def test_a_requester_is_asked_after_the_end_once_and_by_who_has_a_say(
    register: Any, matter: Callable[..., Body], ended: Body, send: Any, fields: Fields
) -> None:
    open_ = (await register(matter())).json()
    early = await send(open_, "survey", "bj.clerk")
    assert (early.status_code, fields(early)) == (409, ["state"])
    foreign = await send(ended, "survey", "bj.clerk2")
    assert foreign.status_code == 403
    await send.good(ended, "survey", "bj.clerk")
    again = await send(ended, "survey", "bj.manager")
    assert (again.status_code, again.json()["code"]) == (409, "already_invited")


@pytest.mark.req("I-15")
async def test_who_left_no_address_is_asked_in_person_by_somebody_else_than_the_owner(
    register: Any, matter: Callable[..., Body], send: Any, fields: Fields
) -> None:
    case = (await register(matter())).json()
    await send.good(case, "reply", "bj.clerk", text="已处理。")
    await send.good(case, "resolve", "bj.clerk")
    refused = await send(case, "survey", "bj.clerk")
    assert (refused.status_code, fields(refused)) == (409, ["requester.email"])
    own = await send(case, "survey/answer", "bj.clerk", score=5)
    assert (own.status_code, own.json()["code"]) == (403, "own_survey")
    await send.good(case, "survey/answer", "bj.clerk2", score=2, text=WORDS)
    [survey] = await send.show(case, "surveys")
    assert (survey["score"], survey["invited_by"], survey["led_to"]) == (2, "bj.clerk2", "reopened")


@pytest.mark.req("I-15")
async def test_a_wrong_answer_is_refused_with_its_field_and_can_be_sent_again(
    intake: Running, ended: Body, send: Any, public: httpx.AsyncClient, fields: Fields
) -> None:
    await send.good(ended, "survey", "bj.clerk")
    path = await link(intake, ended)
    for body, field in (
        ({}, "score"),
        ({"score": 6}, "score"),
        ({"score": 0}, "score"),
        ({"score": 3, "text": "x" * 20_001}, "text"),
        ({"score": 3, "name": "王"}, "name"),
    ):
        answer = await public.post(path, json=body)
        assert (answer.status_code, fields(answer)) == (422, [field])
    assert (await public.post(path, json={"score": 3})).status_code == 200


@pytest.fixture(scope="module")
async def asking(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """An intake that asks by itself."""
    async with running(
        create, IntakeSettings, infrastructure, directory_file=directory_file, survey_after_end=True
    ) as one:
        yield one


PERSON: Body = {"name": "赵小兰", "email": "zhao.xiaolan@example.com", "relation": "other"}


async def do(one: Running, path: str, body: Body, *, role: str = "clerk") -> Body:
    """The answer to a request of bj.clerk that is carried out, however often it is sent."""
    headers = one.token("bj.clerk", roles=[role]) | {"Idempotency-Key": str(uuid4())}
    answers = [await one.http.post(path, json=body, headers=headers) for _ in range(2)]
    assert {answer.status_code for answer in answers} <= {200, 201}, answers[0].text
    return answers[0].json()


async def asked(one: Running, number: str) -> int:
    """How often the requester of a case was asked."""
    return len((await one.http.get(f"/api/cases/{number}/surveys", headers=one.token("bj.clerk"))).json())


@pytest.mark.req("I-15")
@pytest.mark.parametrize("kind", ["inquiry", "suggestion", "complaint", "report", "service_request"])
async def test_who_left_an_address_is_asked_by_itself_once_at_the_end_of_every_kind_of_matter(
    asking: Running, matter: Callable[..., Body], kind: str
) -> None:
    answer = {} if kind == "suggestion" else {"answer": {"text": "已处理。"}}
    for requester, surveys in ((PERSON, 1), ({"relation": "other"}, 0)):
        case = await do(asking, "/api/cases", matter(type=kind, requester=requester, **answer))
        path = f"/api/cases/{case['number']}"
        if kind == "suggestion":
            await do(asking, f"{path}/decision", {"adopted": True, "reason": "下季度起实行。"}, role="manager")
        assert await asked(asking, case["number"]) == 0
        await do(asking, f"{path}/resolve", {})
        assert await asked(asking, case["number"]) == surveys
        await do(asking, f"{path}/close", {})
        assert await asked(asking, case["number"]) == surveys


@pytest.mark.req("I-15")
async def test_a_requester_whom_nobody_asked_when_the_matter_was_resolved_is_asked_when_it_is_closed(
    asking: Running, matter: Callable[..., Body]
) -> None:
    case = await do(asking, "/api/cases", matter(requester=PERSON, answer={"text": "已处理。"}))
    path = f"/api/cases/{case['number']}"
    await do(asking, f"{path}/resolve", {})
    # As if it had been resolved before the operator wanted it.
    await asking.fetch("DELETE FROM survey WHERE case_id = $1 RETURNING id", UUID(case["id"]))
    await do(asking, f"{path}/close", {})
    assert await asked(asking, case["number"]) == 1


@pytest.mark.req("I-15", "I-08")
async def test_the_requester_of_a_split_matter_is_asked_about_the_whole_and_not_about_its_parts(
    asking: Running, matter: Callable[..., Body]
) -> None:
    case = await do(asking, "/api/cases", matter(requester=PERSON))
    path = f"/api/cases/{case['number']}"
    parts = [{"department": "payroll", "subject": "核对", "description": "请核对。", "owner": "bj.clerk"}]
    await do(asking, f"{path}/split", {"parts": parts}, role="coordinator")
    part = f"{case['number']}-1"
    await do(asking, f"/api/cases/{part}/reply", {"text": "已核对。"})
    await do(asking, f"/api/cases/{part}/resolve", {})
    assert await asked(asking, part) == 0
    await do(asking, f"{path}/reply", {"text": "已处理。"}, role="coordinator")
    await do(asking, f"{path}/resolve", {}, role="coordinator")
    assert await asked(asking, case["number"]) == 1


@pytest.mark.req("I-15")
async def test_scores_are_averaged_per_branch_and_month(
    intake: Running, register: Any, matter: Callable[..., Body], send: Any
) -> None:
    for score in (5, 2):
        case = (await register(matter(branch="shenzhen"))).json()
        await send.good(case, "reply", "sz.clerk", text="已处理。")
        await send.good(case, "resolve", "sz.clerk")
        await send.good(case, "survey/answer", "sz.clerk2", score=score)
    seen = await intake.http.get("/api/surveys/summary", headers=send.headers("sz.manager"))
    assert seen.status_code == 200
    [month] = seen.json()
    assert re.fullmatch(r"20\d\d-\d\d", month.pop("month"))
    assert month == {"branch": "shenzhen", "asked": 2, "answered": 2, "average": 3.5, "dissatisfied": 1}
    none = await intake.http.get(
        "/api/surveys/summary", params={"until": "2020-01-01T00:00:00Z"}, headers=send.headers("sz.manager")
    )
    assert none.json() == []
    group = await intake.http.get("/api/surveys/summary", headers=intake.token("g", [], ["group_quality"]))
    assert "shenzhen" in {each["branch"] for each in group.json()}
