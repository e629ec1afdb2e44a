"""Letters on paper, keyed in elsewhere: one table, checked as a whole, registered as a whole."""

import asyncio
import json
from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field, ValidationError

from shouwen.contracts.event import BranchCode
from shouwen.intake.domain import table
from shouwen.intake.domain.registration import Registration
from shouwen.intake.domain.table import Row
from shouwen.intake.handlers import bulk
from shouwen.intake.handlers.attachments import sha256_of
from shouwen.intake.handlers.bulk import Entered, OnlyChecked, RowsWrong
from shouwen.intake.http.cases import CaseSent
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import FieldProblem, Invalid
from shouwen.runtime.http import field_problem
from shouwen.runtime.unit_of_work import UnitOfWork

PATH = "/api/cases/bulk"
TABLE_BYTES = 5_000_000
"""The longest table, in bytes."""
_CSV = "text/csv"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_KEY_LENGTH = 190
"""Each row takes the key with its own number behind."""


class RowEntered(BaseModel):
    """A row of the file and the case it has become."""

    row: int
    id: UUID
    number: str
    trace_id: str | None

    @classmethod
    def of(cls, entered: Entered) -> "RowEntered":
        """The row for an answer."""
        case = entered.case
        return cls(row=entered.row, id=case.id, number=case.number, trace_id=telemetry.trace_id_of(case.traceparent))


class TableAnswer(BaseModel):
    """What became of a table."""

    rows: int = Field(description="Rows of the table, without empty ones")
    checked_only: bool
    registered: list[RowEntered]


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """A table of letters, and its template."""
    text, binary = {"type": "string"}, {"type": "string", "format": "binary"}
    body: dict[str, Any] = {
        "required": True,
        "content": {_CSV: {"schema": text}, _XLSX: {"schema": binary}},
    }

    @router.post(
        "/cases/bulk",
        status_code=201,
        tags=["cases"],
        responses={
            200: {"model": TableAnswer, "description": "Only checked, or the same table came before under this key"},
            413: {"description": "The file is over the limit"},
        },
        openapi_extra={"requestBody": body},
    )
    async def register_table(
        request: Request,
        caller: Caller,
        response: Response,
        check: Annotated[bool, Query(description="Only say what is wrong; register nothing")] = False,
        branch: Annotated[BranchCode | None, Query(description="Of the rows that name none")] = None,
        key: Annotated[
            str | None,
            Header(
                alias="Idempotency-Key",
                min_length=1,
                max_length=_KEY_LENGTH,
                pattern=r"^[!-~]+$",
                description="Your own key of this file; needed unless check=true",
            ),
        ] = None,
    ) -> TableAnswer:
        """Register up to 1,000 paper letters from CSV (UTF-8 or GB18030) or .xlsx: all, or none with every mistake.

        The channel is `letter` unless a column says otherwise. Times without an offset are of the branch's zone; a day
        alone counts from its beginning.
        """
        if key is None and not check:
            raise Invalid("is missing", field="Idempotency-Key", remedy="Send a key of your own for this file.")
        content = await request.body()
        rows = await asyncio.to_thread(table.read, content)
        async with work.as_person(caller) as tx:
            registrations = _registrations(rows, branch=branch, zones=dict(await bulk.zones(tx)))
        try:
            async with work.as_person(caller) as tx:
                entered = await bulk.register_rows(
                    tx,
                    registrations,
                    key=key if key and not check else f"check-{uuid4()}",
                    request_hash=protection.fingerprint(f"table {branch} {sha256_of(content)}"),
                    only_check=check,
                    protection=protection,
                )
        except OnlyChecked:
            response.status_code = 200
            return TableAnswer(rows=len(rows), checked_only=True, registered=[])
        response.status_code = 201 if any(each.is_new for each in entered) else 200
        return TableAnswer(rows=len(rows), checked_only=False, registered=[RowEntered.of(each) for each in entered])

    @router.get("/cases/bulk/template.csv", tags=["cases"], response_class=Response, responses={200: _TEMPLATE})
    async def show_template(
        caller: Caller,
        language: Annotated[str, Query(pattern="^(zh|en)$", description="Of the headers: zh or en")] = "zh",
    ) -> Response:
        """The headers of a table of letters, for a spreadsheet."""
        del caller  # anybody who is signed in
        return Response(
            "\ufeff" + table.template(chinese=language == "zh"),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="letters.csv"'},
        )


_TEMPLATE = {"content": {_CSV: {"schema": {"type": "string"}}}, "description": "One line of headers"}


def _registrations(rows: list[Row], *, branch: str | None, zones: dict[str, str]) -> list[tuple[Row, Registration]]:
    """Each row as a registration.

    Raises:
        RowsWrong: names every wrong cell.
    """
    found: list[tuple[Row, Registration]] = []
    problems: list[FieldProblem] = []
    for row in rows:
        given, wrong = table.fields_of(row, branch=branch, zones=zones)
        problems += wrong
        try:
            sent = CaseSent.model_validate_json(json.dumps(given))
        except ValidationError as error:
            named = {each.field for each in wrong}
            for each in error.errors(include_url=False, include_input=False):
                problem = field_problem(dict(each))
                place = row.place(problem.field)
                if place not in named:
                    problems.append(FieldProblem(place, problem.problem, problem.remedy))
        else:
            found.append((row, sent.registration()))
    if problems:
        raise RowsWrong(problems)
    return found
