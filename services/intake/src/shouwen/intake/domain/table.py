"""A table of letters that were keyed in elsewhere: its columns, its rows, and what is wrong with a cell.

Read from CSV (UTF-8 or GB18030, with comma, semicolon or tab) or from the first sheet of an .xlsx workbook.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from shouwen.contracts.case import CaseType
from shouwen.runtime.errors import FieldProblem, Invalid

MOST_ROWS = 1_000
MOST_UNPACKED_BYTES = 60_000_000
"""The longest content of a workbook, unpacked: a few kilobytes can unpack to gigabytes."""
EXACT_DIGITS = 15
"""A spreadsheet keeps no more digits of a number; the rest of an ID number would be zeros."""

Words = Mapping[str, str]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "branch": ("分公司",),
    "type": ("事项类型", "类型"),
    "channel": ("渠道", "来源"),
    "received_at": ("收到时间", "收到日期", "收件日期"),
    "subject": ("主题", "事由"),
    "description": ("内容", "详情"),
    "severity": ("严重程度",),
    "promised_at": ("约定答复时间",),
    "requester_name": ("来信人", "姓名"),
    "requester_phone": ("联系电话", "电话"),
    "requester_email": ("电子邮箱", "邮箱"),
    "relation": ("来信人身份", "身份"),
    "client_name": ("客户名称", "客户"),
    "client_identifier": ("证件号码", "统一社会信用代码", "身份证号"),
    "owner": ("责任人",),
    "department": ("部门",),
}
"""Each column with the Chinese headers that mean it; the first stands in the template."""

REQUIRED = ("type", "subject", "description")

PATHS: Words = {
    "requester_name": "requester.name",
    "requester_phone": "requester.phone",
    "requester_email": "requester.email",
    "relation": "requester.relation",
    "client_name": "client.name",
    "client_identifier": "client.identifier",
}
"""Where a column stands in a registration, if not under its own name."""

TYPES: Mapping[str, CaseType] = {
    "咨询": "inquiry",
    "建议": "suggestion",
    "投诉": "complaint",
    "举报": "report",
    "服务请求": "service_request",
    "服务需求": "service_request",
}
"""How people call the kinds of matters."""

_WORDS: Mapping[str, Mapping[str, str]] = {
    "type": TYPES,
    "channel": {
        "电话": "phone",
        "来信": "letter",
        "信件": "letter",
        "信函": "letter",
        "来访": "visit",
        "邮件": "email",
        "电子邮件": "email",
        "网上表单": "web_form",
        "意见箱": "suggestion_box",
        "问卷": "survey",
    },
    "severity": {"一般": "ordinary", "重大": "major"},
    "relation": {
        "客户": "client_company",
        "客户单位": "client_company",
        "派遣员工": "dispatched_employee",
        "代理员工": "agency_employee",
        "潜在客户": "prospective_client",
        "分公司": "branch",
        "其他": "other",
    },
}
_TIMES = ("received_at", "promised_at")
_AS_TEXT = ("requester_phone", "client_identifier")
_DAY = re.compile(r"^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its column as it is called here and as the file calls it, and its content."""

    column: str
    header: str
    content: str | datetime | date | int | float | bool


@dataclass(frozen=True, slots=True)
class Row:
    """One row with its number in the file; empty cells are left out."""

    number: int
    cells: Sequence[Cell]
    headers: Words = field(default_factory=dict[str, str])
    """What the file calls each of its columns."""

    def header(self, path: str) -> str:
        """What the file calls the column of a field of a registration, as ``requester.phone``."""
        column = next((each for each, known in PATHS.items() if known == path), path)
        return self.headers.get(column) or COLUMNS.get(column, (path,))[0]

    def place(self, path: str) -> str:
        """A field of a registration as a place in the file."""
        return f"row {self.number}, {self.header(path)}"


@dataclass(frozen=True, slots=True)
class Form:
    """What a table holds: its columns with the Chinese headers that mean them, and which of them must be there."""

    columns: Mapping[str, tuple[str, ...]]
    required: Sequence[str]
    template: str
    """The address of its template."""
    most_rows: int = MOST_ROWS


LETTERS = Form(COLUMNS, REQUIRED, "/api/cases/bulk/template.csv")


def template(*, chinese: bool, form: Form = LETTERS) -> str:
    """The line of headers."""
    return ",".join(headers[0] if chinese else column for column, headers in form.columns.items()) + "\r\n"


def read(content: bytes, form: Form = LETTERS) -> list[Row]:
    """The rows of a table, without empty ones.

    Raises:
        Invalid: it is no table, has a column that is not known or lacks one, or has too many rows.
    """
    lines = _workbook(content) if content[:4] == b"PK\x03\x04" else _separated(content)
    headed = next(((number, cells) for number, cells in lines if any(_is_filled(each) for each in cells)), None)
    if headed is None:
        raise Invalid("The file is empty.", field="body", remedy="Begin with a line of headers; see the template.")
    columns = _columns(headed[0], headed[1], form)
    rows: list[Row] = []
    for number, cells in lines:
        row = _row(number, cells, columns)
        if row is None:
            continue
        rows.append(row)
        if len(rows) > form.most_rows:
            raise Invalid(
                f"The file has more than {form.most_rows} rows.", field="body", remedy="Send it in several parts."
            )
    if not rows:
        raise Invalid("The file has headers only.", field="body", remedy="Add a row below them.")
    return rows


