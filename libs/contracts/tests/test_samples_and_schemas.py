"""What was once published must be readable for ever."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from shouwen.contracts import samples, schemas
from shouwen.contracts.catalogue import BY_STREAM, BY_TYPE, SERVICES, STREAMS, audience, parse
from shouwen.contracts.compatibility import breaks
from shouwen.contracts.event import Event

ROOT = Path(__file__).resolve().parents[3]
FOLDER = "libs/contracts/src/shouwen/contracts"
EVERY_SAMPLE = list(samples.every())


@pytest.mark.req("X-03")
@pytest.mark.parametrize("sample", EVERY_SAMPLE, ids=lambda sample: sample.name)
def test_every_sample_that_was_ever_published_still_parses(sample: samples.Sample) -> None:
    key, headers, body = sample.record()
    event = parse(headers, body)
    assert event.type == sample.event_type
    assert event.key == key
    assert event.data.branch == sample.body["branch"]


@pytest.mark.parametrize("sample", EVERY_SAMPLE, ids=lambda sample: sample.name)
def test_every_sample_fits_its_published_schema(sample: samples.Sample) -> None:
    schema = schemas.published(sample.event_type)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(sample.body)


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=lambda event: event.event_type)
def test_each_field_of_an_event_stands_in_one_of_its_samples(event: type[Event]) -> None:
    shown = {name for each in EVERY_SAMPLE if each.event_type == event.event_type for name in each.body}
    missing = set(event.model_fields) - shown
    assert not missing, (
        f"add samples/{event.event_type}-WORD.json that shows {sorted(missing)}; never change an old one"
    )


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=lambda event: event.event_type)
def test_the_published_schema_is_what_the_code_says(event: type[Event]) -> None:
    assert schemas.published(event.event_type) == schemas.derived(event), "run make docs"


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=lambda event: event.event_type)
def test_event_types_are_named_in_the_past_with_a_version_and_say_who_cares(event: type[Event]) -> None:
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+\.v\d+", event.event_type)
    heard = audience(event)
    assert heard.emitted_by == BY_STREAM[event.stream].emitted_by
    assert set(heard.heard_by) <= set(BY_STREAM[event.stream].heard_by)
    assert event in BY_STREAM[event.stream].events


def test_a_stream_is_heard_by_exactly_those_who_hear_one_of_its_events() -> None:
    for stream in STREAMS:
        hearers = {service for event in stream.events for service in audience(event).heard_by}
        assert hearers == set(stream.heard_by), stream.name
        assert hearers <= set(SERVICES)


# --- The check itself -----------------------------------------------------------------------------------------------


def _git(*arguments: str) -> str:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("the history is not here")
    return subprocess.run([git, *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.req("X-03")
def test_no_sample_of_the_history_was_changed_or_removed() -> None:
    changed = _git(
        "log", "--no-renames", "--diff-filter=DMT", "--name-only", "--format=", "--", f"{FOLDER}/samples/*.json"
    )
    assert not changed.split(), "samples are append-only: restore the file and add another one"
    edited = _git("diff", "--no-renames", "--diff-filter=DMT", "--name-only", "HEAD", "--", f"{FOLDER}/samples/*.json")
    assert not edited.split(), "samples are append-only: restore the file and add another one"


@pytest.mark.req("X-03")
def test_no_schema_of_the_history_is_broken_by_the_present_code() -> None:
    found: list[str] = []
    lines = _git(
        "log", "--no-renames", "--raw", "--no-abbrev", "--format=", "--", f"{FOLDER}/schemas/*.json"
    ).splitlines()
    versions = {(line.split()[3], Path(line.split("\t")[1]).stem) for line in lines}
    for blob, event_type in sorted(versions):
        if set(blob) == {"0"}:
            found.append(f"{event_type}: the schema was removed")
            continue
        event = BY_TYPE.get(event_type)
        if event is None:
            found.append(f"{event_type}: the event type was removed")
            continue
        old = json.loads(_git("cat-file", "blob", blob))
        found += [f"{event_type}: {each}" for each in breaks(old, schemas.derived(event))]
    assert not found, "\n".join(found)


BEFORE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "branch": {"type": "string"},
        "level": {"type": "integer", "minimum": 1},
        "kind": {"enum": ["company", "individual"], "type": "string"},
        "note": {"anyOf": [{"type": "string", "maxLength": 50}, {"type": "null"}]},
        "who": {"$ref": "#/$defs/Who"},
        "hits": {"type": "array", "items": {"type": "string"}},
        "at": {"type": "string", "format": "date-time"},
    },
    "required": ["branch", "level"],
    "$defs": {"Who": {"type": "object", "properties": {"owner": {"type": "string"}}}},
}


def _after(**changes: Any) -> dict[str, Any]:
    return {**BEFORE, "properties": {**BEFORE["properties"], **changes}}


def _without(name: str) -> dict[str, Any]:
    return {**BEFORE, "properties": {key: value for key, value in BEFORE["properties"].items() if key != name}}


def test_additions_are_allowed() -> None:
    assert breaks(BEFORE, BEFORE) == []
    assert breaks(BEFORE, _after(extra={"type": "string"})) == []
    assert breaks(BEFORE, _after(kind={"enum": ["company", "individual", "branch"], "type": "string"})) == []
    assert breaks(BEFORE, _after(level={"type": "integer", "minimum": 0})) == []
    assert breaks(BEFORE, _after(note={"anyOf": [{"type": "string", "maxLength": 80}, {"type": "null"}]})) == []
    assert breaks(BEFORE, _after(branch={"type": "string", "description": "said better"})) == []


@pytest.mark.req("X-03")
@pytest.mark.parametrize(
    ("after", "said"),
    [
        (_without("note"), "note: the field was removed or renamed"),
        (
            {**_without("note"), "properties": {**_without("note")["properties"], "remark": {}}},
            "note: the field was removed",
        ),
        (
            {**_after(extra={"type": "string"}), "required": ["branch", "level", "extra"]},
            "extra: the new field is required",
        ),
        ({**BEFORE, "required": ["branch", "level", "kind"]}, "kind: the field is required"),
        ({**BEFORE, "required": ["branch"]}, "level: the field is no longer required"),
        (_after(kind={"enum": ["company"], "type": "string"}), "kind: individual is no longer accepted"),
        (_after(branch={"enum": ["beijing"], "type": "string"}), "branch: only beijing is accepted now"),
        (_after(branch={"type": "integer"}), "branch: the type changed from string to integer"),
        (_after(level={"type": "integer", "minimum": 2}), "level: minimum was raised to 2"),
        (_after(level={"type": "integer", "minimum": 1, "maximum": 9}), "level: maximum was lowered to 9"),
        (_after(note={"type": "null"}), "note: string is no longer accepted"),
        (_after(note={"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}), "maxLength was lowered to 9"),
        (_after(branch={"anyOf": [{"type": "string"}, {"type": "null"}]}), "branch: null is sent now"),
        (_after(branch={"type": "string", "pattern": "^b"}), "branch: the pattern changed"),
        (_after(hits={"type": "array", "items": {"type": "integer"}}), "hits[]: the type changed"),
        (_after(at={"type": "string", "format": "date"}), "at: the format changed from date-time to date"),
        ({**BEFORE, "$defs": {"Who": {"type": "object", "properties": {}}}}, "who.owner: the field was removed"),
        ({**BEFORE, "additionalProperties": False}, "unknown fields are refused now"),
    ],
)
def test_what_would_break_an_old_producer_or_consumer_is_refused(after: dict[str, Any], said: str) -> None:
    assert any(said in each for each in breaks(BEFORE, after)), breaks(BEFORE, after)
