"""The requester sees the progress by number and secret code, and nobody sees anything else (I-16)."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shouwen.contracts.case import CaseNoticeRequested
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.domain import progress as rules
from shouwen.intake.domain.life_cycle import STATES
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store import tokens
from shouwen.runtime import telemetry
from shouwen.runtime.privacy import Seal
from shouwen.runtime.testing import Running, grounds

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

PERSON = {"name": "孙晓梅", "email": "sun.xiaomei@example.com", "phone": "13900002222", "relation": "other"}
PATH = "/api/public/progress"


@pytest.fixture
async def case(register: Any, matter: Callable[..., Body]) -> Body:
    """A complaint of somebody with an e-mail address, about a client."""
    client = {"name": "北京星河万象劳务有限公司", "identifier": "91110105MA01XYZW3T"}
    answer = await register(matter(requester=PERSON, client=client))
    assert answer.status_code == 201
    return answer.json()


async def code_of(send: Any, case: Body) -> str:
    """A code handed over in person."""
    given = await send.good(case, "progress-code", "bj.clerk", in_person=True)
    return given["code"]


def without_trace(answer: httpx.Response) -> Body:
    """What an answer says, without the id of its own request."""
    return {name: value for name, value in answer.json().items() if name != "trace_id"}


@pytest.mark.req("I-16")
async def test_the_requester_is_told_the_code_and_sees_the_progress_without_an_account(
    intake: Running, case: Body, send: Any, public: httpx.AsyncClient
) -> None:
    given = await send.good(case, "progress-code", "bj.clerk")
    assert (given["told"], given["code"]) == ("message", None)
    [notice] = await intake.emitted(CaseNoticeRequested, subject=f"case/{case['id']}")
    assert notice.data.notice == "progress"
    assert telemetry.trace_id_of(notice.traceparent) == case["trace_id"]
    told = Seal(bytes(range(32))).open(notice.data.sealed)
    assert told["email"] == PERSON["email"]
    assert told["code"] not in told["link"]

    await send.good(case, "reply", "bj.clerk", text="已为您核实工资发放情况。")
    answer = await public.post(PATH, json={"number": case["number"], "code": told["code"]})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["number"], shown["state"], shown["state_text"]) == (case["number"], "responded", "已答复")
    assert (shown["contact"], shown["department"]) == ("王芳", "客户服务部")
    assert [step["text"] for step in shown["steps"]] == ["已登记", "已答复"]
    for secret in ("孙晓梅", "sun.xiaomei", "13900002222", "星河", "91110105", "核实", "工资", "bj.clerk"):
        assert secret not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.req("I-16")
async def test_the_code_is_read_however_it_is_typed_and_by_get_stands_in_a_header(
    case: Body, send: Any, public: httpx.AsyncClient
) -> None:
    code = await code_of(send, case)
    for number, typed in (
        (case["number"], code.replace("-", "").lower()),
        (case["number"].lower(), f" {code.replace('-', ' ')} "),
        (case["number"], code.replace("0", "o").replace("1", "l").replace("-", "－")),
    ):
        answer = await public.post(PATH, json={"number": number, "code": typed})
        assert answer.status_code == 200, typed
    got = await public.get(PATH, params={"number": case["number"]}, headers={"Progress-Code": code})
    assert (got.status_code, got.json()["number"]) == (200, case["number"])


@pytest.mark.req("I-16")
async def test_a_wrong_number_and_a_wrong_code_get_the_same_answer_after_the_same_work(
    intake: Running,
    case: Body,
    register: Any,
    matter: Callable[..., Body],
    send: Any,
    public: httpx.AsyncClient,
    fields: Fields,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = await code_of(send, case)
    without_code = (await register(matter())).json()
    other = (await register(matter())).json()
    other_code = await code_of(send, other)
    hashed: list[tokens.KeptCode] = []
    is_code = tokens.is_code

    def counted(key: bytes, kept: tokens.KeptCode, typed: str) -> bool:
        hashed.append(kept)
        return is_code(key, kept, typed)

    monkeypatch.setattr(tokens, "is_code", counted)
    answers = [
        await public.post(PATH, json={"number": number, "code": typed})
        for number, typed in (
            (case["number"], "00000-00000"),
            (case["number"], other_code),
            (without_code["number"], code),
            ("BJ-2020-999999", code),
            ("XX-2026-000001", code),
            ("no number at all", code),
        )
    ]
    first, *others = [without_trace(answer) for answer in answers]
    assert {answer.status_code for answer in answers} == {404}
    assert first["code"] == "not_known"
    assert all(each == first for each in others), "the answers must not tell which numbers exist"
    assert fields(answers[0]) == ["code"]
    assert len(hashed) == len(answers), "each takes one slow hash, whether there is a code or not"


@pytest.mark.req("I-16")
async def test_the_progress_is_also_a_page_that_needs_no_script(
    case: Body, send: Any, public: httpx.AsyncClient
) -> None:
    code = await code_of(send, case)
    page = await public.get(f"{PATH}/page", params={"number": case["number"] + '"><script>'})
    assert page.status_code == 200
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    shown = await public.post(f"{PATH}/page", data={"number": case["number"], "code": code})
    assert shown.status_code == 200
    for text in (case["number"], "已受理", "王芳", "客户服务部", "已登记"):
        assert text in shown.text
    for number, typed, status in (
        (case["number"], "wrong", 404),
        ("BJ-2020-999999", "wrong", 404),
        (case["number"], " ", 422),
        (case["number"], "x" * 61, 422),
    ):
        refused = await public.post(f"{PATH}/page", data={"number": number, "code": typed})
        assert refused.status_code == status
        assert 'role="alert"' in refused.text
        assert "王芳" not in refused.text


@pytest.mark.req("I-16")
async def test_a_new_code_takes_the_place_of_the_old_and_only_a_slow_hash_is_kept(
    intake: Running, case: Body, send: Any, public: httpx.AsyncClient
) -> None:
    old = await code_of(send, case)
    new = await code_of(send, case)
    assert old != new
    assert (await public.post(PATH, json={"number": case["number"], "code": old})).status_code == 404
    assert (await public.post(PATH, json={"number": case["number"], "code": new})).status_code == 200
    rows = await intake.fetch("SELECT progress_code::text AS row FROM progress_code")
    assert all(new not in row["row"] and new.replace("-", "") not in row["row"] for row in rows)


@pytest.mark.req("I-16")
async def test_a_code_is_made_by_who_knows_the_requester_and_only_if_somebody_can_be_told(
    register: Any, matter: Callable[..., Body], case: Body, send: Any, fields: Fields
) -> None:
    foreign = await send(case, "progress-code", "bj.clerk2")
    assert (foreign.status_code, fields(foreign)) == (403, ["owner"])
    anonymous = (await register(matter(requester={"relation": "other"}))).json()
    nobody = await send(anonymous, "progress-code", "bj.clerk")
    assert (nobody.status_code, fields(nobody)) == (409, ["requester"])
    given = await send.good(anonymous, "progress-code", "bj.clerk", in_person=True)
    assert given["code"]


@pytest.mark.req("I-16")
async def test_other_branches_and_their_clerks_cannot_make_a_code(case: Body, send: Any) -> None:
    assert (await send(case, "progress-code", "cd.clerk", in_person=True)).status_code == 404


@pytest.mark.req("I-16")
async def test_guessing_is_slowed_down_per_address_and_per_number_over_all_replicas(
    infrastructure: Infrastructure, directory_file: Path, matter: Callable[..., Body]
) -> None:
    limits = {"public_attempts_per_address": 6, "public_attempts_per_number": 3, "public_window": 3600.0}
    async with (
        grounds(infrastructure, "intake") as ground,
        ground.running(create, IntakeSettings, directory_file=directory_file, **limits) as one,
        ground.running(
            create, IntakeSettings, directory_file=directory_file, progress_names_contact=False, **limits
        ) as two,
    ):
        headers = one.token("bj.clerk") | {"Idempotency-Key": str(uuid4())}
        registered = await one.http.post("/api/cases", json=matter(), headers=headers)
        number = registered.json()["number"]
        given = await one.http.post(
            f"/api/cases/{number}/progress-code", json={"in_person": True}, headers=one.token("bj.clerk")
        )
        code = given.json()["code"]

        async def ask(replica: Running, address: str, number: str, code: str) -> httpx.Response:
            transport = httpx.ASGITransport(app=replica.service.app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://intake.test") as client:
                return await client.post(PATH, json={"number": number, "code": code})

        # Who knows the code may ask as often as the address allows.
        shown = [await ask(replica, "192.0.2.1", number, code) for replica in (one, one, one, one, two)]
        assert [answer.status_code for answer in shown] == [200] * 5
        # The operator decides whether the person responsible is named.
        assert [answer.json()["contact"] for answer in shown] == ["王芳"] * 4 + [None]
        # One address, over both replicas.
        tried = [await ask(two, "192.0.2.1", f"BJ-2020-00000{n}", "wrong") for n in range(2)]
        assert [answer.status_code for answer in tried] == [404, 429]
        assert tried[1].json()["code"] == "too_many_attempts"
        assert int(tried[1].headers["retry-after"]) >= 1
        assert tried[1].json()["retry_after_seconds"] == tried[1].headers["retry-after"]
        # One number from many addresses, whether it exists or not.
        for asked in (number, "BJ-2020-999999"):
            guesses = [
                await ask((one, two)[n % 2], f"198.51.100.{n}" if asked == number else f"203.0.113.{n}", asked, "wrong")
                for n in range(4)
            ]
            assert [answer.status_code for answer in guesses] == [404, 404, 404, 429]
        # A whole /64 of IPv6 is one address.
        tried = [await ask(one, f"2001:db8::{n}", f"BJ-2019-00000{n}", "wrong") for n in range(1, 8)]
        assert [answer.status_code for answer in tried] == [404] * 6 + [429]
        # At the same time none slips through.
        burst = await asyncio.gather(
            *(ask((one, two)[n % 2], "192.0.2.99", f"BJ-2018-00000{n}", "x") for n in range(9))
        )
        assert sorted(answer.status_code for answer in burst) == [404] * 6 + [429] * 3
        kept = await one.fetch("SELECT bucket FROM public_attempt")
        assert all("192.0.2" not in row["bucket"] for row in kept)


@pytest.mark.req("I-16")
async def test_what_is_no_number_and_code_is_refused_with_its_field(public: httpx.AsyncClient, fields: Fields) -> None:
    for body, field in (
        ({"number": "BJ-2026-000001"}, "code"),
        ({"number": "", "code": "x"}, "number"),
        ({"number": "x" * 61, "code": "x"}, "number"),
        ({"number": "BJ\u0000", "code": "x"}, "number"),
        ({"number": "BJ-2026-000001", "code": "x", "name": "王"}, "name"),
    ):
        answer = await public.post(PATH, json=body)
        assert (answer.status_code, fields(answer)) == (422, [field])


def test_every_state_of_a_case_has_words_for_its_requester() -> None:
    assert set(rules.STATE_TEXTS) == set(STATES)


def test_a_code_is_compared_with_its_own_hash_only() -> None:
    key = bytes(range(32))
    code = tokens.new_code()
    kept = tokens.keep_code(key, code)
    assert len(code) == rules.CODE_LENGTH
    assert tokens.is_code(key, kept, rules.readable_code(code))
    assert not tokens.is_code(bytes(32), kept, code), "another service's key"
    assert not tokens.is_code(key, tokens.NO_CODE, code)
