"""``python -m shouwen.sla explain``: a deadline with its reasons, without a database."""

import json
from pathlib import Path
from typing import Any

import pytest

from shouwen.sla.__main__ import main

PLAN = ["--pack", "labour-dispatch", "--policy", "complaint", "--target", "written_plan"]
START = ["--start", "2026-11-20T09:00:00+08:00"]


def explained(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["explain", *options, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def facts_file(folder: Path, *facts: dict[str, str]) -> str:
    file = folder / "facts.jsonl"
    file.write_text("\n".join(json.dumps(fact) for fact in facts), encoding="utf-8")
    return str(file)


def test_it_names_the_deadline_its_reasons_and_its_firings(capsys: pytest.CaptureFixture[str]) -> None:
    shown = explained(capsys, *PLAN, *START, "--now", "2026-11-20T10:00:00+08:00")
    assert (shown["due_at"], shown["state"], shown["breached"]) == ("2026-11-24T18:00:00+08:00", "running", False)
    assert sum(each["counted_seconds"] for each in shown["segments"]) == shown["limit_seconds"] == 57600
    assert [each["kind"] for each in shown["segments"][:3]] == ["start_day", "weekend", "off_hours"]
    assert [each["at"] for each in shown["firings"] if each["kind"] == "breached"] == [shown["due_at"]]


def test_facts_in_any_order_move_the_deadline(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pause = {"at": "2026-11-23T16:00:00+08:00", "do": "pause", "reason": "awaiting_requester"}
    resume = {"at": "2026-11-24T10:00:00+08:00", "do": "resume"}
    one = explained(capsys, *PLAN, *START, "--facts", facts_file(tmp_path, pause, resume))
    other = explained(capsys, *PLAN, *START, "--facts", facts_file(tmp_path, resume, pause, pause))
    assert one == other
    assert one["due_at"] == "2026-11-25T12:00:00+08:00"
    paused = explained(capsys, *PLAN, *START, "--facts", facts_file(tmp_path, pause))
    assert (paused["state"], paused["due_at"], paused["segments"][-1]["to"]) == ("paused", None, None)
    assert paused["remaining_seconds"] == 57600 - 6 * 3600
    assert paused["firings"] == []


def test_a_stop_ends_it_and_nothing_fires_afterwards(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    stop = {"at": "2026-11-24T16:00:00+08:00", "do": "stop"}
    shown = explained(capsys, *PLAN, *START, "--facts", facts_file(tmp_path, stop))
    assert (shown["state"], shown["breached"], shown["ended_at"]) == ("completed", False, "2026-11-24T16:00:00+08:00")
    assert [each["kind"] for each in shown["firings"]] == ["at_risk", "at_risk"]


@pytest.mark.req("S-15")
def test_a_schedule_of_its_own_counts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "half.yaml"
    file.write_text(
        'time_zone: Europe/Berlin\nweek:\n  mon: ["09:00-12:00"]\n  tue: ["09:00-24:00"]\nholidays: none\n'
        "exceptions:\n  - {date: 2026-11-24, intervals: []}\n",
        encoding="utf-8",
    )
    shown = explained(capsys, *PLAN, *START, "--schedule", str(file))
    assert shown["due_at"] == "2026-11-30T12:00:00+01:00"
    assert "closed" in {each["kind"] for each in shown["segments"]}


def test_an_agreed_deadline_is_given_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    promise = ["--pack", "hr-licence", "--policy", "complaint", "--target", "promise", *START]
    assert explained(capsys, *promise, "--due", "2026-11-20T17:00:00+08:00")["due_at"] == "2026-11-20T17:00:00+08:00"
    assert main(["explain", *promise]) == 2
    assert "--due" in capsys.readouterr().err


def test_it_reads_well_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *PLAN, *START]) == 0
    text = capsys.readouterr().out
    assert "004 三(六)" in text
    assert "lunch" in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--pack", "none", "--policy", "a", "--target", "b", *START], "labour-dispatch"),
        ([*PLAN[:5], "nothing", *START], "complaint written_plan"),
        ([*PLAN, "--start", "2026-11-20T09:00:00"], "offset"),
        ([*PLAN, "--start", "yesterday"], "start"),
        ([*PLAN, *START, "--schedule", "/nowhere.yaml"], "schedule"),
        ([*PLAN, *START, "--branch", "beijing"], "SHOUWEN_DIRECTORY_FILE"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.delenv("SHOUWEN_DIRECTORY_FILE", raising=False)
    assert main(["explain", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"at": "2026-11-20T10:00:00+08:00", "do": "sleep"}', "pause, resume, stop, cancel"),
        ("[]", "facts.jsonl:1"),
        ('{"do": "pause"}', "at"),
    ],
)
def test_a_wrong_fact_is_named_by_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str, words: str
) -> None:
    file = tmp_path / "facts.jsonl"
    file.write_text(line, encoding="utf-8")
    assert main(["explain", *PLAN, *START, "--facts", str(file)]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("week: {}\n", "working time"),
        ('week: {mon: ["12:00-09:00"]}\n', "schedule.yaml:1: week.mon.0"),
        ('week: {mon: ["09:00-12:00", "11:00-13:00"]}\n', "overlap"),
        ('time_zone: Moon/Sea\nweek: {mon: ["09:00-12:00"]}\n', "IANA"),
        ('week: {mon: ["09:00-12:00"]}\nholidays: us\n', "schedule.yaml:2: holidays"),
        ('week: {monday: ["09:00-12:00"]}\n', "week"),
        ("week: [", "YAML"),
    ],
)
def test_a_wrong_schedule_is_named_by_its_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text(text, encoding="utf-8")
    assert main(["explain", *PLAN, *START, "--schedule", str(file)]) == 2
    assert words in capsys.readouterr().err


