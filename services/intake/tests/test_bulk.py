"""Letters on paper: a table of them is checked as a whole and registered as a whole."""

import io
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from openpyxl import Workbook

from shouwen.contracts.case import CaseRegistered
from shouwen.intake.domain import table
from shouwen.runtime.errors import Invalid
from shouwen.runtime.testing import Running

BEIJING = ZoneInfo("Asia/Shanghai")
HEADERS = ("事项类型", "收到时间", "主题", "内容", "来信人", "联系电话", "来信人身份", "严重程度")


def lines(*rows: Sequence[str], headers: Sequence[str] = HEADERS) -> str:
    """A table as CSV."""
    return "\r\n".join(",".join(row) for row in (headers, *rows)) + "\r\n"


def letter(subject: str = "加班费", received: str = "2026-01-05", **differences: str) -> list[str]:
    """A row of a complaint by letter."""
    usual = {
        "type": "投诉",
        "received": received,
        "subject": subject,
        "description": "去年十二月的加班费没有发放",
        "name": "周敏",
        "phone": "13810010009",
        "relation": "派遣员工",
        "severity": "重大",
    }
    return list((usual | differences).values())


async def send(
    intake: Running,
    content: bytes,
    *,
    key: str | None = None,
    person: str = "bj.clerk",
    branches: Sequence[str] = ("beijing",),
    **parameters: str,
) -> httpx.Response:
    """Send a table."""
    headers = intake.token(person, branches) | {"Content-Type": "text/csv"}
    if parameters.get("check") != "true":
        headers["Idempotency-Key"] = key or str(uuid4())
    return await intake.http.post(
        "/api/cases/bulk", params={"branch": "beijing"} | parameters, content=content, headers=headers
    )


@pytest.mark.req("I-01")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_letters_of_yesterday_keep_the_day_they_were_received(intake: Running, encoding: str) -> None:
    answer = await send(intake, lines(letter(), letter("社保", "2026/1/6 09:30")).encode(encoding))
    assert answer.status_code == 201
    first, second = answer.json()["registered"]
    assert (first["row"], second["row"]) == (2, 3)
    assert int(second["number"][-6:]) == int(first["number"][-6:]) + 1
    assert first["trace_id"] != second["trace_id"]
    shown = (await intake.http.get(f"/api/cases/{second['number']}", headers=intake.token("bj.clerk"))).json()
    assert datetime.fromisoformat(shown["received_at"]) == datetime(2026, 1, 6, 9, 30, tzinfo=BEIJING)
    assert datetime.fromisoformat(shown["registered_at"]) > datetime(2026, 1, 7, tzinfo=BEIJING)
    assert (shown["type"], shown["channel"], shown["severity"]) == ("complaint", "letter", "major")
    assert (shown["subject"], shown["owner"], shown["requester"]["name"]) == ("社保", "bj.clerk", "周敏")
    assert shown["requester"]["relation"] == "dispatched_employee"
    [told] = await intake.emitted(CaseRegistered, subject=f"case/{first['id']}")
    assert told.data.received_at == datetime(2026, 1, 5, tzinfo=BEIJING)


@pytest.mark.req("I-01")
async def test_a_workbook_is_read_as_a_table_is(intake: Running) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(
        ["type", "received_at", "subject", "description", "requester_phone", "client_name", "client_identifier"]
    )
    sheet.append(
        [
            "complaint",
            datetime.fromisoformat("2026-01-05T14:00"),
            "工资",
            "未到账",
            13810010009,
            "星河公司",
            "91110105MA01XYZW3T",
        ]
    )
    sheet.append([None])
    sheet.append(["inquiry", date(2026, 1, 6), "社保", "如何转移", "010-8000 1234", None, None])
    content = io.BytesIO()
    book.save(content)
    answer = await send(intake, content.getvalue())
    assert answer.status_code == 201, answer.text
    first, second = answer.json()["registered"]
    assert (first["row"], second["row"]) == (2, 4)
    shown = (await intake.http.get(f"/api/cases/{first['number']}", headers=intake.token("bj.clerk"))).json()
    assert shown["requester"]["phone"] == "13810010009"
    assert shown["client"]["identifier"] == "91110105MA01XYZW3T"
    assert datetime.fromisoformat(shown["received_at"]) == datetime(2026, 1, 5, 14, tzinfo=BEIJING)


