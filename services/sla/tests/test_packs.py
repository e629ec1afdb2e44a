"""Packs: what ships, and what is said about a mistake."""

import pytest

from shouwen.sla import gateways
from shouwen.sla.domain.allowance import Unit
from shouwen.sla.domain.pack import Target
from shouwen.sla.domain.pack_file import BadPack, read_pack

GOOD = """\
pack: branch-rules
version: 1
effective_from: 2026-01-01
title: Rules of a branch
policies:
  complaint:
    start: {event: case.registered.v1, at: received_at, when: {case_type: complaint}}
    stop: case.resolved.v1
    targets:
      resolution:
        limit: 20
        unit: calendar_hours
        warn_at: [50%, {before: 2}]
        escalate:
          - {after: 1, unit: working_hours, role: manager}
        clause: Branch rules 3
"""


def shipped() -> dict[tuple[str, str, str], Target]:
    return {
        (pack.name, target.policy, target.name): target for pack in gateways.shipped_packs() for target in pack.targets
    }


@pytest.mark.req("S-02", "S-03", "S-04", "S-05", "S-06", "S-07", "S-08", "S-09", "S-10", "S-11", "S-12", "S-13")
@pytest.mark.parametrize(
    ("pack", "policy", "target", "limit", "unit", "clause"),
    [
        ("talent-centre", "complaint", "resolution", 24, "calendar_hours", "001 §20"),
        ("talent-centre", "acceptance", "acceptance", 30, "working_minutes", "001 §15"),
        ("labour-dispatch", "complaint", "first_response", 24, "calendar_hours", "004 三(六)"),
        ("labour-dispatch", "complaint", "written_plan", 2, "working_days", "004 三(六)"),
        ("labour-dispatch", "injury", "client_notice", 12, "calendar_hours", "004 三(四)1"),
        ("labour-dispatch", "injury", "on_site", 12, "calendar_hours", "004 三(四)2"),
        ("labour-dispatch", "injury", "written_plan", 24, "calendar_hours", "004 三(四)2"),
        ("labour-dispatch", "injury", "authority_notice", 24, "calendar_hours", "004 三(四)3"),
        ("labour-dispatch", "injury", "determination_filing", 30, "calendar_days", "004 三(四)3"),
        ("labour-dispatch", "dispute", "written_plan", 24, "calendar_hours", "004 三(五)"),
        ("labour-dispatch", "employment", "social_insurance_registration", 30, "calendar_days", "004 三(二)"),
        ("hr-licence", "inquiry", "reply", 24, "calendar_hours", "002 七(四)1"),
        ("hr-licence", "inquiry", "department_reply", 24, "calendar_hours", "002 七(四)1"),
        ("insurer-head-office", "inquiry", "reply", 24, "calendar_hours", "003 管理服务标准一1"),
        ("insurer-head-office", "inquiry", "phone_answer", 1, "working_days", "003 §6(五)4"),
        ("insurer-head-office", "feedback", "reply", 5, "working_days", "003 §11(一)"),
        ("insurer-head-office", "claim", "first_review", 48, "calendar_hours", "003 管理服务标准二1"),
        ("labour-dispatch", "employment", "contract_signing", 0, "calendar_days", "004 三(一)2"),
        ("hr-licence", "suggestion", "digest", 7, "calendar_days", "002 七(四)2"),
    ],
)
def test_each_limit_of_the_regulations_ships_with_its_clause(
    pack: str, policy: str, target: str, limit: int, unit: Unit, clause: str
) -> None:
    found = shipped()[pack, policy, target]
    assert (found.limit, found.unit, found.clause_text) == (limit, unit, clause)


