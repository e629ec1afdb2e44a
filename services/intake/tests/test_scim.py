"""SCIM 2.0 (RFC 7643, 7644): an identity provider pushes persons and departments."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from scim2_models import EnterpriseUser, Error, Group, ListResponse, PatchOp, User

from shouwen.contracts.directory import DepartmentDescribed, PersonDescribed
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.testing import Running, running

Body = dict[str, Any]
Push = Callable[..., Any]

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
UNIT = "urn:shouwen:scim:schemas:1.0:Department"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


@pytest.fixture(scope="module")
async def provisioned(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """An intake of its own: these tests change its directory."""
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as one:
        yield one


@pytest.fixture
def push(provisioned: Running) -> Push:
    """Sends a request as the identity provider of Beijing."""

    async def send(
        method: str,
        path: str,
        body: Any = None,
        *,
        branches: tuple[str, ...] = ("beijing",),
        roles: tuple[str, ...] = ("scim",),
        **parameters: str,
    ) -> httpx.Response:
        headers = provisioned.token("idp", branches, roles) | {"Content-Type": "application/scim+json"}
        answer = await provisioned.http.request(
            method, f"/scim/v2{path}", json=body, params=parameters or None, headers=headers
        )
        if answer.content:
            assert answer.headers["content-type"] == "application/scim+json"
        if answer.status_code >= 400:
            error = answer.json()
            assert error["schemas"] == [ERROR]
            assert error["status"] == str(answer.status_code)
            Error.model_validate(error)
        return answer

    return send


def user(name: str, **differences: Any) -> Body:
    usual: Body = {
        "schemas": [USER, ENTERPRISE],
        "userName": name,
        "externalId": f"aad-{name}",
        "displayName": "孙悦",
        "name": {"familyName": "孙", "givenName": "悦"},
        "nickName": "not kept",
        "emails": [
            {"value": "home@example.com", "type": "home"},
            {"value": f"{name}@example.com", "type": "work", "primary": True},
        ],
        "phoneNumbers": [{"value": "010 5550 2001", "type": "work"}],
        "roles": [{"value": "clerk"}],
        ENTERPRISE: {"organization": "beijing", "department": "客户服务部"},
    }
    return {key: value for key, value in (usual | differences).items() if value is not None}


def patch(*operations: Body) -> Body:
    return {"schemas": [PATCH], "Operations": list(operations)}


@pytest.mark.req("I-09")
async def test_a_pushed_person_enters_the_directory_and_is_told(provisioned: Running, push: Push) -> None:
    answer = await push("POST", "/Users", user("s.yue"))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert answer.headers["location"] == made["meta"]["location"] == "http://intake.test/scim/v2/Users/s.yue"
    assert (made["id"], made["userName"], made["externalId"]) == ("s.yue", "s.yue", "aad-s.yue")
    assert made["emails"] == [{"value": "s.yue@example.com", "type": "work", "primary": True}]
    assert made[ENTERPRISE] == {"organization": "beijing", "department": "customer-service"}
    assert made["groups"] == [{"value": "beijing.customer-service", "display": "客户服务部"}]
    assert "nickName" not in made
    User[EnterpriseUser].model_validate(made)

    [told] = await provisioned.emitted(PersonDescribed, subject="person/person:s.yue")
    assert (told.data.department, told.data.roles, told.data.active) == ("customer-service", ("clerk",), True)
    assert told.data.contact is not None
    assert provisioned.service.seal.open(told.data.contact)["name"] == "孙悦"
    [row] = await provisioned.fetch("SELECT managed_by, external_id, email FROM person WHERE person = 's.yue'")
    assert row["managed_by"] == "scim"
    assert not any(b"s.yue" in row[each] for each in ("external_id", "email"))

    again = await push("POST", "/Users", user("S.Yue"))
    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    elsewhere = await push("POST", "/Users", user("cd.clerk"))
    assert (elsewhere.status_code, elsewhere.json()["scimType"]) == (409, "uniqueness")


@pytest.mark.req("I-09")
async def test_a_person_is_patched_the_ways_providers_do(provisioned: Running, push: Push) -> None:
    assert (await push("POST", "/Users", user("p.one"))).status_code == 201
    for operations, changed in (
        ([{"op": "Replace", "path": "active", "value": "False"}], {"active": False}),
        (
            [{"op": "replace", "value": {"active": True, "displayName": "孙跃"}}],
            {"active": True, "displayName": "孙跃"},
        ),
        ([{"op": "Add", "path": f"{ENTERPRISE}:department", "value": "payroll"}], {}),
        ([{"op": "replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"}], {}),
        ([{"op": "add", "path": "roles", "value": [{"value": "manager"}]}], {}),
        ([{"op": "remove", "path": "phoneNumbers"}], {}),
        ([{"op": "replace", "path": "name.formatted", "value": "孙小跃"}], {"displayName": "孙小跃"}),
    ):
        answer = await push("PATCH", "/Users/p.one", patch(*operations))
        assert answer.status_code == 200, (operations, answer.text)
        assert changed.items() <= answer.json().items(), (operations, answer.text)
    now = (await push("GET", "/Users/p.one")).json()
    assert now[ENTERPRISE]["department"] == "payroll"
    assert now["emails"][0]["value"] == "new@example.com"
    assert [each["value"] for each in now["roles"]] == ["clerk", "manager"]
    assert "phoneNumbers" not in now
    told = await provisioned.emitted(PersonDescribed, subject="person/person:p.one", count=8)
    assert [each.data.active for each in told[:3]] == [True, False, True]
    # What changes nothing is not told.
    assert (await push("PATCH", "/Users/p.one", patch({"op": "replace", "path": "active", "value": True}))).is_success
    await provisioned.settled()
    assert len(await provisioned.emitted(PersonDescribed, subject="person/person:p.one")) == 8


async def test_a_replaced_person_keeps_what_the_provider_does_not_say(push: Push) -> None:
    assert (await push("POST", "/Users", user("r.one"))).status_code == 201
    body = {"schemas": [USER], "userName": "r.one", "displayName": "钱进", "active": False}
    answer = await push("PUT", "/Users/r.one", body)
    assert answer.status_code == 200, answer.text
    replaced = answer.json()
    assert (replaced["displayName"], replaced["active"], "emails" in replaced) == ("钱进", False, False)
    assert replaced[ENTERPRISE] == {"organization": "beijing", "department": "customer-service"}
    assert [each["value"] for each in replaced["roles"]] == ["clerk"]
    renamed = await push("PUT", "/Users/r.one", body | {"userName": "r.two"})
    assert (renamed.status_code, renamed.json()["scimType"]) == (400, "mutability")


@pytest.mark.req("I-09")
async def test_a_deleted_person_is_gone_for_the_provider_and_inactive_for_everyone_else(
    provisioned: Running, push: Push
) -> None:
    assert (await push("POST", "/Users", user("d.one"))).status_code == 201
    assert (await push("DELETE", "/Users/d.one")).status_code == 204
    for method, body in (("GET", None), ("DELETE", None), ("PUT", user("d.one")), ("PATCH", patch())):
        answer = await push(method, "/Users/d.one", body)
        assert answer.status_code in ({404, 400} if method == "PATCH" else {404})
    found = await push("GET", "/Users", filter='userName eq "d.one"')
    assert found.json()["totalResults"] == 0
    shown = await provisioned.http.get("/api/persons/d.one", headers=provisioned.token("bj.clerk"))
    assert shown.json()["active"] is False
    back = await push("POST", "/Users", user("d.one"))
    assert (back.status_code, back.json()["active"]) == (201, True)


async def test_lists_are_filtered_and_paged(push: Push) -> None:
    for name in ("l.one", "l.two", "l.three"):
        assert (await push("POST", "/Users", user(name))).status_code == 201
    for sent, names in (
        ('userName eq "l.one"', ["l.one"]),
        ('userName eq "L.ONE"', ["l.one"]),
        ('userName eq "cd.clerk"', []),
        ('externalId eq "aad-l.two"', ["l.two"]),
        ('userName sw "l." and active eq true', ["l.one", "l.three", "l.two"]),
        ('emails[value eq "l.three@example.com"]', ["l.three"]),
        ('userName eq "nobody"', []),
    ):
        answer = await push("GET", "/Users", filter=sent)
        assert answer.status_code == 200, (sent, answer.text)
        listed = ListResponse[User[EnterpriseUser]].model_validate(answer.json())
        assert [each.user_name for each in listed.resources or []] == names, sent
        assert listed.total_results == len(names)
    whole = (await push("GET", "/Users")).json()
    part = (await push("GET", "/Users", startIndex="2", count="3", attributes="userName")).json()
    assert (part["totalResults"], part["startIndex"], part["itemsPerPage"]) == (whole["totalResults"], 2, 3)
    assert [each["userName"] for each in part["Resources"]] == [each["userName"] for each in whole["Resources"][1:4]]
    assert "emails" not in part["Resources"][0]
    none = (await push("GET", "/Users", count="0")).json()
    assert (none["totalResults"], none.get("Resources", [])) == (whole["totalResults"], [])


@pytest.mark.req("I-09")
async def test_a_pushed_group_is_a_department_and_its_members_work_there(provisioned: Running, push: Push) -> None:
    for name in ("g.one", "g.two"):
        assert (await push("POST", "/Users", user(name))).status_code == 201
    body: Body = {
        "schemas": [GROUP, UNIT],
        "displayName": "档案管理部",
        "externalId": "aad-archive",
        "members": [{"value": "g.one"}],
        UNIT: {"branch": "beijing", "code": "archive"},
    }
    answer = await push("POST", "/Groups", body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["id"], made[UNIT]) == ("beijing.archive", {"branch": "beijing", "code": "archive"})
    assert [each["value"] for each in made["members"]] == ["g.one"]
    Group.model_validate({key: value for key, value in made.items() if key != UNIT} | {"schemas": [GROUP]})
    [told] = await provisioned.emitted(DepartmentDescribed, subject="department/department:beijing:archive")
    assert (told.data.name, told.data.active) == ("档案管理部", True)
    twice = await push("POST", "/Groups", body)
    assert (twice.status_code, twice.json()["scimType"]) == (409, "uniqueness")

    for operations, members in (
        ([{"op": "Add", "path": "members", "value": [{"value": "g.two"}]}], ["g.one", "g.two"]),
        ([{"op": "Remove", "path": 'members[value eq "g.one"]'}], ["g.two"]),
        ([{"op": "Replace", "path": "displayName", "value": "档案部"}], ["g.two"]),
        ([{"op": "Replace", "path": "members", "value": [{"value": "g.one"}]}], ["g.one"]),
    ):
        answer = await push("PATCH", "/Groups/beijing.archive", patch(*operations))
        assert answer.status_code == 200, (operations, answer.text)
        assert [each["value"] for each in answer.json()["members"]] == members, operations
    assert (await push("GET", "/Users/g.one")).json()[ENTERPRISE]["department"] == "archive"
    assert "department" not in (await push("GET", "/Users/g.two")).json()[ENTERPRISE]
    unknown = await push(
        "PATCH", "/Groups/beijing.archive", patch({"op": "Add", "path": "members", "value": [{"value": "cd.clerk"}]})
    )
    assert (unknown.status_code, unknown.json()["scimType"]) == (400, "invalidValue")

    found = await push("GET", "/Groups", filter='displayName eq "档案部"', excludedAttributes="members")
    assert [(each["id"], "members" in each) for each in found.json()["Resources"]] == [("beijing.archive", False)]
    assert (await push("DELETE", "/Groups/beijing.archive")).status_code == 204
    assert (await push("GET", "/Groups/beijing.archive")).status_code == 404
    assert "department" not in (await push("GET", "/Users/g.one")).json()[ENTERPRISE]
    told = await provisioned.emitted(DepartmentDescribed, subject="department/department:beijing:archive", count=3)
    assert [(each.data.name, each.data.active) for each in told] == [
        ("档案管理部", True),
        ("档案部", True),
        ("档案部", False),
    ]


async def test_what_a_department_answers_is_left_to_people(provisioned: Running, push: Push) -> None:
    answer = await push(
        "PATCH", "/Groups/beijing.payroll", patch({"op": "replace", "path": "displayName", "value": "薪酬部"})
    )
    assert answer.status_code == 200, answer.text
    units = await provisioned.http.get(
        "/api/departments", params={"topic": "wages"}, headers=provisioned.token("bj.clerk")
    )
    [unit] = units.json()["items"]
    assert (unit["name"], unit["managed_by"]) == ("薪酬部", "scim")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "scim_type"),
    [
        ("POST", "/Users", {"schemas": [USER]}, 400, "invalidValue"),
        ("POST", "/Groups", {"schemas": [GROUP]}, 400, "invalidValue"),
        ("POST", "/Groups", {"schemas": [GROUP], "displayName": "没有代码"}, 400, "invalidValue"),
        ("POST", "/Users", user("two words"), 400, "invalidValue"),
        ("POST", "/Users", user("w.one", active="perhaps"), 400, "invalidValue"),
        ("POST", "/Users", user("w.one", emails=[{"value": "no address"}]), 400, "invalidValue"),
        ("POST", "/Users", user("w.one", roles=[{"value": "group_admin"}]), 400, "invalidValue"),
        ("POST", "/Users", user("w.one", **{ENTERPRISE: {"department": "nowhere"}}), 400, "invalidValue"),
        ("POST", "/Users", user("w.one", **{ENTERPRISE: {"organization": "chengdu"}}), 403, None),
        ("POST", "/Users", [], 400, "invalidSyntax"),
        ("PATCH", "/Users/bj.clerk", patch({"op": "move", "path": "active"}), 400, None),
        ("PATCH", "/Users/bj.clerk", patch({"op": "replace", "path": "userName", "value": "other"}), 400, "mutability"),
        ("PATCH", "/Users/bj.clerk", patch({"op": "replace", "path": "id", "value": "other"}), 400, "mutability"),
        ("PATCH", "/Users/bj.clerk", patch({"op": "replace", "path": "((", "value": "x"}), 400, "invalidPath"),
        ("PATCH", "/Users/nobody", patch({"op": "replace", "path": "active", "value": True}), 404, None),
        ("GET", "/Users/cd.clerk", None, 404, None),
        ("GET", "/Users/%20", None, 404, None),
        ("GET", "/Groups/chengdu.recruitment", None, 404, None),
        ("GET", "/Users?filter=userName%20equals", None, 400, "invalidFilter"),
        ("GET", "/Users?count=many", None, 400, "invalidValue"),
        ("GET", "/Schemas/urn:nothing", None, 404, None),
        ("GET", "/Me", None, 404, None),
        ("POST", "/Bulk", {}, 404, None),
        ("POST", "/Schemas", {}, 405, None),
        ("DELETE", "/Users", None, 405, None),
    ],
)
async def test_what_is_wrong_is_told_as_scim_wants_it_and_repeats_nothing(
    push: Push, method: str, path: str, body: Any, status: int, scim_type: str | None
) -> None:
    answer = await push(method, path, body)
    assert answer.status_code == status, answer.text
    if scim_type is not None:
        assert answer.json()["scimType"] == scim_type, answer.text
    assert answer.json()["detail"]
    for word in ("no address", "perhaps", "two words", "equals", "孙悦"):
        assert word not in answer.text


@pytest.mark.req("X-06")
async def test_only_an_identity_provider_pushes_and_only_to_its_branches(push: Push) -> None:
    for roles in (("clerk",), ("general_manager",), ("group_admin",), ("system",)):
        for method, path, body in (("GET", "/Users", None), ("POST", "/Users", user("x")), ("GET", "/Groups", None)):
            assert (await push(method, path, body, roles=roles)).status_code == 403, (roles, path)
    chengdu = (await push("GET", "/Users", branches=("chengdu",))).json()["Resources"]
    assert {each[ENTERPRISE]["organization"] for each in chengdu} == {"chengdu"}
    groups = (await push("GET", "/Groups", branches=("chengdu",))).json()["Resources"]
    assert {each[UNIT]["branch"] for each in groups} == {"chengdu"}


async def test_a_request_without_a_token_is_told_so(provisioned: Running) -> None:
    answer = await provisioned.http.get("/scim/v2/Users")
    assert (answer.status_code, answer.json()["schemas"]) == (401, [ERROR])
    broken = await provisioned.http.post(
        "/scim/v2/Users", content=b"{", headers=provisioned.token("idp", ["beijing"], ["scim"])
    )
    assert (broken.status_code, broken.json()["scimType"]) == (400, "invalidSyntax")


async def test_the_service_describes_itself(push: Push) -> None:
    config = (await push("GET", "/ServiceProviderConfig")).json()
    assert (config["patch"], config["bulk"]["supported"]) == ({"supported": True}, False)
    types = (await push("GET", "/ResourceTypes")).json()
    assert {each["name"]: each["endpoint"] for each in types["Resources"]} == {"User": "/Users", "Group": "/Groups"}
    assert (await push("GET", "/ResourceTypes/User")).json()["schema"] == USER
    schemas = (await push("GET", "/Schemas")).json()
    assert {each["id"] for each in schemas["Resources"]} == {USER, ENTERPRISE, GROUP, UNIT}
    named = (await push("GET", f"/Schemas/{USER}")).json()
    assert {each["name"] for each in named["attributes"]} >= {"userName", "emails", "roles"}
    PatchOp[User[EnterpriseUser]].model_validate(patch({"op": "replace", "path": "active", "value": False}))
