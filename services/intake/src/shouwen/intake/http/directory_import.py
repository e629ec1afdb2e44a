"""Persons and departments from a table, as a personnel system exports it."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError

from shouwen.contracts.event import BranchCode
from shouwen.intake.domain import directory_table, table
from shouwen.intake.domain.directory import Department, Person
from shouwen.intake.domain.directory_table import FORMS, Kind
from shouwen.intake.domain.table import Row
from shouwen.intake.handlers.directory_import import OnlyChecked, TableWrong, import_entries
from shouwen.intake.http.directory import DEPARTMENT_FORM, PERSON_FORM, DepartmentSent, PersonSent
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import FieldProblem
from shouwen.runtime.http import field_problem
from shouwen.runtime.unit_of_work import UnitOfWork

PATH = "/api/directory/import"
TABLE_BYTES = 5_000_000
"""The longest table, in bytes."""
_CSV = "text/csv"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class PersonRow(PersonSent):
    """A row of a table of persons."""

    person: str = Field(pattern=PERSON_FORM)


class DepartmentRow(DepartmentSent):
    """A row of a table of departments."""

    branch: BranchCode
    department: str = Field(pattern=DEPARTMENT_FORM)


class ImportAnswer(BaseModel):
    """What became of a table."""

    rows: int = Field(description="Rows of the table, without empty ones")
    checked_only: bool
    added: int
    changed: int
    unchanged: int


KindAsked = Annotated[Kind, Query(description="What the rows are")]


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """A table of persons or departments, and its template."""
    text, binary = {"type": "string"}, {"type": "string", "format": "binary"}
    body: dict[str, Any] = {"required": True, "content": {_CSV: {"schema": text}, _XLSX: {"schema": binary}}}

    @router.post(
        "/directory/import",
        tags=["directory"],
        responses={413: {"description": "The file is over the limit"}},
        openapi_extra={"requestBody": body},
    )
    async def import_directory(
        request: Request,
        caller: Caller,
        kind: KindAsked,
        check: Annotated[bool, Query(description="Only say what is wrong, and what would change")] = False,
    ) -> ImportAnswer:
        """Describe up to 10,000 persons or departments from CSV (UTF-8 or GB18030) or .xlsx: all, or none.

        Every mistake is named with its row and column. Who is not in the table stays as they are; who left has `否`
        under `在职`. Roles `group_admin`, and `general_manager` of the branches.
        """
        rows = await asyncio.to_thread(table.read, await request.body(), FORMS[kind])
        entries = _persons(rows) if kind == "persons" else _departments(rows)
        try:
            async with work.as_person(caller) as tx:
                written = await import_entries(tx, entries, only_check=check, protection=protection)
        except OnlyChecked as checked:
            written = checked.written
        return ImportAnswer(
            rows=len(rows),
            checked_only=check,
            added=written.added,
            changed=written.changed,
            unchanged=written.unchanged,
        )

    @router.get(
        "/directory/import/template.csv", tags=["directory"], response_class=Response, responses={200: _TEMPLATE}
    )
    async def show_import_template(
        caller: Caller,
        kind: KindAsked,
        language: Annotated[str, Query(pattern="^(zh|en)$", description="Of the headers: zh or en")] = "zh",
    ) -> Response:
        """The headers of a table, for a spreadsheet."""
        del caller  # anybody who is signed in
        return Response(
            "\ufeff" + table.template(chinese=language == "zh", form=FORMS[kind]),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{kind}.csv"'},
        )


_TEMPLATE = {"content": {_CSV: {"schema": {"type": "string"}}}, "description": "One line of headers"}


def _persons(rows: list[Row]) -> list[tuple[Row, Person]]:
    return [(row, Person(**sent.model_dump(exclude={"managed_by"}))) for row, sent in _sent(rows, PersonRow)]


def _departments(rows: list[Row]) -> list[tuple[Row, Department]]:
    return [(row, Department(**sent.model_dump(exclude={"managed_by"}))) for row, sent in _sent(rows, DepartmentRow)]


def _sent(rows: list[Row], model: type[PersonRow] | type[DepartmentRow]) -> list[tuple[Row, PersonRow | DepartmentRow]]:
    """Each row as it would be sent by itself.

    Raises:
        TableWrong: names every wrong cell.
    """
    found: list[tuple[Row, PersonRow | DepartmentRow]] = []
    problems: list[FieldProblem] = []
    for row in rows:
        given, wrong = directory_table.fields_of(row)
        problems += wrong
        try:
            found.append((row, model.model_validate(given)))
        except ValidationError as error:
            named = {each.field for each in wrong}
            for each in error.errors(include_url=False, include_input=False):
                problem = field_problem(dict(each))
                column, _, inside = problem.field.partition(".")
                place = row.place(column)
                if place not in named:
                    said = f"{problem.problem} (part {int(inside.split('.')[0]) + 1})" if inside else problem.problem
                    problems.append(FieldProblem(place, said, problem.remedy))
    if problems:
        raise TableWrong(problems)
    return found
