"""Who stands in for whom while they are away (I-09; 003 §10(二))."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shouwen.contracts.directory import DelegationDescribed
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.domain import delegation as rules
from shouwen.intake.domain.delegation import Absence, Delegation, Period, Post, Standing
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.errors import Invalid, Refused
from shouwen.runtime.testing import Running, running

Body = dict[str, Any]
Fields = Callable[[httpx.Response], list[str]]

SHANGHAI = "Asia/Shanghai"
MONDAY = datetime.fromisoformat("2026-11-23T09:00:00+08:00")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def post(person: str, *, branch: str = "beijing", roles: tuple[str, ...] = ("clerk",), is_active: bool = True) -> Post:
    return Post(person=person, branch=branch, roles=frozenset(roles), is_active=is_active)


def stands_in(principal: str, delegate: str, begins: datetime = MONDAY, ends: datetime = MONDAY + DAY) -> Delegation:
    return Delegation(
        id=uuid4(),
        branch="beijing",
        principal=principal,
        delegate=delegate,
        period=Period(begins, ends),
        named_by=principal,
        named_at=MONDAY,
    )


def away(person: str, begins: datetime = MONDAY, ends: datetime = MONDAY + DAY) -> Absence:
    return Absence(
        id=uuid4(),
        branch="beijing",
        person=person,
        period=Period(begins, ends),
        recorded_by=person,
        recorded_at=MONDAY,
    )


def name(principal: str, delegate: Post | None, *standing: Delegation | Absence) -> Delegation:
    return rules.name_delegate(
        UUID(int=1),
        post(principal),
        delegate,
        Period(MONDAY, MONDAY + DAY),
        standing=Standing(
            delegations=[each for each in standing if isinstance(each, Delegation)],
            absences=[each for each in standing if isinstance(each, Absence)],
        ),
        by=principal,
        now=MONDAY,
    )


# --- the rules ------------------------------------------------------------------------------------------------------


@pytest.mark.req("I-09")
@pytest.mark.parametrize(
    ("begins", "ends", "hours"),
    [
        ("2026-11-23T09:00+08:00", "2026-11-23T18:00+08:00", 8),
        ("2026-11-23T11:00+08:00", "2026-11-23T14:00+08:00", 2),
        ("2026-11-23T12:00+08:00", "2026-11-23T13:00+08:00", 0),
        ("2026-11-20T13:00+08:00", "2026-11-23T10:00+08:00", 6),
        ("2026-11-21T00:00+08:00", "2026-11-22T23:59+08:00", 0),
        ("2026-11-22T20:00+00:00", "2026-11-23T02:30+00:00", 1.5),
    ],
)
def test_working_time_leaves_out_noon_nights_and_week_ends(begins: str, ends: str, hours: float) -> None:
    period = Period(datetime.fromisoformat(begins), datetime.fromisoformat(ends))
    assert rules.working_time(period, time_zone=SHANGHAI) == timedelta(hours=hours)


@given(
    at=st.integers(0, 1000),
    lengths=st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 300)), max_size=6),
    length=st.integers(1, 500),
)
def test_what_is_left_of_a_period_and_what_covers_it_make_the_whole(
    at: int, lengths: list[tuple[int, int]], length: int
) -> None:
    whole = Period(MONDAY + at * HOUR, MONDAY + (at + length) * HOUR)
    others = [Period(MONDAY + begins * HOUR, MONDAY + (begins + long) * HOUR) for begins, long in lengths]
    left = whole.without(others)
    hours = {
        hour
        for hour in range(at, at + length)
        if not any(each.starts_at <= MONDAY + hour * HOUR < each.ends_at for each in others)
    }
    found = [
        hour for each in left for hour in range((each.starts_at - MONDAY) // HOUR, (each.ends_at - MONDAY) // HOUR)
    ]
    assert found == sorted(hours)


@pytest.mark.req("I-09")
@pytest.mark.parametrize(
    ("hours", "open_cases", "covered", "refused"),
    [
        (5, 1, 0, False),  # 09:00–14:00 are four working hours: half a day, not over it
        (6, 1, 0, True),
        (6, 0, 0, False),
        (9, 3, 9, False),
        (9, 3, 3, True),  # 5 of 8 hours are nobody's
        (9, 3, 5, False),  # 4 of 8 hours are nobody's: not over half a day
    ],
)
def test_an_absence_over_half_a_working_day_needs_a_delegate(
    hours: int, open_cases: int, covered: int, refused: bool
) -> None:
    absence = away("a", MONDAY, MONDAY + hours * HOUR)
    standing = [stands_in("a", "b", MONDAY, MONDAY + covered * HOUR)] if covered else []

    def check() -> None:
        rules.require_cover(absence, standing, open_cases=open_cases, time_zone=SHANGHAI, now=MONDAY)

    if not refused:
        check()
        return
    with pytest.raises(rules.DelegateMissing, match=f"{open_cases} open cases") as missing:
        check()
    assert missing.value.members == {"open_cases": str(open_cases)}


@pytest.mark.req("I-09")
@pytest.mark.parametrize(
    ("delegate", "standing", "refusal", "field"),
    [
        (post("a"), [], Invalid, "delegate"),
        (None, [], Invalid, "delegate"),
        (post("b", branch="chengdu"), [], Invalid, "delegate"),
        (post("b", is_active=False), [], Invalid, "delegate"),
        (post("b", roles=("operator",)), [], Invalid, "delegate"),
        (
            post("b"),
            [stands_in("a", "c", MONDAY + 23 * HOUR, MONDAY + 30 * HOUR)],
            rules.OverlappingDelegation,
            "starts_at",
        ),
        (post("b"), [away("b", MONDAY + 23 * HOUR, MONDAY + 30 * HOUR)], rules.DelegateAway, "delegate"),
        (post("b"), [stands_in("b", "c")], rules.DelegateAway, "delegate"),
        (post("b"), [stands_in("b", "a")], rules.CircularDelegation, "delegate"),
        (post("b"), [stands_in("b", "c"), stands_in("c", "a")], rules.CircularDelegation, "delegate"),
    ],
)
def test_who_cannot_stand_in(
    delegate: Post | None, standing: list[Delegation | Absence], refusal: type[Refused], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        name("a", delegate, *standing)
    assert refused.value.field == field
    assert refused.value.remedy


def test_what_only_touches_a_period_does_not_stand_against_it() -> None:
    named = name(
        "a",
        post("b"),
        stands_in("a", "c", MONDAY - DAY, MONDAY),
        stands_in("b", "c", MONDAY + DAY, MONDAY + 2 * DAY),
        away("b", MONDAY + DAY, MONDAY + 2 * DAY),
        stands_in("c", "a"),  # who stands in for another may be away, too: the work goes on to the next
    )
    assert (named.principal, named.delegate) == ("a", "b")


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "field"),
    [
        (MONDAY - HOUR, MONDAY + HOUR, "starts_at"),
        (MONDAY + HOUR, MONDAY + HOUR, "ends_at"),
        (None, MONDAY, "ends_at"),
        (None, MONDAY + 367 * DAY, "ends_at"),
    ],
)
def test_a_delegation_lies_in_the_future_and_within_a_year(
    starts_at: datetime | None, ends_at: datetime, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        rules.period_of(starts_at, ends_at, now=MONDAY)
    assert refused.value.field == field


def test_only_what_has_begun_ends_and_only_what_has_not_is_cancelled() -> None:
    one = stands_in("a", "b")
    assert rules.end(one, now=MONDAY + HOUR).period == Period(MONDAY, MONDAY + HOUR)
    assert rules.cancel(one, now=MONDAY - HOUR).cancelled_at == MONDAY - HOUR
    for change, at, refusal in (
        (rules.end, MONDAY - HOUR, rules.NotBegun),
        (rules.cancel, MONDAY + HOUR, rules.AlreadyBegun),
        (rules.end, MONDAY + DAY, rules.AlreadyOver),
        (rules.cancel, MONDAY + DAY, rules.AlreadyOver),
    ):
        with pytest.raises(refusal):
            change(one, now=at)
    with pytest.raises(rules.AlreadyOver):
        rules.end(rules.cancel(one, now=MONDAY - HOUR), now=MONDAY)


# --- through the service --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def office(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """An intake of its own: these tests send its people away."""
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as one:
        yield one


@pytest.fixture
async def people(office: Running) -> Callable[[str], Any]:
    """Adds clerks of Beijing for one test, so that no absence of another test stands in the way."""

    async def add(*names: str) -> None:
        general = office.token("bj.general", ["beijing"], ["general_manager"])
        for each in names:
            body = {"name": each, "branch": "beijing", "department": "customer-service", "roles": ["clerk"]}
            assert (await office.http.put(f"/api/persons/{each}", json=body, headers=general)).status_code == 201

    return add


@pytest.fixture
def case_of(office: Running, matter: Callable[..., Body]) -> Callable[[str], Any]:
    """Registers a matter for which a person is responsible."""

    async def register(owner: str) -> str:
        headers = office.token("bj.coordinator", roles=["coordinator"]) | {"Idempotency-Key": str(uuid4())}
        answer = await office.http.post("/api/cases", json=matter(owner=owner), headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()["number"]

    return register


def workdays(count: int) -> Body:
    """A period of whole days from now on, long enough to hold so many working days."""
    return {"ends_at": (datetime.now(UTC) + timedelta(days=2 + 2 * count)).isoformat()}


async def send(office: Running, path: str, body: Body | None = None, *, by: str = "bj.manager", **token: Any) -> Any:
    roles = token.get("roles", ["manager"] if by == "bj.manager" else ["clerk"])
    headers = office.token(by, token.get("branches", ["beijing"]), roles)
    return await office.http.post(path, json=body, headers=headers)


@pytest.mark.req("I-09")
async def test_a_delegate_is_told_works_on_the_cases_and_is_shown_beside_the_owner(
    office: Running, people: Any, case_of: Any, fields: Fields
) -> None:
    await people("a.wang", "a.li", "a.zhao")
    number = await case_of("a.wang")
    before = await send(office, f"/api/cases/{number}/withdraw", {"reason": "x"}, by="a.li")
    assert (before.status_code, fields(before)) == (403, ["owner"])

    named = await send(office, "/api/delegations", {"delegate": "a.li"} | workdays(1), by="a.wang")
    assert named.status_code == 201, named.text
    delegation = named.json()
    assert (delegation["principal"], delegation["named_by"]) == ("a.wang", "a.wang")
    [told] = await office.emitted(DelegationDescribed, subject=f"delegation/delegation:{delegation['id']}")
    assert (told.data.principal, told.data.delegate, told.data.cancelled) == ("a.wang", "a.li", False)
    assert told.data.ends_at.isoformat() == datetime.fromisoformat(delegation["ends_at"]).isoformat()

    shown = (await office.http.get(f"/api/cases/{number}", headers=office.token("a.li"))).json()
    assert (shown["owner"], shown["delegate"], shown["masked"]) == ("a.wang", "a.li", False)
    other = (await office.http.get(f"/api/cases/{number}", headers=office.token("a.zhao"))).json()
    assert (other["delegate"], other["masked"]) == ("a.li", True)
    new = await case_of("a.wang")
    assert (await office.http.get(f"/api/cases/{new}", headers=office.token("a.wang"))).json()["delegate"] == "a.li"

    # Falling ill, the delegate hands the work on to the next; whom the owner named answers beside them still.
    chained = await send(office, "/api/delegations", {"delegate": "a.zhao"} | workdays(1), by="a.li")
    assert chained.status_code == 201, chained.text
    seen = (await office.http.get(f"/api/cases/{new}", headers=office.token("a.zhao"))).json()
    assert (seen["delegate"], seen["masked"]) == ("a.li", False)

    for clerk, case in (("a.li", number), ("a.zhao", new)):
        withdrawn = await send(office, f"/api/cases/{case}/withdraw", {"reason": "已解决"}, by=clerk)
        assert (withdrawn.status_code, withdrawn.json()["owner"]) == (200, "a.wang"), withdrawn.text


@pytest.mark.req("I-09")
async def test_an_absence_of_who_holds_open_work_is_refused_without_a_delegate(
    office: Running, people: Any, case_of: Any, fields: Fields
) -> None:
    await people("b.wang", "b.li", "b.zhao")
    await case_of("b.wang")
    await case_of("b.wang")
    body = {"person": "b.wang"} | workdays(3)
    refused = await send(office, "/api/absences", body)
    assert (refused.status_code, fields(refused)) == (409, ["delegate"])
    assert (refused.json()["code"], refused.json()["open_cases"]) == ("delegate_missing", "2")

    recorded = await send(office, "/api/absences", body | {"delegate": "b.li"})
    assert recorded.status_code == 201, recorded.text
    absence = recorded.json()
    assert absence["delegation"]["delegate"] == "b.li"
    # Who stands in for somebody with open work holds open work, too.
    chained = await send(office, "/api/absences", {"person": "b.li"} | workdays(3))
    assert (chained.status_code, chained.json()["open_cases"]) == (409, "2")
    free = await send(office, "/api/absences", {"person": "b.zhao"} | workdays(3))
    assert (free.status_code, free.json()["delegation"]) == (201, None)
    away_too = await send(office, "/api/delegations", {"principal": "b.li", "delegate": "b.zhao"} | workdays(1))
    assert (away_too.status_code, fields(away_too)) == (409, ["delegate"])

    # The delegation cannot go while the absence needs it; coming back ends both.
    ended = await send(office, f"/api/delegations/{absence['delegation_id']}/end")
    assert (ended.status_code, ended.json()["code"]) == (409, "delegate_missing")
    back = await send(office, f"/api/absences/{absence['id']}/end", by="b.wang")
    assert back.status_code == 200, back.text
    assert back.json()["delegation"]["ends_at"] == back.json()["ends_at"]
    told = await office.emitted(
        DelegationDescribed, subject=f"delegation/delegation:{absence['delegation_id']}", count=2
    )
    assert told[1].data.ends_at < told[0].data.ends_at
    again = await send(office, f"/api/absences/{absence['id']}/end")
    assert (again.status_code, fields(again)) == (409, ["state"])


@pytest.mark.req("I-09")
async def test_a_list_shows_the_same_delegate_as_the_case_itself(office: Running, people: Any, case_of: Any) -> None:
    await people("k.wang", "k.li", "k.zhao")
    numbers = [await case_of("k.wang"), await case_of("k.li"), await case_of("k.zhao")]
    for principal, delegate in (("k.wang", "k.li"), ("k.li", "k.zhao")):
        named = await send(office, "/api/delegations", {"principal": principal, "delegate": delegate} | workdays(1))
        assert named.status_code == 201, named.text
    headers = office.token("bj.manager", roles=["manager"])
    listed = (await office.http.get("/api/cases", params={"limit": "50"}, headers=headers)).json()["items"]
    shown = {each["number"]: each["delegate"] for each in listed}
    assert [shown[number] for number in numbers] == ["k.li", "k.zhao", None]
    for number in numbers:
        alone = (await office.http.get(f"/api/cases/{number}", headers=headers)).json()
        assert alone["delegate"] == shown[number]


@pytest.mark.req("I-05", "I-09")
async def test_nobody_is_offered_a_case_who_is_away_with_nobody_standing_in(
    office: Running, people: Any, case_of: Any, fields: Fields
) -> None:
    await people("l.wang", "l.li", "l.zhao")
    number = await case_of("l.zhao")
    assert (await send(office, "/api/absences", {"person": "l.wang"} | workdays(3))).status_code == 201
    offer = {"receiver": "l.wang", "reason": "请接手"}
    refused = await send(office, f"/api/cases/{number}/handover", offer, by="l.zhao")
    assert (refused.status_code, fields(refused)) == (409, ["receiver"])
    assert refused.json()["code"] == "away_without_delegate"
    named = await send(office, "/api/delegations", {"principal": "l.wang", "delegate": "l.li"} | workdays(3))
    assert named.status_code == 201, named.text
    offered = await send(office, f"/api/cases/{number}/handover", offer, by="l.zhao")
    assert offered.status_code in {200, 201}, offered.text
    accepted = await send(office, f"/api/cases/{number}/handover/accept", {"phone": "010 5550 0009"}, by="l.li")
    assert (accepted.status_code, accepted.json()["owner"]) == (200, "l.wang"), accepted.text


@pytest.mark.req("I-09")
async def test_nobody_is_made_responsible_who_is_away_with_nobody_standing_in(
    office: Running, people: Any, case_of: Any, fields: Fields
) -> None:
    await people("i.wang", "i.li", "i.zhao")
    number = await case_of("i.zhao")
    assert (await send(office, "/api/absences", {"person": "i.wang"} | workdays(3))).status_code == 201
    refused = await send(office, f"/api/cases/{number}/assign", {"owner": "i.wang"})
    assert (refused.status_code, fields(refused)) == (409, ["owner"])
    assert refused.json()["code"] == "away_without_delegate"
    named = await send(office, "/api/delegations", {"principal": "i.wang", "delegate": "i.li"} | workdays(3))
    assert named.status_code == 201, named.text
    phoneless = await send(office, f"/api/cases/{number}/assign", {"owner": "i.wang"})
    assert (phoneless.status_code, fields(phoneless)) == (422, ["phone"]), "the requester is told whom to call"
    assigned = await send(office, f"/api/cases/{number}/assign", {"owner": "i.wang", "phone": "010 5550 0008"})
    assert (assigned.status_code, assigned.json()["owner"]) == (200, "i.wang"), assigned.text
    shown = (await office.http.get(f"/api/cases/{number}", headers=office.token("i.li"))).json()
    assert shown["delegate"] == "i.li"


@pytest.mark.req("I-09")
async def test_a_delegation_to_come_is_cancelled_and_one_is_refused_twice(
    office: Running, people: Any, fields: Fields
) -> None:
    await people("c.wang", "c.li")
    begins = datetime.now(UTC) + timedelta(days=10)
    body = {"delegate": "c.li", "starts_at": begins.isoformat(), "ends_at": (begins + DAY).isoformat()}
    named = (await send(office, "/api/delegations", body, by="c.wang")).json()
    twice = await send(office, "/api/delegations", body, by="c.wang")
    assert (twice.status_code, fields(twice)) == (409, ["starts_at"])
    early = await send(office, f"/api/delegations/{named['id']}/end", by="c.wang")
    assert (early.status_code, early.json()["code"]) == (409, "not_begun")
    cancelled = await send(office, f"/api/delegations/{named['id']}/cancel", by="c.wang")
    assert (cancelled.status_code, cancelled.json()["cancelled_at"] is None) == (200, False)
    told = await office.emitted(DelegationDescribed, subject=f"delegation/delegation:{named['id']}", count=2)
    assert [each.data.cancelled for each in told] == [False, True]
    assert (await send(office, "/api/delegations", body, by="c.wang")).status_code == 201


@pytest.mark.req("I-09", "X-05")
async def test_no_circle_arises_from_what_is_arranged_at_the_same_time(office: Running, people: Any) -> None:
    names = ["j.one", "j.two", "j.three", "j.four"]
    await people(*names)
    period = workdays(1)
    answers = await asyncio.gather(
        *(
            send(office, "/api/delegations", {"delegate": delegate} | period, by=principal)
            for principal, delegate in zip(names, [*names[1:], names[0]], strict=True)
        )
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    arranged = {answer.json()["principal"]: answer.json()["delegate"] for answer in answers if answer.is_success}
    assert arranged
    for person in names:
        passed = [person]
        while passed[-1] in arranged:
            passed.append(arranged[passed[-1]])
            assert len(set(passed)) == len(passed), arranged


@pytest.mark.req("I-09", "X-06")
async def test_who_may_arrange_for_whom(office: Running, people: Any, fields: Fields) -> None:
    await people("d.wang", "d.li")
    body = {"principal": "d.wang", "delegate": "d.li"} | workdays(1)
    stranger = await send(office, "/api/delegations", body, by="d.li")
    assert (stranger.status_code, fields(stranger)) == (403, ["principal"])
    foreign = await send(office, "/api/delegations", body, by="cd.manager", branches=["chengdu"], roles=["manager"])
    assert (foreign.status_code, fields(foreign)) == (422, ["principal"])
    elsewhere = await send(office, "/api/delegations", body | {"delegate": "cd.clerk"})
    assert (elsewhere.status_code, fields(elsewhere)) == (422, ["delegate"])
    named = await send(office, "/api/delegations", body)
    assert named.status_code == 201
    for path in (f"/api/delegations/{named.json()['id']}/end", f"/api/absences/{uuid4()}/cancel"):
        answer = await send(office, path, by="cd.manager", branches=["chengdu"], roles=["manager"])
        assert answer.status_code == 404
    listed = await office.http.get("/api/delegations", headers=office.token("cd.clerk", ["chengdu"]))
    assert listed.json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"delegate": "bj.clerk2"}, "ends_at"),
        ({"delegate": "bj.clerk2", "ends_at": "2026-11-23T09:00:00"}, "ends_at"),
        ({"delegate": "a b", "ends_at": "2999-01-01T00:00:00Z"}, "delegate"),
        ({"delegate": "bj.clerk2", "ends_at": "2999-01-01T00:00:00Z"}, "ends_at"),
        ({"delegate": "bj.clerk2", "ends_at": "1999-01-01T00:00:00Z"}, "ends_at"),
        ({"delegate": "bj.clerk2", "ends_at": "2999-01-01T00:00:00Z", "reason": "ill"}, "reason"),
    ],
)
async def test_a_wrong_field_is_named(office: Running, fields: Fields, body: Body, field: str) -> None:
    answer = await send(office, "/api/delegations", body, by="bj.clerk")
    assert (answer.status_code, fields(answer)) == (422, [field])


@pytest.mark.req("I-09")
async def test_who_leaves_stands_in_for_nobody(office: Running, people: Any) -> None:
    await people("e.wang", "e.li")
    named = (await send(office, "/api/delegations", {"delegate": "e.li"} | workdays(1), by="e.wang")).json()
    general = office.token("bj.general", ["beijing"], ["general_manager"])
    body = {"name": "e", "branch": "beijing", "roles": ["clerk"], "active": False}
    assert (await office.http.put("/api/persons/e.li", json=body, headers=general)).status_code == 200
    told = await office.emitted(DelegationDescribed, subject=f"delegation/delegation:{named['id']}", count=2)
    assert told[1].data.ends_at < told[0].data.ends_at
    page = await office.http.get(
        "/api/delegations", params={"principal": "e.wang", "in_force": "true"}, headers=general
    )
    assert page.json()["items"] == []


async def test_delegations_and_absences_are_read_in_pages(office: Running, people: Any, fields: Fields) -> None:
    await people("f.wang", "f.li")
    begins = datetime.now(UTC) + timedelta(days=1)
    for day in range(3):
        period = {"starts_at": (begins + day * DAY).isoformat(), "ends_at": (begins + (day + 1) * DAY).isoformat()}
        assert (await send(office, "/api/delegations", {"delegate": "f.li"} | period, by="f.wang")).status_code == 201
        assert (await send(office, "/api/absences", period, by="f.wang")).status_code == 201
    headers = office.token("bj.clerk")
    for path, who in (("delegations", "principal"), ("absences", "person")):
        found: list[str] = []
        after: dict[str, str] = {}
        while True:
            parameters = {"limit": "2", who: "f.wang", **after}
            page = (await office.http.get(f"/api/{path}", params=parameters, headers=headers)).json()
            found += [each["starts_at"] for each in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert len(found) == 3
        assert found == sorted(found, reverse=True)
        bad = await office.http.get(f"/api/{path}", params={"after": "x"}, headers=headers)
        assert (bad.status_code, fields(bad)) == (422, ["after"])
    now_only = await office.http.get("/api/absences", params={"person": "f.wang", "now_only": "true"}, headers=headers)
    assert now_only.json()["items"] == []


@pytest.mark.req("X-06")
async def test_the_database_itself_keeps_absences_of_branches_apart(office: Running, people: Any) -> None:
    await people("g.wang", "g.li")
    assert (
        await send(office, "/api/absences", {"person": "g.wang", "delegate": "g.li"} | workdays(1))
    ).status_code == 201
    app = await asyncpg.connect(office.service.settings.database_url.get_secret_value())
    try:
        for branches, seen in (("chengdu", False), ("", False), ("beijing", True), ("*", True)):
            async with app.transaction():
                await app.execute("SELECT set_config('shouwen.branches', $1, true)", branches)
                assert await app.fetchval("SELECT count(*) > 0 FROM delegation") is seen
                assert await app.fetchval("SELECT count(*) > 0 FROM absence") is seen
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await app.execute("DELETE FROM delegation")
    finally:
        await app.close()


@pytest.mark.req("X-05")
async def test_republishing_tells_delegations_too(office: Running, people: Any) -> None:
    await people("h.wang", "h.li")
    named = (await send(office, "/api/delegations", {"delegate": "h.li"} | workdays(1), by="h.wang")).json()
    answer = await send(office, "/api/directory/republish", by="operator", roles=["operator"])
    assert answer.status_code == 202
    await office.settled()
    told = await office.emitted(DelegationDescribed, subject=f"delegation/delegation:{named['id']}", count=2)
    assert told[0].data == told[1].data
