"""The directory from tables, as a personnel system exports them: all rows, or none with every mistake."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import Workbook

from shouwen.contracts.directory import DepartmentDescribed, PersonDescribed
from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.testing import Running, running

Fields = Callable[[httpx.Response], list[str]]

HEADERS = "工号,姓名,分公司,部门,角色,邮箱,电话,在职"


@pytest.fixture(scope="module")
async def importing(infrastructure: Infrastructure, directory_file: Path) -> AsyncIterator[Running]:
    """An intake of its own: these tests change its directory."""
    async with running(create, IntakeSettings, infrastructure, directory_file=directory_file) as one:
        yield one


@pytest.fixture
def send(importing: Running) -> Callable[..., Any]:
    """Sends a table as the general manager of Beijing."""

    async def post(table: str | bytes, *, kind: str = "persons", check: bool = False, **token: Any) -> httpx.Response:
        headers = importing.token(
            token.get("who", "bj.general"), token.get("branches", ["beijing"]), token.get("roles", ["general_manager"])
        )
        return await importing.http.post(
            "/api/directory/import",
            params={"kind": kind, "check": str(check).lower()},
            content=table.encode() if isinstance(table, str) else table,
            headers=headers | {"Content-Type": "text/csv"},
        )

    return post


def table(*rows: str) -> str:
    return "\r\n".join([HEADERS, *rows]) + "\r\n"


@pytest.mark.req("I-09")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_a_table_of_persons_enters_the_directory(importing: Running, send: Any, encoding: str) -> None:
    who = f"n.{encoding}"
    rows = table(
        f"{who}1,韩梅梅,beijing,payroll,客服专员,han@example.com,010 5550 1001,是",
        f"{who}2,李雷,beijing,payroll,clerk;manager,,,",
    )
    checked = await send(rows.encode(encoding), check=True)
    assert (checked.status_code, checked.json()) == (
        200,
        {"rows": 2, "checked_only": True, "added": 2, "changed": 0, "unchanged": 0},
    ), checked.text
    assert not await importing.fetch("SELECT 1 FROM person WHERE person = $1", f"{who}1")
    answer = await send(rows.encode(encoding))
    assert answer.json() == {"rows": 2, "checked_only": False, "added": 2, "changed": 0, "unchanged": 0}
    again = await send(table(f"{who}1,韩梅梅,beijing,payroll,文员,han@example.com,010 5550 1001,否"))
    assert again.json() == {"rows": 1, "checked_only": False, "added": 0, "changed": 1, "unchanged": 0}

    told = await importing.emitted(PersonDescribed, subject=f"person/person:{who}1", count=2)
    assert [(each.data.roles, each.data.active) for each in told] == [(("clerk",), True), (("clerk",), False)]
    [told] = await importing.emitted(PersonDescribed, subject=f"person/person:{who}2")
    assert told.data.roles == ("clerk", "manager")
    assert told.data.contact is not None
    assert importing.service.seal.open(told.data.contact) == {"name": "李雷"}
    [row] = await importing.fetch("SELECT managed_by FROM person WHERE person = $1", f"{who}2")
    assert row["managed_by"] == "api"


@pytest.mark.req("I-09")
async def test_a_workbook_of_departments_enters_the_directory(importing: Running, send: Any) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["部门代码", "部门名称", "分公司", "职责", "启用"])
    sheet.append(["legal", "法务部", "beijing", "labour-arbitration:24;contract-review", None])
    content = io.BytesIO()
    book.save(content)
    answer = await send(content.getvalue(), kind="departments")
    assert (answer.status_code, answer.json()["added"]) == (200, 1), answer.text
    [told] = await importing.emitted(DepartmentDescribed, subject="department/department:beijing:legal")
    assert [(duty.topic, duty.limit_hours) for duty in told.data.duties] == [
        ("labour-arbitration", 24),
        ("contract-review", None),
    ]


@pytest.mark.req("I-09")
async def test_every_mistake_is_named_with_row_and_column_and_nothing_is_changed(
    importing: Running, send: Any, fields: Fields
) -> None:
    answer = await send(
        table(
            "m.1,好人,beijing,payroll,clerk,,,",
            "m 2,,beijing,payroll,clerk,not an address,,maybe",
            "m.3,赵,nowhere?,payroll,clerk,,,",
        )
    )
    assert answer.status_code == 422
    assert sorted(fields(answer)) == [
        "row 3, 在职",
        "row 3, 姓名",
        "row 3, 工号",
        "row 3, 邮箱",
        "row 4, 分公司",
    ]
    # What only the directory knows comes once the cells are right.
    answer = await send(
        table(
            "m.1,好人,beijing,payroll,clerk,,,",
            "m.2,坏人,beijing,nowhere,clerk,,,",
            "cd.clerk,他人,beijing,payroll,group_admin,,,",
            "m.1,好人,beijing,payroll,clerk,,,",
        )
    )
    assert fields(answer) == ["row 5, 工号"]
    answer = await send(table("m.2,坏人,beijing,nowhere,clerk,,,", "cd.clerk,他人,beijing,payroll,group_admin,,,"))
    assert fields(answer) == ["row 2, 部门", "row 3, 角色", "row 3, 工号"]
    assert not await importing.fetch("SELECT 1 FROM person WHERE person LIKE 'm%'")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", ["body"]),
        (HEADERS.encode(), ["body"]),
        ("工号,姓名,分公司\r\na,b,beijing".encode(), ["row 1"]),
        ("工号,姓名,分公司,角色,爱好\r\n".encode(), ["row 1, column 5"]),
        (f'{HEADERS}\r\n"x'.encode(), ["row 2"]),
        (table("x,y,beijing").encode("utf-16"), ["body"]),
        (b"PK\x03\x04 no workbook", ["body"]),
    ],
)
async def test_what_is_no_table_is_refused(send: Any, fields: Fields, content: bytes, named: list[str]) -> None:
    answer = await send(content)
    assert (answer.status_code, fields(answer)) == (422, named), answer.text


async def test_a_wrong_duty_is_named(send: Any, fields: Fields) -> None:
    rows = "department,name,branch,duties\r\na,甲,beijing,:24\r\nb,乙,beijing,t:0\r\nc,丙,beijing,t;t\r\n"
    answer = await send(rows, kind="departments")
    assert (answer.status_code, fields(answer)) == (422, ["row 2, duties", "row 3, duties", "row 4, duties"])


@pytest.mark.req("X-06")
async def test_only_who_keeps_a_branch_imports_into_it(send: Any, fields: Fields) -> None:
    rows = table("o.1,甲,beijing,payroll,clerk,,,", "o.2,乙,chengdu,recruitment,clerk,,,")
    assert fields(await send(rows)) == ["roles"]
    assert fields(await send(rows, who="bj.manager", roles=["manager"])) == ["roles"]
    answer = await send(rows, who="group.admin", branches=[], roles=["group_admin"])
    assert (answer.status_code, answer.json()["added"]) == (200, 2)


async def test_a_template_is_a_table_without_rows(importing: Running, send: Any, fields: Fields) -> None:
    for kind in ("persons", "departments"):
        for language in ("zh", "en"):
            answer = await importing.http.get(
                "/api/directory/import/template.csv",
                params={"kind": kind, "language": language},
                headers=importing.token("bj.clerk"),
            )
            assert answer.status_code == 200
            assert fields(await send(answer.content, kind=kind)) == ["body"]
