"""The short way of a registration through the service and the usual one give the same answers."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from shouwen.contracts.case import CaseRegistered
from shouwen.intake.app import create
from shouwen.intake.domain.numbering import case_number
from shouwen.intake.handlers.registration import Registrations
from shouwen.intake.handlers.shared import Once
from shouwen.intake.http.cases import CaseSent
from shouwen.intake.settings import IntakeSettings
from shouwen.intake.store import registration as store
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Principal
from shouwen.runtime.testing import Infrastructure, Running, grounds
from shouwen.runtime.unit_of_work import UnitOfWork

Body = dict[str, Any]


async def test_a_registration_is_answered_alike_whichever_way_it_takes_through_the_service(
    intake: Running, matter: Callable[..., Body]
) -> None:
    """The route itself answers what is wrong, and requests in an unusual but right form."""
    headers = intake.token("bj.clerk") | {"Idempotency-Key": str(uuid4())}
    usual = await intake.http.post("/api/cases", json=matter(), headers=headers)
    unusual = headers | {"Authorization": headers["Authorization"].replace("Bearer", "bearer")}
    again = await intake.http.post("/api/cases", json=matter(), headers=unusual)
    assert (usual.status_code, again.status_code) == (201, 200)
    assert usual.json() == again.json()
    assert usual.headers["content-type"] == again.headers["content-type"]
    wrong: list[tuple[dict[str, str], bytes, int]] = [
        (headers | {"Content-Type": "text/plain"}, json.dumps(matter()).encode(), 422),
        (headers | {"Content-Type": "application/json"}, b"{", 422),
        (headers | {"Content-Type": "application/json", "Idempotency-Key": "a b"}, json.dumps(matter()).encode(), 422),
        (
            headers | {"Content-Type": "application/json", "Authorization": "Bearer x"},
            json.dumps(matter()).encode(),
            401,
        ),
        ({"Content-Type": "application/json", "Idempotency-Key": "x"}, json.dumps(matter()).encode(), 401),
        (headers | {"Content-Type": "application/json"}, b" " * 1_100_000, 413),
        (headers | {"Content-Type": "application/json"}, json.dumps(matter(branch="nowhere")).encode(), 403),
    ]
    for sent, body, status in wrong:
        answer = await intake.http.post("/api/cases", content=body, headers=sent)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]


@pytest.mark.req("I-01")
@pytest.mark.parametrize("last", [0, 98, 99_999, 999_998, 999_999, 12_345_678])
async def test_the_database_writes_a_number_as_the_domain_does(
    intake: Running, matter: Callable[..., Body], last: int
) -> None:
    # A branch of its own: the numbers of the others are in use.
    admin = intake.token("group.admin", (), ("group_admin",))
    described = {"name": "编号分公司", "number_prefix": "NUM"}
    assert (await intake.http.put("/api/branches/numbers", json=described, headers=admin)).is_success
    year = datetime.now(ZoneInfo("Asia/Shanghai")).year
    counter = "INSERT INTO number_counter (branch, year, last) VALUES ('numbers', $1, $2)"
    await intake.fetch(f"{counter} ON CONFLICT (branch, year) DO UPDATE SET last = $2", year, last)
    headers = intake.token("num.clerk", ("numbers",)) | {"Idempotency-Key": str(uuid4())}
    answer = await intake.http.post("/api/cases", json=matter(branch="numbers"), headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.json()["number"] == case_number("NUM", year, last + 1)
    [event] = await intake.emitted(CaseRegistered, subject=f"case/{answer.json()['id']}")
    assert event.data.number == answer.json()["number"]
    shown = (await intake.http.get(f"/api/cases/{event.data.number}/timeline", headers=headers)).json()
    assert shown["items"][0]["type"] == "case.registered.v1"


@pytest.mark.req("I-01")
async def test_many_who_send_one_request_at_once_get_one_case_and_use_one_number(
    intake: Running, matter: Callable[..., Body]
) -> None:
    headers = intake.token("cd.clerk", ("chengdu",)) | {"Idempotency-Key": str(uuid4())}
    body = matter(branch="chengdu")
    count = "SELECT coalesce(sum(last), 0) AS n FROM number_counter WHERE branch = 'chengdu'"
    [before] = await intake.fetch(count)
    answers = await asyncio.gather(*(intake.http.post("/api/cases", json=body, headers=headers) for _ in range(12)))
    [after] = await intake.fetch(count)
    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert after["n"] == before["n"] + 1


@pytest.mark.req("I-01")
async def test_matters_of_several_branches_filed_at_once_count_on_in_their_own_branches(
    intake: Running, matter: Callable[..., Body]
) -> None:
    headers = intake.token("hq.clerk", (), ("clerk", "group_clerk"))
    branches = ("beijing", "chengdu", "shenzhen")

    async def register(branch: str) -> str:
        sent = headers | {"Idempotency-Key": str(uuid4())}
        answer = await intake.http.post("/api/cases", json=matter(branch=branch), headers=sent)
        assert answer.status_code == 201, answer.text
        return answer.json()["number"]

    first = [int((await register(branch))[-6:]) for branch in branches]
    numbers = await asyncio.gather(*(register(branch) for _ in range(10) for branch in branches))
    for place, (prefix, last) in enumerate(zip(("BJ", "CD", "SZ"), first, strict=True)):
        given = numbers[place :: len(branches)]
        assert {number[:2] for number in given} == {prefix}
        assert sorted(int(number[-6:]) for number in given) == list(range(last + 1, last + 11))


async def test_persons_who_see_different_branches_never_share_a_transaction(
    intake: Running, matter: Callable[..., Body], monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[list[frozenset[str]]] = []
    really = store.file_at_once

    async def watched(work: UnitOfWork, entries: Sequence[store.Entry]) -> list[str | None]:
        together.append([entry.principal.branches for entry in entries])
        return await really(work, entries)

    monkeypatch.setattr(store, "file_at_once", watched)
    service = intake.service
    protection = Protection(keys=service.keys, hash_key=service.hash_key, seal=service.seal)
    registrations = Registrations(service.work, protection)

    async def register(person: str, branch: str, *sees: str) -> str:
        clerk = Principal(person, person, frozenset(sees), frozenset({"clerk"}))
        sent = CaseSent.model_validate(matter(branch=branch)).registration()
        registered = await registrations.register(clerk, sent, once=Once(str(uuid4()), "hash"))
        return registered.case.number[:2]

    beijing = [register("bj.clerk", "beijing", "beijing") for _ in range(10)]
    both = [register("cd.clerk", "chengdu", "beijing", "chengdu") for _ in range(10)]
    assert await asyncio.gather(*beijing, *both) == ["BJ"] * 10 + ["CD"] * 10
    assert all(len(set(branches)) == 1 for branches in together)
    assert max(map(len, together)) > 1


@pytest.mark.req("I-01")
async def test_two_replicas_that_get_the_same_requests_in_opposite_order_file_each_once_and_count_without_a_gap(
    infrastructure: Infrastructure, directory_file: Path, matter: Callable[..., Body]
) -> None:
    branches = ("beijing", "chengdu", "shenzhen")
    async with (
        grounds(infrastructure, "intake") as ground,
        ground.running(create, IntakeSettings, directory_file=directory_file) as one,
        ground.running(create, IntakeSettings, directory_file=directory_file) as two,
    ):
        headers = one.token("hq.clerk", (), ("clerk", "group_clerk"))
        requests = [(str(uuid4()), matter(branch=branch)) for _ in range(10) for branch in branches]

        async def send(replica: Running, key: str, body: Body) -> tuple[int, str]:
            answer = await replica.http.post("/api/cases", json=body, headers=headers | {"Idempotency-Key": key})
            return answer.status_code, answer.json()["number"]

        answers = await asyncio.gather(
            *(send(one, *request) for request in requests), *(send(two, *request) for request in reversed(requests))
        )
        assert sorted(status for status, _ in answers) == [200] * 30 + [201] * 30
        first, second = answers[:30], answers[:29:-1]
        assert [number for _, number in first] == [number for _, number in second]
        for prefix in ("BJ", "CD", "SZ"):
            counted = sorted(int(number[-6:]) for _, number in first if number.startswith(prefix))
            assert counted == list(range(1, 11))


async def test_what_a_registration_stands_on_is_read_with_the_callers_branches_alone(intake: Running) -> None:
    """Also once the server keeps its plan of the statement, which it does after five times."""
    work = intake.service.work
    for _ in range(4):
        for branches, prefixes in (({"beijing"}, ["BJ", None]), ({"chengdu"}, [None, "CD"])):
            clerk = Principal("hq.clerk", "hq.clerk", frozenset(branches), frozenset({"clerk"}))
            asked = [store.Asked(clerk, "unused", branch, "hq.clerk", None) for branch in ("beijing", "chengdu")]
            assert [ground.number_prefix for _, ground in await store.grounds(work, asked)] == prefixes
