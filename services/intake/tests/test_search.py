"""The register is searched by parameters of the address; everything is found that is asked for, and nothing else."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from shouwen.contracts.clock import ClockFact, ClockMet, ClockPaused, ClockStarted
from shouwen.contracts.event import CloudEvent
from shouwen.intake.handlers.search import index_texts
from shouwen.intake.store.protection import Protection
from shouwen.runtime.testing import Running

Body = dict[str, Any]
Search = Callable[..., Any]

NEVER = "f" * 64


@pytest.fixture
def search(intake: Running) -> Search:
    """Numbers that a search finds, over all its pages, as a clerk of Beijing unless told otherwise."""

    async def pages(*, limit: int = 50, roles: tuple[str, ...] = ("clerk",), **parameters: Any) -> list[str]:
        branches = () if roles[0].startswith("group_") else ("beijing",)
        headers = intake.token("bj.clerk", branches, roles)
        numbers: list[str] = []
        after: str | None = None
        while True:
            query = {**parameters, "limit": limit} | ({"after": after} if after else {})
            answer = await intake.http.get("/api/cases", params=query, headers=headers)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            assert len(page["items"]) <= limit
            numbers += [each["number"] for each in page["items"]]
            if (after := page["next"]) is None:
                assert len(numbers) == len(set(numbers)), "no case comes twice"
                return numbers

    return pages


@pytest.fixture
def make(register: Any, matter: Callable[..., Body]) -> Callable[..., Any]:
    """Register a matter and give its number."""

    async def one(**differences: Any) -> str:
        answer = await register(matter(**differences))
        assert answer.status_code == 201, answer.text
        return answer.json()["number"]

    return one


async def test_words_of_subject_and_description_find_a_case_wherever_they_stand(make: Any, search: Search) -> None:
    first = await make(subject="社保转移接续咨询材料甲", description="OA系统显示Ｎｏ.7315已受理。")
    second = await make(subject="社保基数", description="转移接续时材料丢失，编号no.7315。")
    await make(subject="材料接收", description="与转移接续无关，编号 NO.99。")
    assert await search(text="转移接续 材料") >= [second, first]
    assert await search(text="no.7315") == [second, first], "the newest first; case and width do not matter"
    assert await search(text="7315已受") == [first]
    assert await search(text="材料甲 oa系统") == [first]
    assert await search(text="接续材料咨询") == []


async def test_a_case_whose_pairs_fit_but_whose_words_do_not_is_not_found(make: Any, search: Search) -> None:
    await make(subject="档案袋丢了", description="袋丢了，档案还在；案袋。")
    assert await search(text="档案袋丢了，档案袋丢了") == []


async def test_a_page_of_words_goes_on_where_the_last_one_ended(make: Any, search: Search) -> None:
    word = f"甲乙{uuid4().hex[:8]}丙丁"
    numbers = [await make(subject=f"第{i}件{word}") for i in range(7)]
    assert await search(text=word, limit=3) == numbers[::-1]
    assert await search(text=word, limit=7) == numbers[::-1]


async def test_people_and_clients_are_found_however_their_numbers_are_written(make: Any, search: Search) -> None:
    found = await make(
        requester={"name": "贾宝", "phone": "+86 (0)10-8877 6655转12", "email": "Jia.Bao@example.com"},
        client={"name": "某公司", "identifier": "91110105MA0Q7X1B2C"},
    )
    assert await search(phone="01088776655x12") == [found]
    assert await search(phone="010-88776655") == []
    assert await search(email="jia.bao@EXAMPLE.com") == [found]
    assert await search(client_identifier="91110105 ma0q7x1b2c") == [found]
    assert await search(client_identifier="91110105MA0Q7X1B2C", client=NEVER) == []
    assert await search(phone="01088776655x12", text="工资") == [found]
    assert await search(phone="01088776655x12", text="公积金") == []


async def test_filters_hold_together_and_a_number_is_found_by_its_beginning(make: Any, search: Search) -> None:
    earlier = await make(type="report", subject="举报甲")
    later = await make(type="report", subject="举报乙", owner="bj.manager", department="finance")
    assert await search(number=earlier) == [earlier]
    assert {earlier, later} <= set(await search(number=earlier[:-1].lower()) + await search(number=later[:-1]))
    numbers = await search(number="BJ-", limit=2)
    assert numbers == sorted(numbers, reverse=True)
    assert await search(number="CD-") == [], "another branch's cases are not found by their numbers"
    assert await search(type="report", owner="bj.manager") == [later]
    assert await search(type="report", department="finance", state="received", branch="beijing") == [later]
    assert await search(type="report", owner="bj.manager", state="resolved") == []
    assert await search(branch="chengdu") == []
    assert later in await search(branch="beijing", type="report", roles=("group_auditor",))


async def test_cases_are_found_by_when_they_were_received(make: Any, search: Search) -> None:
    word = uuid4().hex
    day = datetime.now(UTC) - timedelta(days=300)
    numbers = [await make(subject=word, received_at=(day + timedelta(hours=shift)).isoformat()) for shift in (3, 1, 2)]
    third, first, second = numbers
    window = {"received_from": day.isoformat(), "received_to": (day + timedelta(hours=2, minutes=30)).isoformat()}
    assert await search(**window) == [second, first], "by receipt, the last first"
    assert await search(**window, limit=1) == [second, first]
    assert await search(received_from=(day + timedelta(hours=1, minutes=30)).isoformat(), text=word) == [second, third]
    assert await search(received_from=datetime.now(UTC).isoformat()) == []


def clock(fact: type[ClockFact], case: Body, at: datetime, clock_id: UUID, **values: object) -> CloudEvent[ClockFact]:
    data = fact.model_validate(
        {
            "branch": "beijing",
            "clock_id": clock_id,
            "timed_subject": f"case/{case['id']}",
            "pack": "group-baseline",
            "policy": "complaint",
            "target": "resolution",
            "clause": "001 §20",
            **values,
        }
    )
    return CloudEvent.of(data, source="/shouwen/sla", time=at)


async def test_what_is_due_is_found_until_its_clocks_are_met(
    intake: Running, register: Any, matter: Callable[..., Body], search: Search
) -> None:
    case = (await register(matter(subject="到期检索"))).json()
    due_at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=100)
    begun, before, after = due_at - timedelta(days=1), due_at - timedelta(hours=1), due_at + timedelta(hours=1)
    first, second = uuid4(), uuid4()
    await intake.hears(
        clock(ClockStarted, case, begun, first, started_at=begun, due_at=due_at),
        clock(ClockStarted, case, begun, second, started_at=begun, due_at=due_at + timedelta(days=1)),
    )
    clerk = intake.token("bj.clerk")
    assert await search(due_before=after.isoformat()) == [case["number"]]
    assert await search(due_before=after.isoformat(), text="到期检索") == [case["number"]]
    assert await search(due_before=after.isoformat(), type="inquiry") == []
    assert await search(due_before=before.isoformat()) == []
    shown = (await intake.http.get(f"/api/cases/{case['number']}", headers=clerk)).json()
    assert datetime.fromisoformat(shown["next_due_at"]) == due_at
    await intake.hears(clock(ClockPaused, case, before, first, paused_at=before, reason="awaiting_requester"))
    assert await search(due_before=after.isoformat()) == []
    assert await search(due_before=(due_at + timedelta(days=2)).isoformat()) == [case["number"]]
    met = clock(ClockMet, case, after, second, completed_at=after, due_at=due_at, breached=False)
    await intake.hears(met, clock(ClockStarted, case, begun, second, started_at=begun, due_at=due_at))
    assert await search(due_before=(due_at + timedelta(days=2)).isoformat()) == [], "an older word changes nothing"


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"text": "工"}, "text"),
        ({"text": "工资\x00"}, "text"),
        ({"number": "2026"}, "number"),
        ({"number": "BJ%"}, "number"),
        ({"phone": "abc"}, "phone"),
        ({"client_identifier": "*"}, "client_identifier"),
        ({"client": "x"}, "client"),
        ({"email": "nobody"}, "email"),
        ({"due_before": "tomorrow"}, "due_before"),
        ({"received_from": "2026-01-01T00:00:00"}, "received_from"),
        ({"received_to": "9999-01-01T00:00:00Z"}, "received_to"),
        ({"state": "lost"}, "state"),
        ({"after": "x"}, "after"),
        ({"after": str(uuid4()), "received_to": "2026-01-01T00:00:00Z"}, "after"),
        ({"after": "编号", "number": "BJ"}, "after"),
    ],
)
async def test_a_search_that_cannot_be_is_refused_with_its_field(
    intake: Running, fields: Callable[..., list[str]], parameters: dict[str, str], field: str
) -> None:
    answer = await intake.http.get("/api/cases", params=parameters, headers=intake.token("bj.clerk"))
    assert answer.status_code == 422
    assert fields(answer) == [field]


async def test_cases_from_before_the_index_of_words_are_added_to_it(intake: Running, make: Any, search: Search) -> None:
    word = f"旧案{uuid4().hex[:6]}"
    number = await make(subject=word)
    await intake.fetch("DELETE FROM case_text")
    assert await search(text=word) == []
    protection = Protection(keys=intake.service.keys, hash_key=intake.service.hash_key, seal=intake.service.seal)
    assert await index_texts(intake.service.work, protection) > 0
    assert await search(text=word) == [number]
    assert await index_texts(intake.service.work, protection) == 0


async def test_an_index_of_words_tells_no_word(intake: Running, make: Any) -> None:
    await asyncio.gather(make(subject="同样的词"), make(subject="同样的词"))
    rows = await intake.fetch("SELECT grams FROM case_text ORDER BY case_id DESC LIMIT 2")
    assert rows[0]["grams"] == rows[1]["grams"] == sorted(rows[0]["grams"]), "their order is not that of the text"
