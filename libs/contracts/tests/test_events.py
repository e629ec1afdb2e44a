"""Every event round-trips, and whatever is not an event ends as BadEvent and nothing else."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from shouwen.contracts import samples, schemas
from shouwen.contracts.case import CaseReplied
from shouwen.contracts.catalogue import BY_TYPE, UnknownType, parse, parse_data, parse_structured
from shouwen.contracts.event import MAX_BODY_BYTES, BadEvent, CloudEvent, Event
from shouwen.contracts.group import InjuryReported

SAMPLES = list(samples.every())
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 30), timezones=ZONES)  # noqa: DTZ001 — hypothesis adds the zone
IDENTIFIERS = st.text("abcXYZ019_.:@/客服-", min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)


def _values(annotation: Any, field: FieldInfo | None = None) -> st.SearchStrategy[Any]:
    if get_origin(annotation) is Annotated:
        return _values(get_args(annotation)[0], field)
    if get_origin(annotation) in {Union, UnionType}:
        return st.one_of(*(_values(each, field) for each in get_args(annotation)))
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) is tuple:
        return st.lists(_values(get_args(annotation)[0]), min_size=int(_limit(field, "min_length", 0)), max_size=4).map(
            tuple
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _models(annotation)
    return {
        str: _strings(field),
        int: st.integers(int(_limit(field, "ge", 1)), int(_limit(field, "le", 28))),
        float: st.floats(0, 1e6),
        bool: st.booleans(),
        UUID: st.uuids(),
        AwareDatetime: INSTANTS,
        date: st.dates(date(1970, 1, 1), date(2999, 12, 31)),
        type(None): st.none(),
    }[annotation]


def _limit(field: FieldInfo | None, name: str, otherwise: float) -> float:
    given = [getattr(each, name) for each in field.metadata if hasattr(each, name)] if field else []
    return given[0] if given else otherwise


def _strings(field: FieldInfo | None) -> st.SearchStrategy[str]:
    patterns = [each.pattern for each in field.metadata if getattr(each, "pattern", None)] if field else []
    if patterns and patterns[0].endswith("]*$"):  # Text
        return TEXTS
    return st.from_regex(patterns[0], fullmatch=True) if patterns and not patterns[0].startswith("^[^") else IDENTIFIERS


def _models(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    strategies = {name: _values(field.annotation, field) for name, field in model.model_fields.items()}
    if model is InjuryReported:
        return st.fixed_dictionaries(strategies).map(_in_order)
    return st.builds(model, **strategies)


def _in_order(values: dict[str, Any]) -> InjuryReported:
    first, second = sorted((values["occurred_at"], values["reported_at"]))
    return InjuryReported(**{**values, "occurred_at": first, "reported_at": second})


@pytest.mark.parametrize("event", BY_TYPE.values(), ids=lambda event: event.event_type)
def test_every_event_comes_back_as_it_was_sent(event: type[Event]) -> None:
    @settings(max_examples=8, deadline=None)
    @given(fact=_models(event), subject=IDENTIFIERS.filter(lambda text: not text.endswith("/")), time=INSTANTS)
    def round_trip(fact: Event, subject: str, time: datetime) -> None:
        sent = CloudEvent.of(fact, source="/test", subject=subject, time=time)
        for heard in (parse(sent.headers(), sent.body()), parse_structured(json.dumps(sent.structured()).encode())):
            assert heard == sent
            assert heard.key == sent.key != b""

    round_trip()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["ce_id", "ce_type", "ce_source", "ce_subject", "ce_time", "ce_specversion", "traceparent"])
        | st.text(max_size=10),
        st.binary(max_size=30) | st.none() | st.text(max_size=30).map(lambda text: text.encode(errors="surrogatepass")),
    ),
    max_size=8,
)


def _ends_well(headers: Any, body: Any) -> None:
    try:
        event = parse(headers, body)
    except BadEvent as refusal:
        assert refusal.field
        assert refusal.problem
        assert refusal.remedy
    else:
        # What is accepted can be stored, computed with, and sent on.
        assert "\x00" not in event.id + event.source + event.subject + event.data.model_dump_json()
        assert event.time.astimezone(UTC) - timedelta(days=365) < event.time
        assert parse(event.headers(), event.body()) == event


@given(
    sample=st.sampled_from(SAMPLES),
    headers=HEADERS,
    body=st.none() | st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()),
)
@settings(max_examples=80, deadline=None)
def test_broken_headers_and_broken_bodies_end_as_bad_event(
    sample: samples.Sample, headers: Any, body: bytes | None
) -> None:
    _, good_headers, good_body = sample.record()
    _ends_well(headers, body)
    _ends_well(good_headers, body)
    _ends_well([*good_headers, *headers], good_body)


@given(sample=st.sampled_from(SAMPLES), value=JSON, data=st.data())
@settings(max_examples=120, deadline=None)
def test_a_wrong_field_ends_as_bad_event(sample: samples.Sample, value: Any, data: st.DataObject) -> None:
    _, headers, _ = sample.record()
    field = data.draw(st.sampled_from(sorted(sample.body)))
    _ends_well(headers, json.dumps({**sample.body, field: value}).encode())


@given(sample=st.sampled_from(SAMPLES), cut=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_a_cut_body_ends_as_bad_event(sample: samples.Sample, cut: int) -> None:
    _, headers, body = sample.record()
    _ends_well(headers, body[:cut])
    _ends_well(headers, body[: cut // 2] + b"\xff" + body[cut:])


@given(text=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100, deadline=None)
def test_a_broken_structured_event_ends_as_bad_event(text: bytes) -> None:
    with pytest.raises(BadEvent):
        parse_structured(text)


def _record(**changes: str | None) -> tuple[list[tuple[str, bytes]], bytes]:
    sample = samples.of("injury.reported.v1")
    headers = {name: value for name, value in {**sample.headers, **changes}.items() if value is not None}
    return [(name, value.encode()) for name, value in headers.items()], sample.record()[2]


@pytest.mark.req("X-03")
@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"ce_id": None}, "ce_id", "missing or empty"),
        ({"ce_id": "x" * 201}, "ce_id", "longer than 200 characters"),
        ({"ce_subject": "injury/\x00"}, "ce_subject", "control character"),
        ({"ce_subject": "injury/"}, "ce_subject", "the key, is empty"),
        ({"ce_time": "yesterday"}, "ce_time", "not a time"),
        ({"ce_time": "2026-11-20T09:00:00"}, "ce_time", "no time zone"),
        ({"ce_time": "0001-01-01T00:00:00+14:00"}, "ce_time", "the year must be"),
        ({"ce_specversion": "9.9"}, "ce_specversion", "not known"),
    ],
)
def test_a_bad_header_is_named_with_its_remedy(changes: dict[str, str | None], field: str, said: str) -> None:
    with pytest.raises(BadEvent) as refusal:
        parse(*_record(**changes))
    assert refusal.value.field == field
    assert said in refusal.value.problem
    assert refusal.value.remedy


@pytest.mark.req("X-03")
def test_an_event_from_the_future_says_which_versions_are_known() -> None:
    with pytest.raises(UnknownType, match=r"injury\.reported\.v1.*upgrade this service and replay"):
        parse(*_record(ce_type="injury.reported.v7"))
    with pytest.raises(UnknownType, match="Correct ce_type"):
        parse(*_record(ce_type="injury.repotted"))


def test_a_header_that_is_not_utf8_is_named() -> None:
    headers, body = _record()
    with pytest.raises(BadEvent, match="x-note: the header is not UTF-8"):
        parse([*headers, ("x-note", b"\xff\xfe")], body)


def test_a_body_over_the_limit_is_refused_before_it_is_read() -> None:
    headers, _ = _record()
    with pytest.raises(BadEvent, match=f"at most {MAX_BODY_BYTES} bytes"):
        parse(headers, b" " * 2_000_000)


def test_the_text_of_a_refusal_never_repeats_a_value() -> None:
    headers, body = _record()
    secret = "110101199003070011"
    broken = body.replace(b'"2026-11-20T09:00:00+08:00"', f'"{secret}"'.encode())
    with pytest.raises(BadEvent, match="reported_at") as refusal:
        parse(headers, broken)
    assert secret not in str(refusal.value)
    with pytest.raises(BadEvent) as refusal:
        parse(*_record(ce_time=secret))
    assert secret not in str(refusal.value)


def test_fields_from_the_future_are_ignored() -> None:
    sample = samples.of("clock.breached.v1")
    assert parse_data("clock.breached.v1", {**sample.body, "mood": "calm"}) == parse_data(
        "clock.breached.v1", sample.body
    )


def test_a_trace_context_that_cannot_be_read_is_treated_as_absent() -> None:
    assert parse(*_record(traceparent="00-zz")).traceparent is None
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert parse(*_record(traceparent=trace)).traceparent == trace
    assert parse(*_record(ce_traceparent=trace)).traceparent == trace


def test_an_event_that_could_not_be_sent_cannot_be_made() -> None:
    fact = InjuryReported.model_validate(samples.of("injury.reported.v1").body)
    with pytest.raises(ValueError, match="pass subject="):
        CloudEvent.of(fact, source="/hr-core")
    with pytest.raises(BadEvent, match="ce_source"):
        CloudEvent.of(fact, source="", subject="injury/1")
    with pytest.raises(BadEvent, match="no time zone"):
        CloudEvent.of(fact, source="/hr-core", subject="injury/1", time=datetime(2026, 11, 20))  # noqa: DTZ001 — the mistake under test


def test_the_key_is_the_aggregate_so_that_its_facts_stay_in_order() -> None:
    fact = CaseReplied.model_validate(samples.of("case.replied.v1").body)
    event = CloudEvent.of(fact, source="/shouwen/intake")
    assert event.subject == f"case/{fact.case_id}"
    assert event.key == str(fact.case_id).encode()


def test_the_schemas_travel_in_the_package() -> None:
    assert {each for each in BY_TYPE if schemas.published(each)} == set(BY_TYPE)
