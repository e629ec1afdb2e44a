"""The rules of notify: who, in which words, and what follows from an attempt."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shouwen.contracts.case import CaseRegistered
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, ClockRecalculated, EscalationRaised, Responsible
from shouwen.notify.domain.audience import failure_telling, telling
from shouwen.notify.domain.delivery import (
    Accepted,
    Deferred,
    Failed,
    Patience,
    Rejected,
    Sent,
    TryAgain,
    Uncertain,
    Unknown,
    after,
    delivery_id,
    mail_message_id,
    message_id,
)
from shouwen.notify.domain.directory import Branch, Person
from shouwen.notify.domain.wording import SAMPLE, BadTemplate, Part, TemplateSource, checked, mail_text, spoken_time
from shouwen.notify.gateways import bundled_templates

NOON = datetime(2026, 11, 20, 4, tzinfo=UTC)
BEIJING = Branch(
    "beijing",
    "Asia/Shanghai",
    (
        Person("bj.clerk", frozenset({"clerk"}), reachable=True),
        Person("bj.gone", frozenset({"clerk"}), active=False, reachable=True),
        Person("bj.manager", frozenset({"manager"}), reachable=True),
        Person("bj.former", frozenset({"manager"}), active=False),
        Person("bj.general", frozenset({"general_manager"})),
    ),
)


def clock(**other: Any) -> dict[str, Any]:
    return {
        "branch": "beijing",
        "clock_id": uuid4(),
        "timed_subject": "case/1",
        "pack": "p",
        "policy": "complaint",
        "target": "written_plan",
        "clause": "004 三(六)",
        "due_at": NOON,
        "responsible": Responsible(owner="bj.clerk"),
        **other,
    }


def recipients(fact: Any, branch: Branch = BEIJING) -> list[str]:
    return [address.recipient for address in telling(fact, branch).addresses]


@pytest.mark.req("I-09")
def test_who_stands_in_for_a_delegate_that_is_away_is_told_too_and_each_person_once() -> None:
    delegates = {"bj.clerk": ("bj.li",), "bj.li": ("bj.zhao",), "bj.zhao": ("bj.clerk",)}
    away = Branch("beijing", "Asia/Shanghai", BEIJING.persons, delegates)
    told = telling(ClockAtRisk.model_validate(clock(fired_for=NOON, late_seconds=0.0)), away).addresses
    assert [(each.recipient, each.reason) for each in told] == [
        ("bj.clerk", "owner"),
        ("bj.li", "delegate"),
        ("bj.zhao", "delegate"),
    ]


def registered(owner: str) -> CaseRegistered:
    return CaseRegistered.model_validate(
        {
            "branch": "beijing",
            "case_id": uuid4(),
            "number": "BJ-2026-000001",
            "case_type": "complaint",
            "channel": "phone",
            "received_at": NOON,
            "registered_at": NOON,
            "registrar": owner,
            "owner": owner,
        }
    )


@pytest.mark.req("N-05")
def test_a_warning_goes_to_the_owner_and_a_breach_to_the_manager_too() -> None:
    assert recipients(ClockAtRisk(**clock(fired_for=NOON))) == ["bj.clerk"]
    assert recipients(ClockBreached(**clock())) == ["bj.clerk", "bj.manager"]


@pytest.mark.req("S-15")
def test_the_owner_hears_of_a_deadline_that_moved_and_not_of_one_that_only_became_certain() -> None:
    moved = clock(recalculated_at=NOON, previous_due_at=NOON - timedelta(days=1))
    assert recipients(ClockRecalculated(**moved)) == ["bj.clerk"]
    assert recipients(ClockRecalculated(**{**moved, "previous_due_at": moved["due_at"]})) == []


def test_a_breach_that_is_told_with_another_one_gets_no_message_of_its_own() -> None:
    assert recipients(ClockBreached(**clock(told_with=uuid4()))) == []


@pytest.mark.req("N-04")
def test_an_owner_who_is_the_manager_too_is_told_of_a_breach_once() -> None:
    assert recipients(ClockBreached(**clock(responsible=Responsible(owner="bj.manager")))) == ["bj.manager"]


def test_an_escalation_goes_to_the_role_of_its_level() -> None:
    later = NOON + timedelta(hours=24)
    fact = EscalationRaised(**clock(level=2, role="general_manager", fired_for=later))
    assert recipients(fact) == ["bj.general"]


def test_a_level_that_is_raised_with_the_breach_itself_tells_the_manager_no_second_time() -> None:
    assert recipients(EscalationRaised(**clock(level=1, role="manager", fired_for=NOON))) == []
    assert recipients(EscalationRaised(**clock(level=1, role="general_manager", fired_for=NOON))) == ["bj.general"]


def test_an_owner_who_has_left_or_is_unknown_to_sla_is_stood_in_for_by_the_manager() -> None:
    assert recipients(ClockAtRisk(**clock(fired_for=NOON, responsible=Responsible(owner="bj.gone")))) == ["bj.manager"]
    assert recipients(ClockAtRisk(**clock(fired_for=NOON, responsible=Responsible()))) == ["bj.manager"]


def test_an_owner_the_directory_does_not_know_is_told_all_the_same() -> None:
    assert recipients(registered("somebody.new")) == ["somebody.new"]


def test_a_role_nobody_holds_keeps_its_messages() -> None:
    empty = Branch("beijing", "Asia/Shanghai")
    assert recipients(ClockBreached(**clock()), empty) == ["bj.clerk", "role:manager"]


def test_a_failed_message_goes_to_somebody_else_than_its_recipient() -> None:
    assert [each.recipient for each in failure_telling("bj.clerk", BEIJING).addresses] == ["bj.manager"]
    assert [each.recipient for each in failure_telling("bj.manager", BEIJING).addresses] == ["role:operator"]


PATIENCE = Patience(first=timedelta(seconds=5), most=timedelta(hours=1), total=timedelta(hours=24))


def step(outcome: Any, *, attempts: int = 1, now: datetime = NOON) -> Any:
    return after(outcome, attempts=attempts, since=NOON, now=now, patience=PATIENCE)


@pytest.mark.req("N-04")
def test_a_temporary_failure_is_repeated_with_growing_pauses_and_then_given_up() -> None:
    assert step(Deferred("x")) == TryAgain(NOON + timedelta(seconds=5), "x")
    assert step(Deferred("x"), attempts=4) == TryAgain(NOON + timedelta(seconds=40), "x")
    assert step(Deferred("x"), attempts=5000) == TryAgain(NOON + timedelta(hours=1), "x")
    assert step(Deferred("x"), attempts=30, now=NOON + timedelta(hours=24)) == Failed("x; given up")


def test_each_other_outcome_is_an_end() -> None:
    assert step(Accepted()) == Sent()
    assert step(Rejected("x")) == Failed("x")
    assert step(Unknown("x")) == Uncertain("x")


def test_the_same_cause_makes_the_same_mail() -> None:
    one = delivery_id(message_id("/s", "1", "bj.clerk"), "email")
    assert one == delivery_id(message_id("/s", "1", "bj.clerk"), "email")
    assert one != delivery_id(message_id("/s", "1", "bj.manager"), "email")
    assert mail_message_id(one, "shouwen@example.com") == f"<{one}@example.com>"


def source(**zh: str) -> TemplateSource:
    good = Part(subject="{{ number }}", body="您好 {{ number }}")
    return TemplateSource(zh=good.model_copy(update=zh), en=good)


@pytest.mark.req("N-02")
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{{ number", "not a template"),
        ("{{ nmber }}", "no variable nmber"),
        ("{% for i in number %}x{% endfor %}", "may not use For"),
        ("{{ number.__class__ }}", "may not use Getattr"),
        ("{{ 'x' * 999999999 }}", "may not use Mul"),
        ("{{ number|center(10) }}", "may not use Filter"),
        ("{% include 'x' %}", "may not use Include"),
        ("{% if not is_case %}only for others{% endif %}", "empty"),
        ("{{ level > due }}", "TypeError"),
    ],
)
def test_a_bad_template_is_refused_with_its_field_and_line(text: str, says: str) -> None:
    with pytest.raises(BadTemplate) as refused:
        checked("sample", source(body=text))
    assert refused.value.field == "zh.body"
    assert says in refused.value.detail


def test_values_cannot_start_a_line_or_a_header_of_their_own() -> None:
    template = checked("sample", source(subject="{{ number }}"))
    texts = template.render({"number": "BJ\r\nBcc: all@example.com"}, time_zone="Asia/Shanghai")
    assert texts["zh"].subject == "BJ Bcc: all@example.com"


def test_times_are_said_in_the_zone_of_the_branch() -> None:
    assert spoken_time(NOON, "Asia/Shanghai", "zh") == "2026年11月20日（周五）12:00"
    assert spoken_time(NOON, "Asia/Urumqi", "en") == "Fri 20 Nov 2026, 10:00 (UTC+06:00)"


@pytest.mark.req("N-02")
def test_every_bundled_template_speaks_both_languages_politely() -> None:
    for name, template in bundled_templates().items():
        texts = template.render(SAMPLE, time_zone="Asia/Shanghai")
        assert "您" in texts["zh"].body, name
        assert texts["zh"].body.startswith("您好"), name
        assert texts["en"].body.startswith("Good day"), name
        assert "BJ-2026-000001" in mail_text(texts).subject, name
