"""The public web form: a person needs no account, a machine gets nowhere."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from shouwen.contracts.case import CaseRegistered
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.domain.web_form import OPEN_FOR, Invitation, read_token
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.errors import Invalid
from shouwen.runtime.testing import Running, running

Body = dict[str, Any]
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def from_address(intake: Running, address: str) -> httpx.AsyncClient:
    """The public at a network address; each test has one of its own, since requests are counted."""
    transport = httpx.ASGITransport(app=intake.service.app, raise_app_exceptions=False, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://intake.test", timeout=30)


async def filled(public: httpx.AsyncClient, branch: str = "beijing", **differences: Any) -> Body:
    """A form, filled in."""
    form = (await public.get(f"/api/public/forms/{branch}")).json()
    usual = {"token": form["token"], "type": "complaint", "subject": "工资未到账", "description": "本月工资没有收到。"}
    return usual | differences


@pytest.mark.req("I-01")
@pytest.mark.req("I-16")
async def test_a_form_becomes_a_case_and_its_sender_can_see_the_progress(intake: Running) -> None:
    async with from_address(intake, "192.0.2.1") as public:
        shown = await public.get("/api/public/forms/beijing")
        assert shown.status_code == 200
        assert shown.json()["name"] == "北京分公司"
        body = await filled(public, name="赵敏", phone="13810010011", relation="dispatched_employee")
        sent = await public.post("/api/public/forms/beijing", json=body)
        assert sent.status_code == 201, sent.text
        answer = sent.json()
        progress = await public.post("/api/public/progress", json={"number": answer["number"], "code": answer["code"]})
        assert progress.status_code == 200, progress.text
        assert progress.json()["state_text"] == "已受理"
    case = (await intake.http.get(f"/api/cases/{answer['number']}", headers=intake.token("bj.coordinator"))).json()
    assert (case["channel"], case["type"], case["owner"]) == ("web_form", "complaint", "bj.coordinator")
    assert case["requester"]["name"] == "赵敏"
    [told] = await intake.emitted(CaseRegistered, subject=f"case/{case['id']}")
    assert told.data.channel == "web_form"


@pytest.mark.req("I-04")
async def test_a_form_names_who_speaks_and_the_client(intake: Running) -> None:
    async with from_address(intake, "192.0.2.2") as public:
        body = await filled(
            public, relation="client_company", client_name="云桥公司", client_identifier="91110105MA02YUNQ8X"
        )
        number = (await public.post("/api/public/forms/beijing", json=body)).json()["number"]
    token = intake.token("bj.coordinator", roles=["coordinator"])
    case = (await intake.http.get(f"/api/cases/{number}", headers=token)).json()
    assert case["requester"]["relation"] == "client_company"
    found = await intake.http.get("/api/cases", params={"client": case["client"]["identifier_hash"]}, headers=token)
    assert [each["number"] for each in found.json()["items"]] == [number]


async def test_the_same_form_sent_twice_is_one_case(
    intake: Running, fields: Callable[[httpx.Response], list[str]]
) -> None:
    async with from_address(intake, "192.0.2.3") as public:
        body = await filled(public)
        first = await public.post("/api/public/forms/beijing", json=body)
        again = await public.post("/api/public/forms/beijing", json=body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["number"] == first.json()["number"]
        assert again.json()["code"] is None
        other = await public.post("/api/public/forms/beijing", json=body | {"subject": "另一件事"})
        assert other.status_code == 422


@pytest.mark.parametrize(
    ("differences", "field"),
    [
        ({"website": "https://spam.example.com"}, "website"),
        ({"token": "0.0.0"}, "token"),
        ({"token": f"1795000000.{'0' * 32}.{'0' * 64}"}, "token"),
        ({"type": "service_request"}, "type"),
        ({"phone": "无"}, "phone"),
        ({"subject": ""}, "subject"),
        ({"owner": "bj.clerk"}, "owner"),
    ],
)
async def test_a_form_that_no_person_filled_in_or_that_is_wrong_is_refused(
    intake: Running, fields: Callable[[httpx.Response], list[str]], differences: Body, field: str
) -> None:
    before = await intake.fetch("SELECT count(*) AS n FROM cases")
    async with from_address(intake, "192.0.2.4") as public:
        refused = await public.post("/api/public/forms/beijing", json=await filled(public, **differences))
    assert refused.status_code == 422
    assert fields(refused) == [field]
    assert await intake.fetch("SELECT count(*) AS n FROM cases") == before


async def test_a_token_is_good_for_its_own_branch_only(intake: Running) -> None:
    async with from_address(intake, "192.0.2.5") as public:
        body = await filled(public)
        assert (await public.post("/api/public/forms/chengdu", json=body)).status_code == 422
        assert (await public.get("/api/public/forms/nowhere")).status_code == 404
        assert (await public.post("/api/public/forms/nowhere", json=body)).status_code == 404


@pytest.mark.parametrize("age", [timedelta(seconds=3), OPEN_FOR + timedelta(seconds=1)])
def test_a_form_that_comes_back_too_fast_or_too_late_is_refused(age: timedelta) -> None:
    def sign(text: str) -> str:
        return f"{hash(text) & 0xFFFF:064x}"

    token = Invitation("beijing", NOW - age, "0" * 32).token(sign)
    with pytest.raises(Invalid) as refused:
        read_token(token, branch="beijing", sign=sign, least=timedelta(seconds=4), now=NOW)
    assert refused.value.field == "token"
    assert refused.value.remedy
    in_time = Invitation("beijing", NOW - timedelta(minutes=1), "0" * 32)
    read = read_token(in_time.token(sign), branch="beijing", sign=sign, least=timedelta(seconds=4), now=NOW)
    assert read == in_time


async def test_forms_from_one_address_are_limited(intake: Running) -> None:
    async with from_address(intake, "192.0.2.6") as public:
        body = await filled(public, website="x")
        answers = [(await public.post("/api/public/forms/beijing", json=body)).status_code for _ in range(21)]
    assert answers == [422] * 20 + [429]
    async with from_address(intake, "192.0.2.7") as public:
        assert (await public.post("/api/public/forms/beijing", json=await filled(public))).status_code == 201


async def test_the_page_works_without_scripts_and_shows_nothing_unescaped(intake: Running) -> None:
    async with from_address(intake, "192.0.2.8") as public:
        address = "/api/public/forms/beijing/page"
        page = await public.get(address)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "http" not in re.sub(r"http-equiv", "", page.text)
        assert "default-src 'none'" in page.headers["content-security-policy"]
        token = re.search(r'name="token" value="([^"]+)"', page.text)
        assert token is not None
        typed = {
            "token": unescape(token.group(1)),
            "type": "suggestion",
            "relation": "other",
            "subject": '"><img src=x>',
            "name": "",
            "phone": "没有",
            "description": "建议延长窗口服务时间</textarea><b>",
            "website": "",
        }
        wrong = await public.post(address, data=typed)
        assert wrong.status_code == 422
        assert "<img" not in wrong.text
        assert "</textarea><b>" not in wrong.text
        assert "phone" in wrong.text or "电话" in wrong.text
        thanks = await public.post(address, data=typed | {"phone": ""})
        assert thanks.status_code == 200
        number = re.search(r"BJ-\d{4}-\d{6}", thanks.text)
        assert number is not None
        [row] = await intake.fetch("SELECT type, channel FROM cases WHERE number = $1", number.group(0))
        assert (row["type"], row["channel"]) == ("suggestion", "web_form")
        assert (await public.get("/api/public/forms/nowhere/page")).status_code == 404


async def test_without_the_setting_there_is_no_form(infrastructure: Infrastructure, directory_file: Path) -> None:
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as closed:
        assert (await closed.http.get("/api/public/forms/beijing")).status_code == 404
        assert (await closed.http.get("/api/public/forms/beijing/page")).status_code == 404