def fields_of(row: Row, *, branch: str | None, zones: Mapping[str, str]) -> tuple[dict[str, Any], list[FieldProblem]]:
    """A row in the form of a registration, and what is wrong with its cells as they stand.

    Args:
        row: of the file.
        branch: the branch of rows that name none.
        zones: the time zone of each branch; times without an offset are of the row's branch.
    """
    given: dict[str, Any] = {"channel": "letter", "requester": {}} | ({"branch": branch} if branch else {})
    problems: list[FieldProblem] = []
    own = next((str(each.content).strip() for each in row.cells if each.column == "branch"), branch or "")
    zone = ZoneInfo(zones.get(own, "Asia/Shanghai"))
    for cell in row.cells:
        try:
            value = _value(cell, zone)
        except ValueError as error:
            problem, _, remedy = str(error).partition("|")
            problems.append(FieldProblem(f"row {row.number}, {cell.header}", problem, remedy))
            continue
        outer, _, inner = PATHS.get(cell.column, cell.column).partition(".")
        if inner:
            given.setdefault(outer, {})[inner] = value
        else:
            given[outer] = value
    return given, problems


def _value(cell: Cell, zone: ZoneInfo) -> str:
    content = cell.content
    if cell.column in _TIMES:
        return _instant(content, zone)
    if isinstance(content, float) and content.is_integer():
        content = int(content)
    if isinstance(content, (int, float)) and cell.column in _AS_TEXT and len(str(content)) > EXACT_DIGITS:
        raise ValueError(
            f"is a number of more than {EXACT_DIGITS} digits, of which the spreadsheet kept only the first"
            "|Format the column as text and enter it again."
        )
    text = content.isoformat() if isinstance(content, (datetime, date)) else str(content).strip()
    return _WORDS.get(cell.column, {}).get(text, text)


def _instant(content: object, zone: ZoneInfo) -> str:
    if isinstance(content, datetime):
        return content.replace(tzinfo=content.tzinfo or zone).isoformat()
    if isinstance(content, date):
        return datetime.combine(content, time(), zone).isoformat()
    text = str(content).strip()
    found = _DAY.match(text)
    try:
        if found is None:
            stated = datetime.fromisoformat(text)
            return stated.replace(tzinfo=stated.tzinfo or zone).isoformat()
        return datetime(*(int(each) for each in found.groups(default="0")), tzinfo=zone).isoformat()  # pyright: ignore[reportArgumentType]
    except (ValueError, OverflowError):
        raise ValueError("is not a time|Write 2026-11-20 09:00, or the day alone.") from None


def _columns(number: int, cells: Sequence[object], form: Form) -> list[tuple[str, str] | None]:
    """For each cell of the line of headers the column it means, and how it is called."""
    known = {column: column for column in form.columns} | {
        header: column for column, headers in form.columns.items() for header in headers
    }
    columns: list[tuple[str, str] | None] = []
    for cell in cells:
        header = str(cell).strip() if _is_filled(cell) else ""
        column = known.get(header) or known.get(header.lower())
        if header and column is None:
            raise Invalid(
                "A column is not known.",
                field=f"row {number}, column {len(columns) + 1}",
                remedy=f"Name columns as GET {form.template} does, or remove this one.",
            )
        if column is not None and any(each is not None and each[0] == column for each in columns):
            raise Invalid("A column stands twice.", field=f"row {number}, {header}", remedy="Remove one of the two.")
        columns.append(None if column is None else (column, header))
    named = {each[0] for each in columns if each is not None}
    missing = [each for each in form.required if each not in named]
    if missing:
        raise Invalid(
            f"The column {missing[0]} ({form.columns[missing[0]][0]}) is missing.",
            field=f"row {number}",
            remedy=f"Name columns as GET {form.template} does.",
        )
    return columns


def _row(number: int, cells: Sequence[object], columns: Sequence[tuple[str, str] | None]) -> Row | None:
    found: list[Cell] = []
    for index, content in enumerate(cells):
        if not _is_filled(content):
            continue
        column = columns[index] if index < len(columns) else None
        if column is None:
            raise Invalid(
                "A cell stands under no header.",
                field=f"row {number}, column {index + 1}",
                remedy="Give the column a header, or put a text that holds the separator between quotation marks.",
            )
        found.append(Cell(column[0], column[1], content if isinstance(content, _PLAIN) else str(content)))
    headers = dict(each for each in columns if each is not None)
    return Row(number, found, headers) if found else None


_PLAIN = (str, datetime, date, int, float)


def _is_filled(content: object) -> bool:
    return content is not None and str(content).strip() != ""


def _separated(content: bytes) -> Iterator[tuple[int, list[object]]]:
    text = _decoded(content)
    first = text.lstrip().partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            raise Invalid(
                "A line cannot be read.", field=f"row {number}", remedy="Close each quotation mark that is opened."
            ) from None
        yield number, list(cells)


def _decoded(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise Invalid(
        "The file is neither a CSV table in UTF-8 or GB18030 nor an .xlsx workbook.",
        field="body",
        remedy="Save it as CSV UTF-8, or as .xlsx.",
    )


def _workbook(content: bytes) -> Iterator[tuple[int, list[object]]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            unpacked = sum(each.file_size for each in package.infolist())
        if unpacked > MOST_UNPACKED_BYTES:
            raise Invalid("The workbook is too large.", field="body", remedy="Send it in several parts.")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            yield number, list(cells)
        book.close()
    except (zipfile.BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, SyntaxError, OSError):
        # openpyxl lets errors of the archive, of XML (a SyntaxError) and of its own models through.
        raise Invalid(
            "The workbook cannot be read.", field="body", remedy="Save it anew as .xlsx, or as CSV UTF-8."
        ) from None
