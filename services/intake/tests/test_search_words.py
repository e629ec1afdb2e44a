"""What is searched for and what it is found by, without any database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shouwen.contracts.clock import (
    ClockBreached,
    ClockCancelled,
    ClockFact,
    ClockMet,
    ClockPaused,
    ClockRecalculated,
    ClockResumed,
    ClockStarted,
)
from shouwen.contracts.event import CloudEvent, Event
from shouwen.intake.domain.deadline import Deadline, deadlines_of
from shouwen.intake.domain.search import holds, pairs_of, terms_of
from shouwen.intake.store.protection import plain_phone
from shouwen.runtime.errors import Invalid

BEGUN = datetime(2026, 3, 2, 9, tzinfo=UTC)
CLOCK, CASE = uuid4(), uuid4()


def test_words_are_compared_without_case_and_width() -> None:
    assert terms_of(" ＯＡ系统　工资 ") == ("oa系统", "工资")
    assert holds(("oa系统", "工资"), "工资未到账", "在OA系统里查不到")
    assert not holds(("工资", "社保"), "工资未到账", "在OA系统里查不到")


def test_a_word_must_stand_as_it_is_not_only_its_pairs() -> None:
    text = "工资卡丢失，资料未退"
    assert pairs_of("工资料") <= pairs_of(text)
    assert not holds(("工资料",), text)


def test_pairs_do_not_reach_over_white_space() -> None:
    assert pairs_of("工资 到账\n后") == {"工资", "到账"}
    assert pairs_of("工") == set()


@pytest.mark.parametrize("text", ["工", "工资 到", " ".join(f"词{i}" for i in range(11))])
def test_a_search_that_the_pairs_cannot_answer_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        terms_of(text)
    assert refused.value.problems[0].field == "text"
    assert refused.value.problems[0].remedy


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("138 1001 0001", "13810010001"),
        ("+86 138-1001-0001", "13810010001"),
        ("0086 13810010001", "13810010001"),
        ("(010) 6512-3456", "01065123456"),
        ("+86 10 6512 3456", "01065123456"),
        ("+86 (0)10 6512 3456", "01065123456"),
        ("010-65123456转8012", "01065123456x8012"),
        ("010-65123456 X8012", "01065123456x8012"),
        ("+852 2345 6789", "+85223456789"),
    ],
)
def test_a_phone_number_is_the_same_however_it_is_written(written: str, plain: str) -> None:
    assert plain_phone(written) == plain


def told(fact: type[ClockFact], at: timedelta, **values: object) -> CloudEvent[Event]:
    data = fact.model_validate(
        {
            "branch": "beijing",
            "clock_id": CLOCK,
            "timed_subject": f"case/{CASE}",
            "pack": "group-baseline",
            "policy": "complaint",
            "target": "resolution",
            "clause": "001 §20",
            **values,
        }
    )
    return CloudEvent.of(data, source="/shouwen/sla", time=BEGUN + at)


def hours(count: float) -> timedelta:
    return timedelta(hours=count)


STARTED = told(ClockStarted, hours(0), started_at=BEGUN, due_at=BEGUN + hours(24))
PAUSED = told(ClockPaused, hours(1), paused_at=BEGUN + hours(1), reason="awaiting_requester")
RESUMED = told(ClockResumed, hours(3), resumed_at=BEGUN + hours(3), due_at=BEGUN + hours(26))
MOVED = told(
    ClockRecalculated,
    hours(4),
    recalculated_at=BEGUN + hours(4),
    previous_due_at=BEGUN + hours(26),
    due_at=BEGUN + hours(30),
)
BREACHED = told(ClockBreached, hours(30), due_at=BEGUN + hours(30), late_seconds=0)
MET = told(ClockMet, hours(31), completed_at=BEGUN + hours(31), due_at=BEGUN + hours(30), breached=True)
CANCELLED = told(ClockCancelled, hours(2), cancelled_at=BEGUN + hours(2), reason="withdrawn")


@pytest.mark.parametrize(
    ("heard", "due_in_hours", "is_open"),
    [
        ([STARTED], 24, True),
        ([STARTED, PAUSED], 24, False),
        ([STARTED, PAUSED, RESUMED], 26, True),
        ([STARTED, PAUSED, RESUMED, MOVED], 30, True),
        ([STARTED, PAUSED, RESUMED, MOVED, BREACHED], 30, True),
        ([STARTED, PAUSED, RESUMED, MOVED, BREACHED, MET], 30, False),
        ([STARTED, CANCELLED], 24, False),
        ([MOVED, STARTED], 30, True),
    ],
)
def test_the_last_word_of_a_clock_says_when_the_case_is_due(
    heard: list[CloudEvent[Event]], due_in_hours: int, is_open: bool
) -> None:
    [deadline] = deadlines_of(heard)
    assert (deadline.due_at, deadline.is_open) == (BEGUN + hours(due_in_hours), is_open)
    assert (deadline.case_id, deadline.clock_id, deadline.branch) == (UUID(str(CASE)), CLOCK, "beijing")


def test_a_warning_alone_and_a_foreign_subject_say_nothing_of_a_case() -> None:
    foreign = told(ClockStarted, hours(0), started_at=BEGUN, due_at=BEGUN, timed_subject="injury/1")
    none: list[Deadline] = []
    assert deadlines_of([BREACHED, foreign]) == none
