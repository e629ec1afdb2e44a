"""Who emits what, who hears it, and on which stream: topics, schemas and pages are generated from this list."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from shouwen.contracts import casework, client, clock, directory, group, message
from shouwen.contracts.event import MAX_BODY_BYTES, Attributes, BadEvent, CloudEvent, Event

ServiceName = Literal["intake", "sla", "notify", "review"]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)


@dataclass(frozen=True, slots=True)
class Stream:
    """One Kafka topic and the event types that share it."""

    name: str
    about: str
    keyed_by: str
    events: tuple[type[Event], ...]
    emitted_by: str
    heard_by: tuple[ServiceName, ...]
    compacted: bool = False


def _members(union: UnionType) -> tuple[type[Event], ...]:
    return get_args(union)


STREAMS: tuple[Stream, ...] = (
    Stream("case.v1", "Cases", "case id", _members(casework.CaseEvent), "intake", ("sla", "notify", "review")),
    Stream("clock.v1", "Clocks", "clock id", _members(clock.ClockEvent), "sla", ("intake", "notify")),
    Stream(
        "client.v1",
        "Clients and lists",
        "client, list entry or case id",
        _members(client.ClientEvent),
        "review",
        ("intake", "sla"),
    ),
    Stream("message.v1", "Messages to people", "message id", _members(message.MessageEvent), "notify", ("intake",)),
    Stream(
        "directory.v1",
        "Branches, departments, persons and delegations",
        "branch:CODE, department:BRANCH:ID, person:ID or delegation:ID",
        _members(directory.DirectoryEvent),
        "intake",
        ("sla", "notify"),
        compacted=True,
    ),
    Stream(
        "group.v1",
        "Facts of other group systems",
        "last part of the publisher's subject",
        _members(group.GroupEvent),
        "other systems",
        ("sla",),
    ),
)
BY_STREAM: Mapping[str, Stream] = {stream.name: stream for stream in STREAMS}
BY_TYPE: Mapping[str, type[Event]] = {event.event_type: event for stream in STREAMS for event in stream.events}
PARTITIONS = 6
_OBJECT = TypeAdapter(dict[str, Any])


def dead_letter_stream(service: str) -> str:
    """The stream on which a service sets aside what it cannot handle."""
    return f"{service}.dead"


@dataclass(frozen=True, slots=True)
class Topic:
    """A Kafka topic as it is to be created. ``config`` holds Kafka's own names and units."""

    name: str
    partitions: int
    config: Mapping[str, str]


_DAY_MS = 24 * 3600 * 1000
# The inbox remembers longer than a topic does, so that whatever Kafka can still redeliver is recognised.
RETENTION_DAYS = 7
DEAD_LETTER_RETENTION_DAYS = 30


def _topics() -> tuple[Topic, ...]:
    kept = {"cleanup.policy": "delete", "retention.ms": str(RETENTION_DAYS * _DAY_MS)}
    dead = {"cleanup.policy": "delete", "retention.ms": str(DEAD_LETTER_RETENTION_DAYS * _DAY_MS)}
    return (
        *(Topic(each.name, PARTITIONS, {"cleanup.policy": "compact"} if each.compacted else kept) for each in STREAMS),
        *(Topic(dead_letter_stream(service), 1, dead) for service in SERVICES),
    )


TOPICS: tuple[Topic, ...] = _topics()


@dataclass(frozen=True, slots=True)
class Audience:
    """Who emits an event type, and which service hears it to do what, as the docstring of the type says."""

    emitted_by: str
    heard_by: Mapping[ServiceName, str]


_EMITTED = re.compile(r"Emitted by (?P<who>\w+)")
_HEARD = re.compile(r"Heard by (?P<who>.+?)(?:\.(?:\s|$))", re.DOTALL)
_HEARER = re.compile(r"(?P<service>intake|sla|notify|review)(?:\s\((?P<why>[^)]*)\))?")


def audience(event: type[Event]) -> Audience:
    """Who emits and who hears an event type."""
    text = " ".join((event.__doc__ or "").split())
    emitted, heard = _EMITTED.search(text), _HEARD.search(text)
    hearers = {each["service"]: each["why"] or "" for each in _HEARER.finditer(heard["who"])} if heard else {}
    return Audience(
        emitted_by=emitted["who"] if emitted else BY_STREAM[event.stream].emitted_by,
        heard_by={service: hearers[service] for service in SERVICES if service in hearers},
    )


class UnknownType(BadEvent):
    """The event type is not in the catalogue: a typing error, or a newer producer."""

    def __init__(self, event_type: str) -> None:
        name, _, version = event_type.rpartition(".v")
        known = sorted(t for t in BY_TYPE if t.startswith(name + ".v")) if version.isdigit() else []
        remedy = (
            f"This release knows {', '.join(known)}: upgrade this service and replay, or publish a known version"
            if known
            else "Correct ce_type, or upgrade this service and replay; docs/events.md lists the known types"
        )
        super().__init__("ce_type", f"{event_type[:100]!r} is not known", remedy)


def parse(headers: Sequence[tuple[str, bytes]], body: bytes | None) -> CloudEvent[Event]:
    """Read a record of any stream of the suite.

    Raises:
        UnknownType: the type is not in the catalogue.
        BadEvent: a header or a field is missing or wrong; the message names it and never repeats its value.
    """
    attributes = Attributes.read(headers)
    return attributes.carrying(parse_data(attributes.type, body))


def parse_structured(text: bytes) -> CloudEvent[Event]:
    """Read an event in CloudEvents structured mode, as ``POST /api/events`` takes it: one JSON object.

    Raises:
        UnknownType: the type is not in the catalogue.
        BadEvent: the text is not a JSON object, or an attribute or a field is missing or wrong.
    """
    if len(text) > MAX_BODY_BYTES:
        raise BadEvent("body", f"{len(text)} bytes are over the limit", f"Send at most {MAX_BODY_BYTES} bytes")
    try:
        members = _OBJECT.validate_json(text)
    except ValidationError:
        raise BadEvent("body", "the text is not a JSON object", "Send {specversion, id, type, …, data}") from None
    attributes = Attributes.of_structured(members)
    return attributes.carrying(parse_data(attributes.type, to_json(members.get("data", {}))))


def parse_data(event_type: str, body: bytes | Mapping[str, Any] | None) -> Event:
    """Read the body of an event of a known type, as JSON text or as an object.

    Raises:
        UnknownType: the type is not in the catalogue.
        BadEvent: the body is too long or a field is missing or wrong.
    """
    model = BY_TYPE.get(event_type)
    if model is None:
        raise UnknownType(event_type)
    if body is None:
        raise BadEvent("body", "the record has no body", f"Send the fact as JSON, as schemas/{event_type}.json says")
    if isinstance(body, bytes) and len(body) > MAX_BODY_BYTES:
        raise BadEvent("body", f"{len(body)} bytes are over the limit", f"Send at most {MAX_BODY_BYTES} bytes")
    try:
        return model.model_validate_json(body) if isinstance(body, bytes) else model.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise BadEvent(field, first["msg"], f"See schemas/{event_type}.json for the shape of {event_type}") from None
