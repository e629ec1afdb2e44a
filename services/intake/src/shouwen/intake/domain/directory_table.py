"""Tables of persons and departments: their columns, and how people write roles, duties and yes or no in a cell."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from shouwen.intake.domain.table import Form, Row
from shouwen.runtime.errors import FieldProblem

Kind = Literal["persons", "departments"]

MOST_ROWS = 10_000

FORMS: Mapping[Kind, Form] = {
    "persons": Form(
        {
            "person": ("工号", "账号", "人员编号"),
            "name": ("姓名",),
            "branch": ("分公司",),
            "department": ("部门", "部门代码"),
            "roles": ("角色", "岗位"),
            "email": ("邮箱", "电子邮箱"),
            "phone": ("办公电话", "电话", "联系电话"),
            "active": ("在职", "启用"),
        },
        ("person", "name", "branch", "roles"),
        "/api/directory/import/template.csv?kind=persons",
        MOST_ROWS,
    ),
    "departments": Form(
        {
            "department": ("部门代码", "部门编号"),
            "name": ("部门名称", "部门"),
            "branch": ("分公司",),
            "duties": ("职责", "职责与时限"),
            "active": ("启用",),
        },
        ("department", "name", "branch"),
        "/api/directory/import/template.csv?kind=departments",
        MOST_ROWS,
    ),
}
"""Each kind of table with its columns and the Chinese headers that mean them."""

_ROLES: Mapping[str, str] = {
    "文员": "clerk",
    "客服": "clerk",
    "客服专员": "clerk",
    "经理": "manager",
    "主管": "manager",
    "部门负责人": "department_head",
    "协调员": "coordinator",
    "总经理": "general_manager",
}
_YES = frozenset({"true", "yes", "y", "1", "是", "在职", "启用"})
_NO = frozenset({"false", "no", "n", "0", "否", "离职", "停用"})
_BETWEEN = re.compile(r"[;；、,，|\s]+")
_DUTY = re.compile(r"^(?P<topic>[^:：]+)(?:[:：](?P<hours>\d{1,4})(?:h|小时)?)?$")


def fields_of(row: Row) -> tuple[dict[str, Any], list[FieldProblem]]:
    """A row in the form of an entry, and what is wrong with its cells as they stand."""
    given: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for cell in row.cells:
        content = cell.content
        if isinstance(content, float) and content.is_integer():
            content = int(content)
        try:
            given[cell.column] = _value(cell.column, str(content).strip())
        except ValueError as error:
            problem, _, remedy = str(error).partition("|")
            problems.append(FieldProblem(f"row {row.number}, {cell.header}", problem, remedy))
    return given, problems


def _value(column: str, text: str) -> object:
    match column:
        case "roles":
            return [_ROLES.get(each, each) for each in _parts(text)]
        case "active":
            return _yes_or_no(text)
        case "duties":
            return [_duty(each) for each in _parts(text)]
        case _:
            return text


def _parts(text: str) -> list[str]:
    return [each for each in _BETWEEN.split(text) if each]


def _yes_or_no(text: str) -> bool:
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise ValueError("is neither yes nor no|Write 是 or 否, or leave it empty for yes.")


def _duty(text: str) -> dict[str, object]:
    found = _DUTY.match(text)
    if found is None:
        raise ValueError("is no list of duties|Write topic:hours, as work-injury:24;labour-contract:48.")
    hours = found["hours"]
    return {"topic": found["topic"], "limit_hours": int(hours) if hours else None}
