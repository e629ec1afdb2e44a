"""Stricter-only: a branch may promise more than the group, never less, in whatever way less may be promised."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from shouwen.sla import gateways
from shouwen.sla.domain.allowance import Unit, allow
from shouwen.sla.domain.calendar import Interval, Schedule, Timetable, office_hours
from shouwen.sla.domain.instant import HOUR, micros
from shouwen.sla.domain.pack import (
    EscalationStep,
    Extending,
    FieldTest,
    PauseCap,
    Target,
    WarningStep,
    When,
)
from shouwen.sla.domain.strictness import is_stricter_or_equal, loosenings

OFFICE = Timetable(office_hours())
REGISTERED = When("case.registered.v1", "received_at", (("case_type", "complaint"),))
REQUIRED = Target(
    pack="group-baseline",
    version=1,
    policy="complaint",
    name="resolution",
    clause="000 §16",
    basis="suite_default",
    applies=(REGISTERED,),
    start=(REGISTERED,),
    stop=(When("case.resolved.v1", "resolved_at"),),
    pause=(When("case.paused.v1", "paused_at"),),
    resume=(When("case.resumed.v1", "resumed_at"),),
    cancel=(When("case.withdrawn.v1", "withdrawn_at"),),
    limit=10,
    unit="working_days",
    warnings=(WarningStep(50, None), WarningStep(80, None)),
    escalations=(
        EscalationStep(1, "manager", 0, "calendar_hours"),
        EscalationStep(2, "general_manager", 5, "working_days"),
    ),
    pausable=frozenset({"awaiting_requester"}),
)


def fields(candidate: Target, required: Target = REQUIRED, timetable: Timetable = OFFICE) -> set[str]:
    return {each.field.partition(" ")[0] for each in loosenings(candidate, required, timetable)}


@pytest.mark.req("S-18")
@pytest.mark.parametrize(
    ("limit", "unit", "holds"),
    [
        (10, "working_days", True),
        (9, "working_days", True),
        (11, "working_days", False),
        (72, "working_hours", True),
        (80, "working_hours", True),
        (81, "working_hours", False),
        (4800, "working_minutes", True),
        (4801, "working_minutes", False),
        (80, "calendar_hours", True),
        (9, "calendar_days", True),
        (14, "calendar_days", False),
        (336, "calendar_hours", False),
    ],
)
def test_limits_are_compared_for_every_start_whatever_their_units(limit: int, unit: Unit, holds: bool) -> None:
    candidate = replace(REQUIRED, limit=limit, unit=unit, escalations=(), warnings=(), pausable=frozenset())
    required = replace(REQUIRED, escalations=(), warnings=())
    assert is_stricter_or_equal(candidate, required, OFFICE) is holds


@pytest.mark.req("S-18")
def test_a_limit_that_is_mostly_shorter_is_refused_with_the_start_for_which_it_is_not() -> None:
    # Three working days from a Monday end with the close of business, six hours before three calendar days do.
    candidate = replace(REQUIRED, limit=3, unit="calendar_days", warnings=(), escalations=(), pausable=frozenset())
    required = replace(REQUIRED, limit=3, unit="working_days", warnings=(), escalations=())
    [found] = loosenings(candidate, required, OFFICE)
    assert found.field == "limit"
    assert found.case is not None
    ends = [allow(3, unit, found.case.starts_at, OFFICE) for unit in ("calendar_days", "working_days")]
    assert [each.used_up(each.amount, ()) for each in ends] == [found.case.candidate_at, found.case.required_at]
    assert (found.case.candidate_at or 0) > (found.case.required_at or 0)


@pytest.mark.req("S-18")
def test_the_case_shown_is_real_for_each_pair_of_units_and_none_is_missed() -> None:
    """Against every hour of a year, asked one by one."""
    limits: list[tuple[int, Unit]] = [
        (24, "calendar_hours"),
        (1, "working_days"),
        (8, "working_hours"),
        (500, "working_minutes"),
        (1, "calendar_days"),
        (2, "calendar_days"),
    ]
    bare = replace(REQUIRED, warnings=(), escalations=(), pausable=frozenset())
    hours = [micros(datetime(2026, 1, 1, tzinfo=UTC)) - 8 * HOUR + number * HOUR for number in range(365 * 24)]
    ends = {
        pair: [a.measure.reached(a.counts_from, a.amount) for a in (allow(*pair, at, OFFICE) for at in hours)]
        for pair in limits
    }
    for one, other in product(limits, limits):
        candidate = replace(bare, limit=one[0], unit=one[1])
        required = replace(bare, limit=other[0], unit=other[1])
        found = loosenings(candidate, required, OFFICE)
        is_later_at_an_hour = any(a > b for a, b in zip(ends[one], ends[other], strict=True))
        assert bool(found) or not is_later_at_an_hour, (one, other)
        for each in found:
            assert each.case is not None
            assert (each.case.candidate_at or 0) > (each.case.required_at or 0), (one, other)


@pytest.mark.req("S-18")
@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"warnings": ()}, "warn_at"),
        ({"warnings": (WarningStep(80, None),)}, "warn_at"),
        ({"warnings": (WarningStep(60, None), WarningStep(80, None))}, "warn_at"),
        ({"escalations": ()}, "escalate"),
        ({"escalations": (EscalationStep(1, "manager", 1, "calendar_hours"), REQUIRED.escalations[1])}, "escalate"),
        (
            {"escalations": (REQUIRED.escalations[0], EscalationStep(2, "general_manager", 9, "calendar_days"))},
            "escalate",
        ),
        ({"pausable": frozenset({"awaiting_requester", "awaiting_authority"})}, "pausable"),
        ({"stop": (*REQUIRED.stop, When("case.replied.v1", "replied_at"))}, "stop"),
        ({"cancel": (*REQUIRED.cancel, When("case.replied.v1", "replied_at"))}, "cancel"),
        ({"pause": (*REQUIRED.pause, When("case.replied.v1", "replied_at"))}, "pause"),
        ({"resume": ()}, "resume"),
        ({"start": (replace(REGISTERED, at="registered_at"),)}, "start"),
        ({"start": (replace(REGISTERED, tests=(*REGISTERED.tests, ("channel", "phone"))),)}, "start"),
        ({"applies": (replace(REGISTERED, tests=(*REGISTERED.tests, ("channel", "phone"))),)}, "start"),
        ({"early_stop": True}, "early_stop"),
        ({"limit": 0, "due_field": "promised_at"}, "due"),
        ({"extension": Extending("manager", 1)}, "extension"),
    ],
)
def test_a_promise_may_not_be_weakened_in_any_other_way(changes: dict[str, object], field: str) -> None:
    weaker: Target = replace(REQUIRED, **changes)  # pyright: ignore[reportArgumentType]
    assert field in fields(weaker)
    assert not is_stricter_or_equal(weaker, REQUIRED, OFFICE)


@pytest.mark.req("S-18")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"title": "another", "clause": "own 1", "basis": "clause", "pack": "own", "version": 7},
        {"warnings": (WarningStep(30, None), *REQUIRED.warnings)},
        {"warnings": (WarningStep(40, None), WarningStep(None, 3))},
        {"escalations": (*REQUIRED.escalations, EscalationStep(3, "group_admin", 9, "working_days"))},
        {"escalations": (REQUIRED.escalations[0], EscalationStep(2, "general_manager", 4, "working_days"))},
        {"pausable": frozenset[str]()},
        {"caps": (PauseCap("awaiting_requester", 5, "calendar_days"),)},
        {"cancel": ()},
        {"pause": ()},
        {"start": (When("case.registered.v1", "received_at"),)},
        {"start": (When("case.registered.v1", "received_at", (("case_type", ["complaint", "report"]),)),)},
        {
            "applies": (
                When(
                    "case.registered.v1", "received_at", (("case_type", FieldTest.model_validate({"not": "inquiry"})),)
                ),
            )
        },
        {"statutory": True, "pausable": frozenset[str]()},
    ],
)
def test_more_may_be_promised(changes: dict[str, object]) -> None:
    stricter: Target = replace(REQUIRED, **changes)  # pyright: ignore[reportArgumentType]
    assert loosenings(stricter, REQUIRED, OFFICE) == []


@pytest.mark.req("S-18")
def test_pauses_are_taken_into_account_when_the_units_differ() -> None:
    # Without a pause 80 working hours end long before 60 days have passed; but whoever pauses all working time never
    # uses them up.
    required = replace(REQUIRED, limit=60 * 24, unit="calendar_hours", warnings=(), escalations=())
    candidate = replace(required, limit=80, unit="working_hours")
    [found] = loosenings(candidate, required, OFFICE)
    assert (found.field, found.case is not None and bool(found.case.pauses)) == ("unit", True)
    assert found.case is not None and found.case.required_at is not None
    assert found.case.candidate_at is None or found.case.candidate_at > found.case.required_at
    assert is_stricter_or_equal(replace(candidate, pausable=frozenset[str]()), required, OFFICE)
    # The other way round: nights burn elapsed time alone, so it is enough that there are no more hours than required.
    working = replace(REQUIRED, limit=24, unit="working_hours", warnings=(), escalations=())
    assert is_stricter_or_equal(replace(working, limit=24, unit="calendar_hours"), working, OFFICE)
    longer = loosenings(replace(working, limit=25, unit="calendar_hours"), working, OFFICE)
    assert [each.field for each in longer] == ["unit"]
    assert longer[0].case is not None
    assert (longer[0].case.candidate_at or 0) > (longer[0].case.required_at or 0)


@pytest.mark.req("S-18")
def test_the_schedule_decides_between_units() -> None:
    night = Schedule(OFFICE.zone, {"sat": (Interval(0, 60),)}, holidays="none", name="an hour a week")
    required = replace(REQUIRED, limit=14, unit="calendar_days", warnings=(), escalations=(), pausable=frozenset())
    candidate = replace(required, limit=8, unit="working_hours")
    assert is_stricter_or_equal(candidate, required, office_hours())
    assert not is_stricter_or_equal(candidate, required, night)


@pytest.mark.req("S-18", "S-02")
def test_the_shipped_packs_keep_the_limits_of_the_baseline() -> None:
    packs = {pack.name: pack for pack in gateways.shipped_packs()}
    baseline = {target.key: target for target in packs["group-baseline"].targets}
    refined = [
        (target, baseline[target.key])
        for name, pack in packs.items()
        for target in pack.targets
        if name != "group-baseline" and target.key in baseline
    ]
    assert refined
    for target, required in refined:
        assert "limit" not in fields(target, required), (target.pack, target.key)