def test_a_pause_with_an_end_and_an_extension_are_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pause = {
        "at": "2026-11-23T09:00:00+08:00",
        "do": "pause",
        "reason": "awaiting_requester",
        "until": "2026-11-23T12:00:00+08:00",
    }
    at_noon = ("--now", "2026-11-23T11:00:00+08:00")
    shown = explained(capsys, *PLAN, *START, *at_noon, "--facts", facts_file(tmp_path, pause))
    assert (shown["state"], shown["due_at"]) == ("paused", "2026-11-25T12:00:00+08:00")
    file = tmp_path / "more.jsonl"
    file.write_text(json.dumps({"at": "2026-11-23T09:00:00+08:00", "do": "extend", "units": 1}), encoding="utf-8")
    shown = explained(capsys, *PLAN, *START, "--facts", str(file))
    assert (shown["due_at"], shown["limit_seconds"]) == ("2026-11-25T18:00:00+08:00", 3 * 8 * 3600)
    file.write_text(json.dumps({"at": "2026-11-23T09:00:00+08:00", "do": "extend"}), encoding="utf-8")
    assert main(["explain", *PLAN, *START, "--facts", str(file)]) == 2
    assert "units" in capsys.readouterr().err


@pytest.mark.req("S-13")
def test_wages_are_explained_with_the_agreed_day_and_no_pause_touches_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wages = ["--pack", "labour-dispatch", "--policy", "payroll", "--target", "wage_payment"]
    start = ["--start", "2026-11-01T00:00:00+08:00", "--due", "2026-11-16T00:00:00+08:00"]
    pause = {"at": "2026-11-02T09:00:00+08:00", "do": "pause", "reason": "awaiting_requester"}
    plain = explained(capsys, *wages, *start)
    assert plain["due_at"] == "2026-11-16T00:00:00+08:00"
    assert explained(capsys, *wages, *start, "--facts", facts_file(tmp_path, pause)) == plain
    assert main(["explain", *wages, *start[:2]]) == 2
    assert "--due" in capsys.readouterr().err
