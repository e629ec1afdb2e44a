"""A register of many cases, made by COPY: texts as staff writes them, encrypted and found by words as the service does.

What the service would do for a case at its registration is done here by its own functions, so that it reads them back.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from shouwen.intake.domain.registration import Particulars
from shouwen.intake.store.protection import Protected, Protection

BRANCHES: Mapping[str, tuple[str, float]] = {"beijing": ("BJ", 0.6), "chengdu": ("CD", 0.3), "shenzhen": ("SZ", 0.1)}
YEARS = 3
OWNERS = 200
DEPARTMENTS = 12
TABLES = ("cases", "case_text", "case_deadline")
CHUNK = 20_000

_TYPES = ("inquiry", "complaint", "suggestion", "report", "service_request")
_MATTERS: Sequence[tuple[str, str]] = (
    (
        "{month}月工资未按约定日期到账",
        "派遣员工反映{month}月工资至今未到账，用工单位{company}称已于{day}日拨付，请核实发放进度。",
    ),
    ("社会保险转移接续需要哪些材料", "来电咨询由{city}转入后社保转移接续的材料、地点和时限，已在{company}工作{n}年。"),
    ("公积金缴存基数与工资不符", "反映{company}自{month}月起按最低基数缴存住房公积金，要求补缴并书面答复。"),
    ("工伤认定材料退回", "员工在{company}车间受伤，{day}日提交的工伤认定申请被退回，询问补正材料清单。"),
    ("档案转递迟延", "来信反映{month}月{day}日申请转出的人事档案一个月仍未寄出，影响{city}落户。"),
    ("窗口人员答复前后不一", "{day}日两次到窗口办理{company}的劳务派遣备案，两位工作人员答复不一致，要求说明依据。"),
    ("建议增加网上预约时段", "建议在每月{day}日前后增加退休审核的网上预约，减少{city}员工排队。"),
    ("举报用工单位克扣加班费", "举报{company}{month}月以调休为名不付加班费，涉及{n}名派遣员工，附考勤记录。"),
    ("生育津贴未发放", "{company}员工{month}月休产假，生育津贴申领后{n}周没有结果。"),
    ("离职证明开具不及时", "员工{month}月{day}日离职，{company}以交接为由未开离职证明，影响失业登记。"),
)
_CITIES = ("北京", "成都", "深圳", "上海", "广州", "重庆", "武汉", "西安", "杭州", "南京")
_NAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_GIVEN = "伟芳娜敏静强磊军洋勇艳杰娟涛明超霞平刚桂英建国秀兰志新海燕"
_COMPANY_HEAD = "恒信达远华盛中锐嘉诚博通瑞丰泰和天宇鼎新光明"
_COMPANY_KIND = ("劳务派遣", "物业管理", "餐饮服务", "科技", "建筑工程", "物流", "医药", "教育咨询")


@dataclass(frozen=True, slots=True)
class Known:
    """Some of what lies in the register, to ask for."""

    phones: Sequence[str]
    identifiers: Sequence[str]
    companies: Sequence[str]
    numbers: Sequence[str]
    begins: datetime
    ends: datetime


async def fill(dsn: str, protection: Protection, *, cases: int, seed: int = 1) -> Known:
    """Put so many cases into an empty register as its owner; indexes are made after the rows, then ANALYZE."""
    connection = await asyncpg.connect(dsn, command_timeout=3600)
    try:
        indexes: list[asyncpg.Record] = await connection.fetch(
            "SELECT indexname, indexdef FROM pg_indexes JOIN pg_class ON relname = indexname "
            "JOIN pg_index ON indexrelid = pg_class.oid WHERE tablename = ANY ($1) AND NOT indisunique",
            TABLES,
        )
        for index in indexes:
            await connection.execute(f'DROP INDEX "{index["indexname"]}"')
        known = await _copy(connection, protection, cases, random.Random(seed))
        await connection.execute("SET maintenance_work_mem = '512MB'")
        for index in indexes:
            await connection.execute(index["indexdef"])
        for table in TABLES:
            await connection.execute(f"VACUUM ANALYZE {table}")
        return known
    finally:
        await connection.close()


async def _copy(
    connection: "asyncpg.Connection[asyncpg.Record]", protection: Protection, cases: int, chance: random.Random
) -> Known:
    ends = datetime.now(UTC)
    begins = ends - timedelta(days=365 * YEARS)
    phones: list[str] = []
    identifiers: list[str] = []
    companies: list[str] = []
    numbers: list[str] = []
    rows: list[dict[str, Any]] = []
    for row, particulars in _cases(protection, cases, chance, begins, ends):
        rows.append(row)
        if len(numbers) < 2000 and chance.random() < 4000 / cases:
            numbers.append(row["number"])
            phones.append(particulars.requester_phone or "")
            identifiers.append(particulars.client_identifier or "")
            companies.append(particulars.client_name or "")
        if len(rows) == CHUNK:
            await _put(connection, rows)
            rows = []
    await _put(connection, rows)
    return Known(phones, identifiers, companies, numbers, begins, ends)


async def _put(connection: "asyncpg.Connection[asyncpg.Record]", rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    texts = [(row["id"], row["branch"], list(row.pop("grams"))) for row in rows]
    deadlines = [
        (
            uuid4(),
            row["id"],
            row["branch"],
            row["received_at"] + timedelta(days=1),
            row["ended_at"] is None,
            row["received_at"],
        )
        for row in rows
    ]
    columns = list(rows[0])
    await connection.copy_records_to_table("cases", records=[tuple(row.values()) for row in rows], columns=columns)
    await connection.copy_records_to_table("case_text", records=texts, columns=["case_id", "branch", "grams"])
    await connection.copy_records_to_table(
        "case_deadline", records=deadlines, columns=["clock_id", "case_id", "branch", "due_at", "open", "told_at"]
    )


def _cases(
    protection: Protection, cases: int, chance: random.Random, begins: datetime, ends: datetime
) -> Iterator[tuple[dict[str, Any], Particulars]]:
    companies = [_company(chance) for _ in range(max(cases // 200, 20))]
    codes, weights = list(BRANCHES), [weight for _, weight in BRANCHES.values()]
    positions: dict[tuple[str, int], int] = {}
    step = (ends - begins) / cases
    for i in range(cases):
        registered_at = begins + step * i
        received_at = registered_at - timedelta(minutes=chance.choice((0, 0, 0, 5, 60, 1500)))
        [branch] = chance.choices(codes, weights)
        place = (branch, registered_at.year)
        positions[place] = positions.get(place, 0) + 1
        is_open = chance.random() < (0.3 if i > cases * 0.95 else 0.003)
        particulars = _particulars(chance, companies)
        kept = Protected.of(particulars, protection)
        owner = f"clerk{chance.randrange(OWNERS)}"
        yield (
            {
                "id": _id(registered_at, chance),
                "number": f"{BRANCHES[branch][0]}-{registered_at.year}-{positions[place]:06}",
                "branch": branch,
                "type": chance.choices(_TYPES, (50, 25, 10, 5, 10))[0],
                "channel": "phone",
                "relation": "dispatched_employee",
                "state": chance.choice(("received", "assigned", "in_progress")) if is_open else "closed",
                "received_at": received_at,
                "registered_at": registered_at,
                "registrar": owner,
                "owner": owner,
                "department": f"department{chance.randrange(DEPARTMENTS)}",
                "ended_at": None if is_open else registered_at + timedelta(hours=20),
                "traceparent": f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01",
                **{name: getattr(kept, name) for name in Protected.__dataclass_fields__ if name != "erased"},
            },
            particulars,
        )


def _particulars(chance: random.Random, companies: Sequence[tuple[str, str]]) -> Particulars:
    subject, description = chance.choice(_MATTERS)
    company, identifier = chance.choice(companies)
    words = {
        "month": chance.randint(1, 12),
        "day": chance.randint(1, 28),
        "n": chance.randint(1, 30),
        "city": chance.choice(_CITIES),
        "company": company,
    }
    return Particulars(
        subject=subject.format(**words),
        description=description.format(**words),
        requester_name=chance.choice(_NAMES) + "".join(chance.choices(_GIVEN, k=2)),
        requester_phone=f"13{chance.randrange(10**9):09}",
        client_name=company,
        client_identifier=identifier,
    )


def _company(chance: random.Random) -> tuple[str, str]:
    name = "".join(chance.choices(_COMPANY_HEAD, k=3))
    kind = chance.choice(_COMPANY_KIND)
    return f"{chance.choice(_CITIES)}{name}{kind}有限公司", f"9111{chance.randrange(10**12):012}XK"


def _id(at: datetime, chance: random.Random) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | chance.getrandbits(60))