@pytest.mark.req("S-02", "S-07", "S-13", "I-07")
@pytest.mark.parametrize(
    ("pack", "policy", "target", "clause"),
    [
        ("labour-dispatch", "payroll", "wage_payment", "004 三(三)"),
        ("hr-licence", "complaint", "promise", "002 七(三)2"),
        ("hr-licence", "suggestion", "decision", "002 七(四)2"),
        ("insurer-head-office", "inquiry", "promise", "003 §6(五)4"),
    ],
)
def test_what_is_agreed_has_no_limit_of_its_own(pack: str, policy: str, target: str, clause: str) -> None:
    found = shipped()[pack, policy, target]
    assert (found.is_agreed, found.limit, found.clause_text) == (True, 0, clause)


@pytest.mark.req("S-08", "S-14", "V-04")
@pytest.mark.parametrize(
    ("pack", "policy", "target", "clause"),
    [
        ("labour-dispatch", "staff_change", "settlement_sheet", "004 二(二)1"),
        ("labour-dispatch", "insurance_claim", "payment", "004 二(二)2"),
        ("labour-dispatch", "recruitment", "candidates", "004 二(二)6"),
        ("labour-dispatch", "audit_data", "provision", "004 二(二)7"),
        ("hr-licence", "vetting", "judicial_referral", "002 六5"),
        ("insurer-head-office", "urgent", "immediate_response", "003 管理服务标准一1"),
    ],
)
def test_a_duty_without_a_figure_ships_with_a_limit_of_our_own(
    pack: str, policy: str, target: str, clause: str
) -> None:
    found = shipped()[pack, policy, target]
    assert (found.basis, found.clause_text) == ("suite_default", f"suite default ({clause})")


def test_every_matter_of_a_case_pauses_resumes_ends_and_reopens_as_cases_do() -> None:
    of_cases = [
        target for target in shipped().values() if any(when.event == "case.registered.v1" for when in target.applies)
    ]
    assert of_cases
    for target in of_cases:
        assert {when.event for when in target.cancel} == {
            "case.withdrawn.v1",
            "case.merged.v1",
            "case.found_malicious.v1",
        }
        assert "case.resolved.v1" in {when.event for when in target.stop}
        assert [when.event for when in target.reopen] == ["case.reopened.v1"]


def test_a_limit_of_our_own_is_never_shown_as_a_clause() -> None:
    baseline = [target for (pack, _, _), target in shipped().items() if pack == "group-baseline"]
    assert baseline
    for target in baseline:
        assert target.basis == "suite_default"
        assert target.clause_text.startswith("suite default (000 ")


def test_a_statutory_target_never_pauses_and_every_other_pauses_for_the_requester() -> None:
    for (_, policy, _), target in shipped().items():
        assert target.statutory == (policy in {"injury", "dispute", "employment", "payroll"})
        assert target.pausable == (frozenset() if target.statutory else {"awaiting_requester"})


def test_a_good_pack_is_read() -> None:
    pack = read_pack(GOOD)
    [target] = pack.targets
    assert (pack.name, target.key, target.limit) == ("branch-rules", ("complaint", "resolution"), 20)
    assert [escalation.role for escalation in target.escalations] == ["manager"]


