"""Every limit of the regulations, against instants worked out by hand from the clause and the calendar of the year.

Days of the calendar that the rows meet (State Council's announcement for 2026; 2027 is not announced, so provisional):
New Year 1 to 3 January 2026, Sunday 4 worked · Spring Festival 15 to 23 February, Saturdays 14 and 28 worked · Labour
Day 1 to 5 May, Saturday 9 worked · Mid-Autumn 25 to 27 September · National Day 1 to 7 October, Sunday 20 September and
Saturday 10 October worked · 1 January 2027 is a Friday.

Office hours are 09:00–12:00 and 13:00–18:00. A period of days does not count the day of its start (Civil Code art. 201)
and ends with the close of business of its last working day, or at 24:00 of its last calendar day (art. 203).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from shouwen.sla import gateways
from shouwen.sla.domain.calendar import Timetable, office_hours
from shouwen.sla.domain.clock import Clock
from shouwen.sla.domain.evaluation import Composition
from shouwen.sla.domain.explanation import explain
from shouwen.sla.domain.fact import Fact
from shouwen.sla.domain.instant import moment
from shouwen.sla.domain.offline import explain_target
from shouwen.sla.domain.pack import Target

TIMETABLE = Timetable(office_hours())
PACKS = {pack.name: pack for pack in gateways.shipped_packs()}

Key = tuple[str, str, str]
"""Pack, policy, target."""


@dataclass(frozen=True)
class Row:
    """A start, and the deadline that a person finds with the clause and a calendar in hand; both in Beijing time."""

    starts: str
    due: str
    why: str
    provisional: bool = False
    agreed: str | None = None
    day: int | None = None
    """For wages: the agreed day of the month."""


ORDINARY_24_HOURS = Row("2026-11-18T10:30", "2026-11-19T10:30", "Wednesday to Thursday, the same hour")
DURING_A_WEEKEND = Row("2026-11-20T17:59:59", "2026-11-21T17:59:59", "hours of the clock run on over Saturday")
BEFORE_SPRING_FESTIVAL = Row("2026-02-14T17:30", "2026-02-15T17:30", "and over the first day of the Spring Festival")
BEFORE_NATIONAL_DAY = Row("2026-09-30T18:00", "2026-10-01T18:00", "and over National Day")
OVER_NEW_YEAR = Row("2026-12-31T15:00", "2027-01-01T15:00", "elapsed hours depend on no holiday: not provisional")

TWENTY_FOUR_HOURS = (
    ORDINARY_24_HOURS,
    DURING_A_WEEKEND,
    BEFORE_SPRING_FESTIVAL,
    BEFORE_NATIONAL_DAY,
    OVER_NEW_YEAR,
)
TWELVE_HOURS = (
    Row("2026-11-18T08:15", "2026-11-18T20:15", "Wednesday morning to evening"),
    Row("2026-11-20T20:00", "2026-11-21T08:00", "a night before a Saturday"),
    Row("2026-02-14T18:00", "2026-02-15T06:00", "the eve of the Spring Festival's holidays"),
    Row("2026-09-30T23:30", "2026-10-01T11:30", "the eve of National Day"),
    Row("2026-12-31T13:00", "2027-01-01T01:00", "into 2027"),
)
THIRTY_DAYS = (
    Row("2026-11-02T09:00", "2026-12-03T00:00", "2 November is not counted; the 30th day is 2 December, to its 24:00"),
    Row("2026-11-02T00:00", "2026-12-03T00:00", "the hour of the start makes no difference"),
    Row("2026-11-02T23:59:59", "2026-12-03T00:00", "nor does its last second"),
    Row("2026-01-30T10:00", "2026-03-02T00:00", "January gives 1 day, February 28, 1 March is the 30th"),
    Row(
        "2026-09-05T10:00", "2026-10-06T00:00", "the 30th day, 5 October, is a holiday; a duty by law does not roll on"
    ),
    Row(
        "2026-02-13T10:00", "2026-03-16T00:00", "over the Spring Festival: February gives 15 days, 15 March is the 30th"
    ),
    Row(
        "2026-12-10T10:00",
        "2027-01-10T00:00",
        "December gives 21 days, 9 January 2027 is the 30th; days of the calendar",
    ),
)
THIRTY_WORKING_MINUTES = (
    Row("2026-11-18T10:00", "2026-11-18T10:30", "30 minutes of a Wednesday morning"),
    Row("2026-11-18T11:30", "2026-11-18T12:00", "to the lunch break, not to the end of it"),
    Row("2026-11-18T11:45", "2026-11-18T13:15", "15 minutes before lunch and 15 after"),
    Row("2026-11-18T12:20", "2026-11-18T13:30", "begun in the lunch break: counted from 13:00"),
    Row("2026-11-20T17:45", "2026-11-23T09:15", "15 minutes on Friday, 15 on Monday"),
    Row("2026-02-13T17:50", "2026-02-14T09:20", "Saturday 14 February is worked"),
    Row("2026-02-14T17:45", "2026-02-24T09:15", "and then nothing is open until the 24th"),
    Row("2026-12-31T17:40", "2027-01-04T09:10", "1 January off, then a weekend", provisional=True),
)
TWO_WORKING_DAYS = (
    Row("2026-11-18T09:00", "2026-11-20T18:00", "Thursday (1), Friday (2)"),
    Row("2026-11-20T23:30", "2026-11-24T18:00", "Monday (1), Tuesday (2)"),
    Row("2026-02-13T10:00", "2026-02-24T18:00", "Saturday 14 February worked (1), Tuesday 24 (2)"),
    Row("2026-09-30T10:00", "2026-10-09T18:00", "8 October (1), 9 (2)"),
    Row("2026-10-08T10:00", "2026-10-10T18:00", "Friday 9 (1), Saturday 10 October worked (2)"),
    Row("2026-12-30T10:00", "2027-01-04T18:00", "31 December (1), 1 January off, Monday 4 (2)", provisional=True),
)
THREE_WORKING_DAYS = (
    Row("2026-11-18T09:00", "2026-11-23T18:00", "Thursday (1), Friday (2), Monday (3)"),
    Row("2026-02-13T10:00", "2026-02-25T18:00", "Saturday 14 February worked (1), 24 (2), 25 (3)"),
    Row("2026-12-30T10:00", "2027-01-05T18:00", "31 December (1), 4 January (2), 5 (3)", provisional=True),
)
TEN_WORKING_DAYS = (
    Row("2026-11-18T09:00", "2026-12-02T18:00", "19, 20, 23 to 27, 30 November (8), 1, 2 December (10)"),
    Row("2026-09-30T09:00", "2026-10-20T18:00", "8, 9, Saturday 10 worked (3), 12 to 16 (8), 19, 20 October (10)"),
    Row(
        "2026-12-21T09:00",
        "2027-01-05T18:00",
        "22 to 25 (4), 28 to 31 December (8), 4, 5 January (10)",
        provisional=True,
    ),
)
FIFTEEN_WORKING_DAYS = (
    Row("2026-11-18T09:00", "2026-12-09T18:00", "ten end on 2 December; 3, 4, 7, 8, 9 (15)"),
    Row("2026-09-30T09:00", "2026-10-27T18:00", "ten end on 20 October; 21, 22, 23, 26, 27 (15)"),
    Row("2026-12-21T09:00", "2027-01-12T18:00", "ten end on 5 January; 6, 7, 8, 11, 12 (15)", provisional=True),
)
STARTS: Mapping[Key, tuple[str, Sequence[Row]]] = {
    # --- 000, the group's baseline: it names no figure, so these are the suite's
    ("group-baseline", "complaint", "resolution"): ("suite default (000 §16)", TEN_WORKING_DAYS),
    ("group-baseline", "report", "resolution"): ("suite default (000 §16)", FIFTEEN_WORKING_DAYS),
    ("group-baseline", "inquiry", "reply"): ("suite default (000 §14)", THREE_WORKING_DAYS),
    ("group-baseline", "suggestion", "reply"): ("suite default (000 §19)", TEN_WORKING_DAYS),
    ("group-baseline", "service_request", "first_response"): ("suite default (000 §13)", TWO_WORKING_DAYS),
    # --- 001, a talent-exchange centre
    ("talent-centre", "complaint", "resolution"): ("001 §20", TWENTY_FOUR_HOURS),
    ("talent-centre", "acceptance", "acceptance"): ("001 §15", THIRTY_WORKING_MINUTES),
    # --- 002, a licensed HR company
    ("hr-licence", "inquiry", "reply"): ("002 七(四)1", TWENTY_FOUR_HOURS),
    ("hr-licence", "inquiry", "department_reply"): ("002 七(四)1", TWENTY_FOUR_HOURS),
    ("hr-licence", "complaint", "promise"): (
        "002 七(三)2",
        (
            Row("2026-11-18T09:00", "2026-11-18T16:00", "at the time that was agreed", agreed="2026-11-18T16:00"),
            Row("2026-02-13T09:00", "2026-02-16T10:00", "also on a holiday", agreed="2026-02-16T10:00"),
            Row(
                "2026-12-30T09:00",
                "2027-01-02T12:00",
                "a promise is a date: not provisional",
                agreed="2027-01-02T12:00",
            ),
        ),
    ),
    ("hr-licence", "suggestion", "decision"): (
        "002 七(四)2",
        (
            Row("2026-11-18T09:00", "2026-11-25T18:00", "at the time that was promised", agreed="2026-11-25T18:00"),
            Row("2026-09-30T09:00", "2026-10-04T18:00", "also on a holiday", agreed="2026-10-04T18:00"),
            Row(
                "2026-12-30T09:00",
                "2027-01-15T18:00",
                "a promise is a date: not provisional",
                agreed="2027-01-15T18:00",
            ),
        ),
    ),
    ("hr-licence", "suggestion", "digest"): (
        "002 七(四)2",
        (
            Row("2026-11-18T09:00", "2026-11-26T00:00", "each week: the seventh day is Wednesday 25, to its 24:00"),
            Row("2026-02-13T09:00", "2026-02-21T00:00", "20 February, a holiday; days of the calendar do not roll on"),
            Row("2026-12-28T09:00", "2027-01-05T00:00", "4 January 2027; days of the calendar: not provisional"),
        ),
    ),
    ("hr-licence", "vetting", "judicial_referral"): ("suite default (002 六5)", THREE_WORKING_DAYS),
    # --- 003, an insurer's head office
    ("insurer-head-office", "inquiry", "reply"): ("003 管理服务标准一1", TWENTY_FOUR_HOURS),
    ("insurer-head-office", "inquiry", "phone_answer"): (
        "003 §6(五)4",
        (
            Row("2026-11-18T09:00", "2026-11-19T18:00", "not Wednesday itself: the close of Thursday"),
            Row("2026-11-20T16:20", "2026-11-23T18:00", "Friday to Monday's close"),
            Row("2026-02-13T16:20", "2026-02-14T18:00", "Saturday 14 February is worked"),
            Row("2026-02-14T16:20", "2026-02-24T18:00", "the next working day is after the Spring Festival"),
            Row("2026-09-18T10:00", "2026-09-20T18:00", "Sunday 20 September is worked"),
            Row("2026-12-31T16:20", "2027-01-04T18:00", "1 January off, then a weekend", provisional=True),
        ),
    ),
    ("insurer-head-office", "inquiry", "promise"): (
        "003 §6(五)4",
        (
            Row("2026-11-18T09:00", "2026-11-18T16:00", "at the time that was promised", agreed="2026-11-18T16:00"),
            Row("2026-11-20T09:00", "2026-11-23T18:00", "one working day at the latest", agreed="2026-11-25T10:00"),
            Row("2026-02-13T09:00", "2026-02-14T18:00", "Saturday 14 February is one", agreed="2026-02-20T10:00"),
            Row(
                "2026-12-31T10:00",
                "2027-01-04T18:00",
                "the next working day may change with the announcement",
                provisional=True,
                agreed="2027-01-08T10:00",
            ),
        ),
    ),
    ("insurer-head-office", "urgent", "immediate_response"): (
        "suite default (003 管理服务标准一1)",
        THIRTY_WORKING_MINUTES,
    ),
    ("insurer-head-office", "feedback", "reply"): (
        "003 §11(一)",
        (
            Row("2026-11-20T09:00", "2026-11-27T18:00", "Monday 23 is the first day, Friday 27 the fifth"),
            Row("2026-02-13T09:00", "2026-02-27T18:00", "Saturday 14 (1), then 24, 25, 26, 27 February (5)"),
            Row("2026-09-30T09:00", "2026-10-13T18:00", "8, 9, Saturday 10 worked, 12, 13 October"),
            Row("2026-04-30T09:00", "2026-05-11T18:00", "6, 7, 8, Saturday 9 worked, 11 May"),
            Row("2026-12-29T09:00", "2027-01-06T18:00", "30, 31 December, 4, 5, 6 January", provisional=True),
        ),
    ),
    ("insurer-head-office", "claim", "first_review"): (
        "003 管理服务标准二1",
        (
            Row("2026-11-18T08:00", "2026-11-20T08:00", "Wednesday to Friday"),
            Row("2026-02-14T08:00", "2026-02-16T08:00", "into the Spring Festival"),
            Row("2026-12-30T08:00", "2027-01-01T08:00", "elapsed hours depend on no holiday: not provisional"),
        ),
    ),
    # --- 004, labour dispatch
    ("labour-dispatch", "complaint", "first_response"): ("004 三(六)", TWENTY_FOUR_HOURS),
    ("labour-dispatch", "complaint", "written_plan"): ("004 三(六)", TWO_WORKING_DAYS),
    ("labour-dispatch", "injury", "client_notice"): ("004 三(四)1", TWELVE_HOURS),
    ("labour-dispatch", "injury", "on_site"): ("004 三(四)2", TWELVE_HOURS),
    ("labour-dispatch", "injury", "written_plan"): ("004 三(四)2", TWENTY_FOUR_HOURS),
    ("labour-dispatch", "injury", "authority_notice"): ("004 三(四)3", TWENTY_FOUR_HOURS),
    ("labour-dispatch", "injury", "determination_filing"): ("004 三(四)3", THIRTY_DAYS),
    ("labour-dispatch", "dispute", "written_plan"): ("004 三(五)", TWENTY_FOUR_HOURS),
    ("labour-dispatch", "employment", "social_insurance_registration"): ("004 三(二)", THIRTY_DAYS),
    ("labour-dispatch", "employment", "contract_signing"): (
        "004 三(一)2",
        (
            Row("2026-11-18T09:00", "2026-11-19T00:00", "on the day employment starts, to its 24:00"),
            Row("2026-02-14T09:00", "2026-02-15T00:00", "also on the eve of a holiday"),
            Row("2026-12-31T09:00", "2027-01-01T00:00", "also on the last day of the year"),
        ),
    ),
    ("labour-dispatch", "payroll", "wage_payment"): (
        "004 三(三)",
        (
            Row("2026-11-03T09:00", "2026-11-16T00:00", "the 15th, to its 24:00", day=15),
            Row("2026-11-03T09:00", "2026-12-01T00:00", "the 31st of a month of 30 days is its last", day=31),
            Row("2026-02-13T09:00", "2026-02-21T00:00", "the 20th is a holiday; the agreed day stays", day=20),
            Row("2026-12-20T09:00", "2027-01-11T00:00", "10 January for a schedule from January on", day=10),
        ),
    ),
    ("labour-dispatch", "staff_change", "settlement_sheet"): ("suite default (004 二(二)1)", THREE_WORKING_DAYS),
    ("labour-dispatch", "insurance_claim", "payment"): ("suite default (004 二(二)2)", THIRTY_DAYS),
    ("labour-dispatch", "recruitment", "candidates"): ("suite default (004 二(二)6)", TEN_WORKING_DAYS),
    ("labour-dispatch", "audit_data", "provision"): ("suite default (004 二(二)7)", TWO_WORKING_DAYS),
}
OTHER_STARTS = {
    "staff_change": ("staff_change.reported.v1", "reported_at"),
    "insurance_claim": ("insurance_papers.received.v1", "received_at"),
    "recruitment": ("recruitment.requested.v1", "requested_at"),
    "audit_data": ("audit_data.requested.v1", "requested_at"),
}
CASES = [
    pytest.param(key, row, id=f"{key[0]}-{key[1]}-{key[2]}-{row.starts}-{row.day or ''}".rstrip("-"))
    for key, (_, rows) in STARTS.items()
    for row in rows
]
EXPLAINED = [case for case in CASES if "payroll" not in str(case.id)]
"""Offline an agreed deadline is given, so the agreed day of each month has nothing to be explained."""


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


def instant(text: str | None) -> str | None:
    return None if text is None else beijing(text).isoformat()


def target_of(key: Key) -> Target:
    [target] = [each for each in PACKS[key[0]].targets if each.key == key[1:]]
    return target


def facts_that_start(key: Key, row: Row) -> list[Fact]:  # noqa: PLR0911, PLR0912 (one per kind of matter)
    """What the publishers tell when the matter of this target begins."""
    at = beijing(row.starts)

    def fact(event_type: str, **data: Any) -> Fact:
        return Fact(event_type, event_type, at, {"branch": "beijing", **data})

    def registered(case_type: str) -> Fact:
        return fact(
            "case.registered.v1",
            case_type=case_type,
            channel="phone",
            severity="major",
            received_at=at.isoformat(),
            owner="bj.clerk",
            department="customer-service",
            promised_at=instant(row.agreed),
        )

    match key:
        case "hr-licence", "inquiry", "department_reply":
            # Asked an hour before: the department's own 24 hours begin when the desk passes the matter on.
            asked = Fact(
                "asked",
                "case.registered.v1",
                at,
                {
                    "branch": "beijing",
                    "case_type": "inquiry",
                    "received_at": moment(_micros(at) - 3_600_000_000).isoformat(),
                },
            )
            return [asked, fact("case.assigned.v1", assigned_at=at.isoformat(), owner="li", department="payroll")]
        case _, ("complaint" | "inquiry" | "suggestion" | "report" | "service_request") as case_type, _:
            return [registered(case_type)]
        case _, "urgent", _:
            return [registered("complaint")]
        case _, "payroll", _:
            last_day = beijing(row.due) - timedelta(days=1)
            return [fact("payroll.scheduled.v1", day_of_month=row.day, first_month=last_day.date().isoformat())]
        case _, "vetting", _:
            return [fact("client.forgery_confirmed.v1", confirmed_at=at.isoformat(), serious=True)]
        case _, ("staff_change" | "insurance_claim" | "recruitment" | "audit_data") as policy, _:
            event_type, told_at = OTHER_STARTS[policy]
            return [fact(event_type, **{told_at: at.isoformat()})]
        case "insurer-head-office", "feedback", _:
            return [registered("report")]
        case _, "claim", _:
            return [fact("claim.submitted.v1", submitted_at=at.isoformat())]
        case _, "acceptance", _:
            return [fact("acceptance.started.v1", started_at=at.isoformat())]
        case _, "dispute", _:
            return [fact("dispute.reported.v1", reported_at=at.isoformat())]
        case _, "employment", _:
            return [fact("employment.started.v1", started_on=row.starts[:10])]
        case _, "injury", ("client_notice" | "authority_notice" | "determination_filing"):
            told = moment(_micros(at) + 3_600_000_000)  # the hour between the accident and the report is no gift
            return [fact("injury.reported.v1", occurred_at=at.isoformat(), reported_at=told.isoformat())]
        case _, "injury", _:
            happened = moment(_micros(at) - 3_600_000_000)
            return [fact("injury.reported.v1", occurred_at=happened.isoformat(), reported_at=at.isoformat())]
        case _:
            raise AssertionError(f"say how {key} starts")


def _micros(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000)


def clock_of(key: Key, row: Row) -> Clock:
    composition = Composition([PACKS[key[0]]], TIMETABLE)
    now = beijing(row.due) - timedelta(seconds=1)
    found = composition.evaluate("beijing", "subject/1", facts_that_start(key, row), now)
    # A monthly target has a clock for each month; the first is the one that the row means.
    [clock] = [each for each in found if each.target.key == key[1:] and each.cycle == 1]
    return clock


@pytest.mark.req("S-03", "S-04", "S-05", "S-06", "S-07", "S-08", "S-09", "S-10", "S-11", "S-12", "S-13", "S-14", "S-15")
@pytest.mark.parametrize(("key", "row"), CASES)
def test_each_clause_is_due_at_the_instant_worked_out_by_hand(key: Key, row: Row) -> None:
    clock = clock_of(key, row)
    assert moment(clock.due_at) == beijing(row.due), row.why
    assert clock.provisional == row.provisional, row.why
    assert clock.steps[clock.breach_step].at == clock.due_at
    assert not clock.is_breached(beijing(row.starts))
    assert sum(segment.counted for segment in explain(clock, TIMETABLE)) == clock.allowance.amount


@pytest.mark.req("S-15")
@pytest.mark.parametrize(("key", "row"), EXPLAINED)
def test_the_offline_explanation_gives_the_same_instant(key: Key, row: Row) -> None:
    explained = explain_target(
        PACKS[key[0]],
        target_of(key),
        start=beijing(row.starts),
        due=None if row.agreed is None else beijing(row.agreed),
        instructions=[],
        timetable=TIMETABLE,
    )
    assert moment(explained.clock.due_at) == beijing(row.due), row.why
    assert explained.clock.provisional == row.provisional, row.why


@pytest.mark.req("S-02")
def test_every_target_that_ships_has_its_rows_and_every_row_its_target() -> None:
    shipped = {
        (pack.name, target.policy, target.name): target.clause_text
        for pack in PACKS.values()
        for target in pack.targets
    }
    assert {key: clause for key, (clause, _) in STARTS.items()} == shipped


@pytest.mark.req("S-15")
def test_every_clause_is_tried_on_an_ordinary_day_before_a_holiday_and_over_the_end_of_the_year() -> None:
    eves = ("2026-02-13", "2026-02-14", "2026-09-05", "2026-09-30")
    for key, (_, rows) in STARTS.items():
        kinds = Counter(
            "year end"
            if row.starts[:4] != row.due[:4]
            else "before a holiday"
            if row.starts[:10] in eves
            else "ordinary"
            for row in rows
        )
        assert kinds.keys() == {"ordinary", "before a holiday", "year end"}, key
