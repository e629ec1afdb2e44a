"""The directory kept by people: described by REST, told once, found by duty, apart by branch."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml

from shouwen.contracts.directory import BranchDescribed, DepartmentDescribed, PersonDescribed
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.testing import Grounds, Running, grounds, running

Fields = Callable[[httpx.Response], list[str]]
Body = dict[str, Any]

ADMIN = ("group_admin",)
GENERAL = ("general_manager",)


@pytest.fixture(scope="module")
async def managed(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """An intake of its own: these tests change its directory."""
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as one:
        yield one


@pytest.fixture
def admin(managed: Running) -> dict[str, str]:
    return managed.token("group.admin", [], ADMIN)


@pytest.fixture
def general(managed: Running) -> dict[str, str]:
    return managed.token("bj.general", ["beijing"], GENERAL)


def person(**differences: Any) -> Body:
    usual: Body = {"name": "赵敏", "branch": "beijing", "department": "payroll", "roles": ["clerk"]}
    return usual | differences


@pytest.mark.req("I-09")
async def test_a_branch_its_departments_and_persons_are_described_and_told(
    managed: Running, admin: dict[str, str]
) -> None:
    branch = {"name": "武汉分公司", "number_prefix": "WH", "packs": ["labour-dispatch"]}
    answer = await managed.http.put("/api/branches/wuhan", json=branch, headers=admin)
    assert (answer.status_code, answer.json()["managed_by"]) == (201, "api"), answer.text
    unit = {"name": "工伤事务部", "duties": [{"topic": "work-injury", "limit_hours": 12}]}
    answer = await managed.http.put("/api/branches/wuhan/departments/injuries", json=unit, headers=admin)
    assert answer.status_code == 201, answer.text
    body = person(branch="wuhan", department="injuries", email="wh.clerk@example.com", phone="027 5550 0001")
    answer = await managed.http.put("/api/persons/wh.clerk", json=body, headers=admin)
    assert answer.status_code == 201, answer.text

    [told] = await managed.emitted(BranchDescribed, subject="branch/branch:wuhan")
    assert (told.data.name, told.data.packs) == ("武汉分公司", ("labour-dispatch",))
    [told] = await managed.emitted(DepartmentDescribed, subject="department/department:wuhan:injuries")
    assert [(duty.topic, duty.limit_hours) for duty in told.data.duties] == [("work-injury", 12)]
    [told] = await managed.emitted(PersonDescribed, subject="person/person:wh.clerk")
    assert told.data.contact is not None
    assert managed.service.seal.open(told.data.contact) == {
        "name": "赵敏",
        "email": "wh.clerk@example.com",
        "phone": "027 5550 0001",
    }
    [row] = await managed.fetch("SELECT name, email, phone FROM person WHERE person = 'wh.clerk'")
    assert not any(word in value for value in row for word in ("赵敏".encode(), b"example", b"5550"))


@pytest.mark.req("I-09")
async def test_only_what_changed_is_told(managed: Running, general: dict[str, str]) -> None:
    async def put(body: Body) -> int:
        return (await managed.http.put("/api/persons/bj.same", json=body, headers=general)).status_code

    assert await put(person()) == 201
    assert await put(person()) == 200
    assert await put(person(email="same@example.com")) == 200
    assert await put(person(email="same@example.com", active=False)) == 200
    await managed.settled()
    told = await managed.emitted(PersonDescribed, subject="person/person:bj.same", count=3)
    assert [each.data.active for each in told] == [True, True, False]


@pytest.mark.req("I-09", "X-06")
async def test_who_keeps_which_branch(managed: Running, admin: dict[str, str], fields: Fields) -> None:
    tries = [
        ("/api/persons/x", person(), "bj.manager", ["beijing"], ("manager",), 403, ["roles"]),
        ("/api/persons/x", person(), "bj.general", ["beijing"], GENERAL, 201, []),
        ("/api/persons/y", person(branch="chengdu"), "bj.general", ["beijing"], GENERAL, 403, ["roles"]),
        # A group role sees every branch, and keeps none for it.
        ("/api/persons/cd.clerk2", person(), "bj.general", ["beijing"], (*GENERAL, "group_auditor"), 403, ["roles"]),
        # The id is somebody's whom the general manager of Beijing does not see.
        ("/api/persons/cd.clerk2", person(), "bj.general", ["beijing"], GENERAL, 422, ["person"]),
        ("/api/persons/z", person(roles=["group_admin"]), "bj.general", ["beijing"], GENERAL, 422, ["roles"]),
        ("/api/persons/z", person(department="nowhere"), "bj.general", ["beijing"], GENERAL, 422, ["department"]),
        ("/api/persons/z", person(branch="nowhere"), "group.admin", [], ADMIN, 422, ["branch", "department"]),
        ("/api/branches/beijing", {"name": "京", "number_prefix": "BJ"}, "bj.g", ["beijing"], GENERAL, 403, ["roles"]),
    ]
    for path, body, who, branches, roles, status, named in tries:
        answer = await managed.http.put(path, json=body, headers=managed.token(who, branches, roles))
        assert answer.status_code == status, (path, who, answer.text)
        assert status < 300 or fields(answer) == named, (path, who)
    [row] = await managed.fetch("SELECT branch, managed_by FROM person WHERE person = 'cd.clerk2'")
    assert tuple(row) == ("chengdu", "file")
    assert not await managed.fetch("SELECT 1 FROM person WHERE person = 'z'")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, ["name", "branch", "roles"]),
        (person(email="not an address"), ["email"]),
        (person(phone="call me"), ["phone"]),
        (person(roles=[]), ["roles"]),
        (person(name=" \n"), ["name"]),
        (person(name="字" * 101), ["name"]),
        (person(unknown=1), ["unknown"]),
        (person(managed_by="scim"), ["managed_by"]),
    ],
)
async def test_a_wrong_field_is_named_and_changes_nothing(
    managed: Running, general: dict[str, str], fields: Fields, body: Body, named: list[str]
) -> None:
    answer = await managed.http.put("/api/persons/bj.wrong", json=body, headers=general)
    assert (answer.status_code, fields(answer)) == (422, named)
    assert not await managed.fetch("SELECT 1 FROM person WHERE person = 'bj.wrong'")


async def test_a_wrong_zone_or_a_doubled_topic_is_named(
    managed: Running, admin: dict[str, str], fields: Fields
) -> None:
    branch = {"name": "B", "number_prefix": "ZZ", "time_zone": "Mars/Base"}
    answer = await managed.http.put("/api/branches/mars", json=branch, headers=admin)
    assert (answer.status_code, fields(answer)) == (422, ["time_zone"])
    unit = {"name": "A", "duties": [{"topic": "t"}, {"topic": "t"}]}
    answer = await managed.http.put("/api/branches/beijing/departments/a", json=unit, headers=admin)
    assert (answer.status_code, fields(answer)) == (422, ["duties"])


@pytest.mark.req("I-01")
async def test_a_prefix_names_one_branch_for_ever(managed: Running, admin: dict[str, str], fields: Fields) -> None:
    taken = await managed.http.put("/api/branches/nanjing", json={"name": "南京", "number_prefix": "BJ"}, headers=admin)
    assert (taken.status_code, fields(taken)) == (409, ["number_prefix"])
    matter = {"type": "inquiry", "channel": "phone", "branch": "shenzhen", "subject": "s", "description": "d"}
    headers = managed.token("sz.clerk", ["shenzhen"]) | {"Idempotency-Key": "prefix"}
    assert (await managed.http.post("/api/cases", json=matter | {"requester": {}}, headers=headers)).status_code == 201
    changed = await managed.http.put(
        "/api/branches/shenzhen", json={"name": "深圳总部", "number_prefix": "SX"}, headers=admin
    )
    assert (changed.status_code, fields(changed)) == (409, ["number_prefix"])


@pytest.mark.req("I-09")
async def test_a_topic_finds_its_department_its_limit_and_whom_to_call(managed: Running) -> None:
    """003 §7(三): each duty is some department's; §10(一)5: the requester is told contact and phone."""
    clerk = managed.token("sz.clerk", ["shenzhen"])
    answer = await managed.http.get("/api/duties", params={"topic": "claim-papers"}, headers=clerk)
    [holder] = answer.json()["items"]
    assert (holder["department"], holder["name"], holder["limit_hours"]) == ("claims-service", "理赔客服部", 48)
    assert [(each["name"], each["phone"]) for each in holder["contacts"]] == [("郑海涛", "0755 5550 0004")]
    nobody = await managed.http.get("/api/duties", params={"topic": "wages"}, headers=clerk)
    assert nobody.json()["items"] == []
    everyone = managed.token("auditor", [], ["group_auditor"])
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (
            await managed.http.get(
                "/api/duties", params={"topic": "unknown-department", "limit": "1", **after}, headers=everyone
            )
        ).json()
        found += [each["branch"] for each in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == ["beijing", "chengdu", "shenzhen"]


@pytest.mark.req("X-06")
async def test_lists_are_read_in_pages_and_end_at_ones_branches(managed: Running, fields: Fields) -> None:
    headers = managed.token("cd.clerk", ["chengdu"])
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = (await managed.http.get("/api/persons", params={"limit": "2", **after}, headers=headers)).json()
        found += [each["person"] for each in page["items"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == ["cd.clerk", "cd.clerk2", "cd.coordinator", "cd.general", "cd.manager"]
    for path, parameters, expected in (
        ("persons", {"role": "manager"}, ["cd.manager"]),
        ("persons", {"department": "coordination", "active": "true"}, ["cd.coordinator"]),
        ("persons", {"branch": "beijing"}, []),
        ("departments", {"topic": "job-fair"}, ["recruitment"]),
        ("departments", {"active": "false"}, []),
        ("branches", {}, ["chengdu"]),
    ):
        answer = await managed.http.get(f"/api/{path}", params=parameters, headers=headers)
        key = {"persons": "person", "departments": "department", "branches": "branch"}[path]
        assert [each[key] for each in answer.json()["items"]] == expected, path
        assert "@" not in answer.text
    for path, place in (("departments", "x"), ("persons", "a/b"), ("duties?topic=x", "a")):
        parameters = {"after": place} | ({"topic": "x"} if "duties" in path else {})
        answer = await managed.http.get(f"/api/{path.partition('?')[0]}", params=parameters, headers=headers)
        assert (answer.status_code, fields(answer)) == (422, ["after"])


@pytest.mark.req("I-18")
async def test_contact_is_shown_to_the_person_and_to_who_keeps_the_directory(
    managed: Running, admin: dict[str, str], fields: Fields
) -> None:
    for headers, seen in (
        (managed.token("cd.clerk2", ["chengdu"]), True),
        (managed.token("cd.general", ["chengdu"], GENERAL), True),
        (admin, True),
        (managed.token("cd.clerk", ["chengdu"]), False),
        (managed.token("bj.general", ["beijing", "chengdu"], ["clerk"]), False),
    ):
        answer = (await managed.http.get("/api/persons/cd.clerk2", headers=headers)).json()
        assert (answer["email"], answer["phone"]) == (
            ("cd.clerk2@example.com", "028 5550 0002") if seen else (None, None)
        )
        assert answer["open_cases"] == 0
    foreign = await managed.http.get("/api/persons/cd.clerk2", headers=managed.token("bj.clerk"))
    assert (foreign.status_code, fields(foreign)) == (404, ["person"])


@pytest.mark.req("X-05")
async def test_an_operator_tells_the_directory_once_more(
    managed: Running, infrastructure: Infrastructure, directory_file: Path, fields: Fields
) -> None:
    clerk = await managed.http.post("/api/directory/republish", headers=managed.token("bj.clerk"))
    assert (clerk.status_code, fields(clerk)) == (403, ["roles"])
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as fresh:
        before = await _told(fresh, times=1)
        operator = fresh.token("operator", [], ["operator", "group_auditor"])
        answer = await fresh.http.post("/api/directory/republish", headers=operator)
        assert (answer.status_code, answer.json()) == (202, {"entries": 3 + 13 + 15})
        told = await _told(fresh, times=2)
        assert sorted(told) == sorted([*before, *before])
        one = await fresh.http.post(
            "/api/directory/republish", headers=fresh.token("operator", ["chengdu"], ["operator"])
        )
        assert one.json() == {"entries": 1 + 4 + 5}


async def _told(service: Running, *, times: int) -> list[str]:
    """What was told of the evaluation's directory, once each entry was told so many times."""
    return [
        each.subject
        for kind, entries in ((BranchDescribed, 3), (DepartmentDescribed, 13), (PersonDescribed, 15))
        for each in await service.emitted(kind, count=entries * times)
    ]


@pytest.fixture
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    async with grounds(infrastructure, "intake") as one:
        yield one


@pytest.fixture
def later(directory_file: Path, tmp_path: Path) -> Path:
    """The directory of the evaluation without two of its persons and a department."""
    content = yaml.safe_load(directory_file.read_text(encoding="utf-8"))
    content["persons"] = [each for each in content["persons"] if each["person"] not in {"bj.clerk", "cd.clerk2"}]
    content["departments"] = [each for each in content["departments"] if each["department"] != "underwriting"]
    file = tmp_path / "directory.yaml"
    file.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return file


@pytest.mark.req("I-09")
async def test_the_file_changes_only_what_nobody_else_keeps(ground: Grounds, directory_file: Path, later: Path) -> None:
    async with ground.running(create, IntakeSettings, directory_file=directory_file) as first:
        general = first.token("bj.general", ["beijing"], GENERAL)
        for path, body in (
            ("/api/persons/bj.clerk", person(name="王芳芳", department="payroll")),
            ("/api/persons/bj.new", person(name="新来者")),
            ("/api/persons/bj.clerk2", person(name="李建国", managed_by="file")),
            ("/api/branches/beijing/departments/new-unit", {"name": "新部门"}),
        ):
            assert (await first.http.put(path, json=body, headers=general)).status_code < 300
        await first.settled()

    async with ground.running(create, IntakeSettings, directory_file=later) as second:
        await second.settled()
        headers = second.token("auditor", [], ["group_auditor"])
        people = {
            each["person"]: each
            for each in (await second.http.get("/api/persons", params={"limit": "200"}, headers=headers)).json()[
                "items"
            ]
        }
        assert (people["bj.clerk"]["name"], people["bj.clerk"]["active"]) == ("王芳芳", True)
        assert people["bj.new"]["active"] is True
        assert people["bj.clerk2"]["department"] == "customer-service"
        assert people["cd.clerk2"]["active"] is False
        units = (await second.http.get("/api/departments", params={"active": "false"}, headers=headers)).json()
        assert [each["department"] for each in units["items"]] == ["underwriting"]


@pytest.mark.req("X-06")
async def test_the_database_itself_keeps_the_directories_apart(managed: Running) -> None:
    app = await asyncpg.connect(managed.service.settings.database_url.get_secret_value())
    try:
        for branches, seen in (("chengdu", {"chengdu"}), ("", set[str]()), ("*", {"beijing", "chengdu", "shenzhen"})):
            async with app.transaction():
                await app.execute("SELECT set_config('shouwen.branches', $1, true)", branches)
                for table in ("branch", "department", "person"):
                    found = {row["branch"] for row in await app.fetch(f"SELECT branch FROM {table}")}  # noqa: S608 (names from above)
                    assert found & {"beijing", "chengdu", "shenzhen"} == seen, (branches, table)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with app.transaction():
                await app.execute("SELECT set_config('shouwen.branches', 'chengdu', true)")
                await app.execute(
                    "INSERT INTO department (branch, department, name, duties, active) "
                    "VALUES ('beijing', 'x', 'x', '[]', true)"
                )
    finally:
        await app.close()