@pytest.mark.req("I-01")
async def test_every_mistake_is_named_by_row_and_column_and_nothing_is_registered(
    intake: Running, fields: Callable[[httpx.Response], list[str]]
) -> None:
    before = await intake.fetch("SELECT count(*) AS n FROM cases")
    content = lines(
        letter(),
        letter(type="表扬"),
        letter(received="昨天"),
        letter(phone="电话不详"),
        letter(type="咨询", severity="重大"),
        letter(subject=""),
    )
    wrong = await send(intake, content.encode())
    assert wrong.status_code == 422
    assert fields(wrong) == ["row 3, 事项类型", "row 4, 收到时间", "row 5, 联系电话", "row 7, 主题"]
    assert "表扬" not in wrong.text
    stored_rules = await send(
        intake,
        lines(
            letter(type="咨询", severity="重大"),
            letter(received=(datetime.now(BEIJING) + timedelta(days=2)).date().isoformat()),
            [*letter(), "nobody"],
            headers=(*HEADERS, "责任人"),
        )
        .replace("重大\r\n", "重大,\r\n")
        .encode(),
    )
    assert stored_rules.status_code == 422
    assert fields(stored_rules) == ["row 2, 严重程度", "row 3, 收到时间", "row 4, 责任人"]
    assert await intake.fetch("SELECT count(*) AS n FROM cases") == before


async def test_a_check_finds_what_registering_would_and_takes_no_number(intake: Running) -> None:
    last = await intake.fetch("SELECT branch, year, last FROM number_counter ORDER BY 1, 2")
    right = await send(intake, lines(letter(), letter()).encode(), check="true")
    assert right.status_code == 200
    assert right.json() == {"rows": 2, "checked_only": True, "registered": []}
    wrong = await send(intake, lines(letter(type="咨询")).encode(), check="true")
    assert wrong.status_code == 422
    assert await intake.fetch("SELECT branch, year, last FROM number_counter ORDER BY 1, 2") == last


async def test_the_same_table_under_the_same_key_is_registered_once(
    intake: Running, fields: Callable[[httpx.Response], list[str]]
) -> None:
    key, content = str(uuid4()), lines(letter(), letter("社保")).encode()
    first = await send(intake, content, key=key)
    again = await send(intake, content, key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = await send(intake, content + b"\r\n", key=key)
    assert other.status_code == 422
    assert fields(other) == ["Idempotency-Key"]
    no_key = await intake.http.post("/api/cases/bulk", content=content, headers=intake.token("bj.clerk"))
    assert no_key.status_code == 422
    assert fields(no_key) == ["Idempotency-Key"]


async def test_letters_of_another_branch_are_not_entered(
    intake: Running, fields: Callable[[httpx.Response], list[str]]
) -> None:
    refused = await send(intake, lines(letter()).encode(), person="cd.clerk", branches=["chengdu"])
    assert refused.status_code in (403, 422)
    unknown = await intake.http.post(
        "/api/cases/bulk?check=true", content=lines(letter()).encode(), headers=intake.token("bj.clerk")
    )
    assert fields(unknown) == ["row 2, 分公司"]
    nobody = await send(intake, lines(letter()).encode(), person="group.auditor", branches=[])
    assert nobody.status_code in (403, 422)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"", "body"),
        (b"\xff\xfe\x00", "body"),
        (b"PK\x03\x04 no workbook", "body"),
        (lines().encode(), "body"),
        (lines(headers=("事项类型", "主题")).encode(), "row 1"),
        (lines(headers=(*HEADERS, "星座")).encode(), "row 1, column 9"),
        (lines(headers=(*HEADERS, "类型")).encode(), "row 1, 类型"),
        (lines([*letter(), "x"]).encode(), "row 2, column 9"),
        (lines(letter(subject='"offen')).encode(), "row 2"),
        (lines(*(letter() for _ in range(1001))).encode(), "body"),
    ],
)
def test_what_is_no_table_is_refused_with_its_place(content: bytes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        table.read(content)
    assert refused.value.field == field
    assert refused.value.remedy


def test_an_identifier_of_which_a_spreadsheet_lost_digits_is_refused() -> None:
    row = table.Row(2, [table.Cell("client_identifier", "证件号码", 110105199001011200.0)])
    _, [problem] = table.fields_of(row, branch="beijing", zones={})
    assert problem.field == "row 2, 证件号码"
    assert "text" in problem.remedy


async def test_the_template_holds_every_column_and_is_read_back(intake: Running) -> None:
    for language in ("zh", "en"):
        got = await intake.http.get(f"/api/cases/bulk/template.csv?language={language}", headers=intake.token())
        assert got.status_code == 200
        assert got.headers["content-disposition"].startswith("attachment;")
        filled = got.content + ("beijing," + "投诉,letter,2026-01-05,主题,内容" + "," * 10 + "\r\n").encode()
        [row] = table.read(filled)
        assert [each.column for each in row.cells] == [
            "branch",
            "type",
            "channel",
            "received_at",
            "subject",
            "description",
        ]