@pytest.mark.req("S-01")
@pytest.mark.parametrize(
    ("change", "line", "field", "words"),
    [
        ((12, "        unit: work_days"), 12, "policies.complaint.targets.resolution.unit", "working_days"),
        ((11, "        limit: -3"), 11, "policies.complaint.targets.resolution.limit", "greater than or equal to 0"),
        ((11, "        limit: soon"), 11, "policies.complaint.targets.resolution.limit", "whole number"),
        ((11, ""), 10, "policies.complaint.targets.resolution.limit", "has to be given"),
        ((11, "        limit: 0"), 11, "policies.complaint.targets.resolution.limit", "calendar_days"),
        ((16, ""), 10, "policies.complaint.targets.resolution.clause", "has to be given"),
        (
            (13, "        warn_at: [150%]"),
            13,
            "policies.complaint.targets.resolution.warn_at.0",
            "less than or equal to 99",
        ),
        ((13, "        warn_at: [{before: 20}]"), 13, "policies.complaint.targets.resolution.warn_at", "less than 20"),
        ((8, "    stop: case.finished.v1"), 8, "policies.complaint.stop.event", "case.resolved.v1"),
        ((8, ""), 10, "policies.complaint.targets.resolution.stop", "nothing ever meets"),
        (
            (7, "    start: {event: case.registered.v1, when: {case_type: complaint}}"),
            7,
            "policies.complaint.start.at",
            "received_at",
        ),
        (
            (7, "    start: {event: case.registered.v1, at: received, when: {case_type: complaint}}"),
            7,
            "policies.complaint.start.at",
            "has no time named received",
        ),
        (
            (7, "    start: {event: case.registered.v1, at: received_at, when: {case_typ: complaint}}"),
            7,
            "policies.complaint.start.when.case_typ",
            "case_type",
        ),
        (
            (7, "    start: {event: case.registered.v1, at: received_at, when: {case_type: complain}}"),
            7,
            "policies.complaint.start.when.case_type",
            "complaint",
        ),
        ((14, "        escalat:"), 14, "policies.complaint.targets.resolution.escalat", "spelling"),
        ((1, "pack: Branch Rules"), 1, "pack", "lower-case"),
        ((3, "effective_from: soon"), 3, "effective_from", "date"),
        ((10, "      resolution: {"), 12, "yaml", "YAML"),
        ((4, "title: a\ntitle: b"), 5, "title", "twice"),
        (
            (16, "        clause: c\n        statutory: true\n        pausable: [awaiting_requester]"),
            18,
            "policies.complaint.targets.resolution.pausable",
            "statutory",
        ),
        (
            (16, "        clause: c\n        statutory: true\n        extension: {role: manager}"),
            18,
            "policies.complaint.targets.resolution.extension",
            "never extended",
        ),
        (
            (16, "        clause: c\n        pausable: [{reason: awaiting_requester, at_most: 5}]"),
            17,
            "policies.complaint.targets.resolution.pausable.0",
            "together",
        ),
        (
            (16, "        clause: c\n        later: with_consent"),
            17,
            "policies.complaint.targets.resolution.later",
            "agreed time",
        ),
        (
            (8, "    stop: case.resolved.v1\n    pause: {event: case.paused.v1, at: paused_at, until: soon}"),
            9,
            "policies.complaint.pause.until",
            "expected_until",
        ),
    ],
)
def test_a_mistake_is_named_with_its_file_line_field_and_remedy(
    change: tuple[int, str], line: int, field: str, words: str
) -> None:
    lines: list[str] = [*GOOD.splitlines()]
    lines[change[0] - 1] = change[1]
    with pytest.raises(BadPack) as refused:
        read_pack("\n".join(lines), file="branch-rules.yaml")
    mistake = next((each for each in refused.value.mistakes if each.field == field), refused.value.mistakes[0])
    assert (mistake.file, mistake.line, mistake.field) == ("branch-rules.yaml", line, field)
    assert words in f"{mistake.problem} {mistake.remedy}"
    assert mistake.remedy
    assert f"branch-rules.yaml:{line}: " in str(refused.value)


def test_all_mistakes_are_told_at_once() -> None:
    bad = GOOD.replace("case.resolved.v1", "case.done.v1").replace("case_type: complaint", "case_type: quarrel")
    with pytest.raises(BadPack) as refused:
        read_pack(bad)
    assert len(refused.value.problems) == 2


def test_a_short_text_that_stands_for_an_endless_one_is_refused() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "\n".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)
    )
    with pytest.raises(BadPack) as refused:
        read_pack(bomb)
    assert "fields" in str(refused.value)


@pytest.mark.parametrize("text", ["", "[]", "a: b: c", "\x00", "pack: [", "!!python/object:os.system {}", "1"])
def test_a_text_that_is_no_pack_is_refused(text: str) -> None:
    with pytest.raises(BadPack):
        read_pack(text)
