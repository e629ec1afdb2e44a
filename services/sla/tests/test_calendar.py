"""Working time against an oracle that walks every second, and the hard days of the Chinese calendar by hand."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shouwen.runtime.errors import Invalid
from shouwen.sla.domain.calendar import WEEKDAYS, Interval, NoWorkingTime, Schedule, Timetable, Weekday, office_hours
from shouwen.sla.domain.holidays_cn import AnnouncedYear, PublicDay, PublicHolidays
from shouwen.sla.domain.instant import HOUR, MINUTE, SECOND, micros, moment

OFFICE = Timetable(office_hours())


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text + "+08:00"))


def local(instant: int, timetable: Timetable = OFFICE) -> str:
    return moment(instant).astimezone(timetable.zone).strftime("%Y-%m-%d %H:%M:%S")


def is_working(timetable: Timetable, instant: int) -> bool:
    """The oracle: what the wall clock shows at an instant, held against the plan of that day."""
    wall = moment(instant).astimezone(timetable.zone)
    minutes = wall.hour * 60 + wall.minute
    plan = timetable.schedule.day(wall.date(), timetable.public)
    return any(interval.opens <= minutes < interval.closes for interval in plan.intervals)


@st.composite
def day_hours(draw: st.DrawFn) -> tuple[Interval, ...]:
    marks = sorted(draw(st.lists(st.integers(0, 24), max_size=6, unique=True)))
    marks = marks[: len(marks) // 2 * 2]
    return tuple(Interval(marks[i] * 60, marks[i + 1] * 60) for i in range(0, len(marks), 2))


@st.composite
def timetables(draw: st.DrawFn) -> Timetable:
    week: dict[Weekday, tuple[Interval, ...]] = {day: draw(day_hours()) for day in WEEKDAYS}
    if not any(week.values()):
        week["wed"] = (Interval(600, 720),)
    zone = draw(st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "UTC"]))
    exceptions = draw(st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 12, 31)), day_hours(), max_size=4))
    return Timetable(Schedule(ZoneInfo(zone), week, draw(st.sampled_from(["cn", "none"])), exceptions))


instants = st.integers(at("2026-01-01T00:00") // SECOND, at("2027-01-10T00:00") // SECOND).map(lambda s: s * SECOND)
"""Whole seconds: the oracle walks in minutes from there, and every interval begins and ends at a whole minute."""


@pytest.mark.req("S-15")
@settings(max_examples=80, deadline=None)
@given(timetables(), instants, st.integers(0, 2 * 24 * 60))
def test_the_compiled_calendar_counts_what_a_walk_over_every_minute_counts(
    timetable: Timetable, starts: int, minutes: int
) -> None:
    starts -= starts % MINUTE
    walked = sum(MINUTE for i in range(minutes) if is_working(timetable, starts + i * MINUTE))
    assert timetable.counted(starts, starts + minutes * MINUTE) == walked


@pytest.mark.req("S-15")
@settings(max_examples=60, deadline=None)
@given(timetables(), instants, st.integers(0, 3 * 3600))
def test_the_compiled_calendar_counts_what_a_walk_over_every_second_counts(
    timetable: Timetable, starts: int, seconds: int
) -> None:
    walked = sum(SECOND for i in range(seconds) if is_working(timetable, starts + i * SECOND))
    assert timetable.counted(starts, starts + seconds * SECOND) == walked


@settings(max_examples=80, deadline=None)
@given(timetables(), instants, st.integers(1, 200 * HOUR))
def test_an_amount_is_reached_at_the_first_instant_by_which_it_was_counted(
    timetable: Timetable, starts: int, amount: int
) -> None:
    reached = timetable.reached(starts, amount)
    assert timetable.counted(starts, reached) == amount
    assert timetable.counted(starts, reached - 1) == amount - 1


@settings(max_examples=80, deadline=None)
@given(timetables(), instants, st.integers(1, 10 * 24 * HOUR))
def test_slices_are_adjacent_and_count_what_the_calendar_counts(timetable: Timetable, starts: int, length: int) -> None:
    slices = list(timetable.slices(starts, starts + length))
    assert [slices[0].starts, *(each.ends for each in slices)] == [*(each.starts for each in slices), starts + length]
    assert sum(each.ends - each.starts for each in slices if each.counts) == timetable.counted(starts, starts + length)


@pytest.mark.req("S-15")
@pytest.mark.parametrize(
    ("starts", "hours", "due"),
    [
        ("2026-11-20T17:00", 1, "2026-11-20 18:00:00"),  # to the close, not to Monday's opening
        ("2026-11-20T17:00", 2, "2026-11-23 10:00:00"),  # over a weekend
        ("2026-11-20T12:30", 1, "2026-11-20 14:00:00"),  # from within the lunch break
        ("2026-02-13T17:00", 2, "2026-02-14 10:00:00"),  # Saturday 14 February is worked for the Spring Festival
        ("2026-02-14T17:00", 2, "2026-02-24 10:00:00"),  # 15 to 23 February off
        ("2026-09-30T17:00", 10, "2026-10-09 10:00:00"),  # 1 to 7 October off, 8 October worked
    ],
)
def test_working_hours_follow_lunch_weekends_holidays_and_makeup_days(starts: str, hours: int, due: str) -> None:
    assert local(OFFICE.reached(at(starts), hours * HOUR)) == due


@pytest.mark.req("S-15")
def test_a_year_that_is_not_announced_is_provisional_until_its_announcement_is_loaded() -> None:
    starts, ends = at("2026-12-31T10:00"), at("2027-01-05T10:00")
    assert not OFFICE.is_provisional(starts, at("2026-12-31T18:00"))
    assert OFFICE.is_provisional(starts, ends)
    announced = AnnouncedYear(
        2027, {date(2027, 1, 1): PublicDay("holiday", "元旦"), date(2027, 1, 4): PublicDay("holiday", "元旦")}
    )
    revised = Timetable(office_hours(), PublicHolidays((announced,)))
    assert not revised.is_provisional(starts, ends)
    assert revised.counted(at("2027-01-04T00:00"), at("2027-01-05T00:00")) == 0
    assert OFFICE.counted(at("2027-01-04T00:00"), at("2027-01-05T00:00")) == 8 * HOUR


def test_a_day_may_end_at_midnight_and_loses_no_minute() -> None:
    evening = Schedule(
        ZoneInfo("Asia/Shanghai"),
        {"fri": (Interval.parse("20:00-24:00"),), "sat": (Interval.parse("00:00-02:00"),)},
        "none",
    )
    timetable = Timetable(evening)
    assert timetable.counted(at("2026-11-20T23:59"), at("2026-11-21T00:01")) == 2 * MINUTE
    assert local(timetable.reached(at("2026-11-20T20:00"), 6 * HOUR)) == "2026-11-21 02:00:00"


def test_an_hour_that_the_wall_clock_shows_twice_counts_twice_and_one_it_skips_not_at_all() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    night = Timetable(Schedule(berlin, {"sun": (Interval(120, 180),)}, "none"))
    for day, hours in ((date(2026, 3, 29), 0), (date(2026, 10, 25), 2), (date(2026, 11, 1), 1)):
        midnight = micros(datetime(day.year, day.month, day.day, tzinfo=berlin))
        assert night.counted(midnight, midnight + 26 * HOUR) == hours * HOUR


def test_a_local_exception_stands_above_the_public_calendar() -> None:
    week: dict[Weekday, tuple[Interval, ...]] = dict.fromkeys(WEEKDAYS[:5], (Interval.parse("09:00-17:00"),))
    schedule = Schedule(
        ZoneInfo("Asia/Shanghai"),
        week,
        exceptions={
            date(2026, 12, 24): (Interval.parse("09:00-12:00"),),
            date(2026, 10, 1): (Interval.parse("09:00-10:00"),),
        },
    )
    timetable = Timetable(schedule)
    assert timetable.counted(at("2026-12-24T00:00"), at("2026-12-25T00:00")) == 3 * HOUR
    assert timetable.counted(at("2026-10-01T00:00"), at("2026-10-02T00:00")) == HOUR


def test_a_schedule_without_working_time_is_refused() -> None:
    with pytest.raises(NoWorkingTime, match="week"):
        Schedule(ZoneInfo("UTC"), dict.fromkeys(WEEKDAYS, ()))


def test_a_search_without_end_is_given_up() -> None:
    closed = {date(2026, 1, 1) + timedelta(days=day): () for day in range(80_000)}
    never = Timetable(Schedule(ZoneInfo("UTC"), {"mon": (Interval(540, 600),)}, "none", closed))
    with pytest.raises(NoWorkingTime):
        never.reached(at("2026-06-01T00:00"), HOUR)
    with pytest.raises(NoWorkingTime):
        never.working_days(date(2026, 6, 1), 3)


@pytest.mark.parametrize("text", ["9-12", "09:00-09:00", "18:00-09:00", "09:00-25:00", "09:60-10:00", "", "09:00"])
def test_hours_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="interval"):
        Interval.parse(text)


def test_hours_that_overlap_are_refused() -> None:
    with pytest.raises(Invalid, match="mon"):
        Schedule(ZoneInfo("UTC"), {"mon": (Interval(540, 720), Interval(700, 800))})
