"""Event types that another system registers at run time: their fields, and how an event of such a type is read."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shouwen.contracts.catalogue import BY_TYPE
from shouwen.contracts.event import BadEvent, Event
from shouwen.runtime.errors import Invalid, Refused
from shouwen.sla.domain.pack_file import EventField, EventTypes, suite_event_types

EventTypeName = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\.v[1-9][0-9]{0,3}$", max_length=100)
]
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_LONGEST_TEXT = 1000
_STANDARD = ("branch", "owner", "department")
"""Every event of another system may carry these; they need no registration."""
_REFERENCE = re.compile(r"[^\s\x00-\x1f\x7f<>\"'`\\]{1,200}")
_FIRST_YEAR, _LAST_YEAR = 1970, 2999


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PropertyPart(_Part):
    """One field, as JSON Schema writes it. ``date-time`` and ``date`` make it an instant that a pack can start from."""

    type: Literal["string", "integer", "number", "boolean"]
    format: Literal["date-time", "date"] | None = None
    enum: list[str] | None = Field(None, min_length=1, max_length=100)
    description: str | None = Field(None, max_length=500)


class EventType(_Part):
    """An event type of another system: a small JSON Schema of its body, beside branch, owner and department."""

    event_type: EventTypeName = Field(description="With its version, as licence.expired.v1")
    title: str = Field(min_length=1, max_length=200)
    properties: dict[FieldName, PropertyPart] = Field(max_length=100)
    required: list[FieldName] = Field(default_factory=list)

    @property
    def fields(self) -> Mapping[str, EventField]:
        """Its fields as packs may use them."""
        own = {
            name: EventField(name, part.format is not None, frozenset(part.enum or ()))
            for name, part in self.properties.items()
        }
        return {**{name: EventField(name, is_instant=False) for name in _STANDARD}, **own}

    def read(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The declared fields of a body; what was not declared is left out.

        Raises:
            BadEvent: a field is missing or wrong; the message names it and never repeats its value.
        """
        found: dict[str, Any] = {}
        for name in ("owner", "department"):
            value = content.get(name)
            if value is not None and not (isinstance(value, str) and _REFERENCE.fullmatch(value)):
                raise BadEvent(name, "the value is not an id", "Send the id of the directory, or leave it out")
            found[name] = value
        for name, part in self.properties.items():
            value = content.get(name)
            if value is None:
                if name in self.required:
                    raise BadEvent(name, "the field is missing", f"See GET /api/event-types/{self.event_type}")
                found[name] = None
                continue
            if (problem := _problem(part, value)) is not None:
                raise BadEvent(name, problem, f"See GET /api/event-types/{self.event_type}")
            found[name] = value
        return found


class RegisteredFact(Event):
    """A fact of a registered type. Its declared fields are kept as they came."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    event_type: ClassVar[str] = "registered"
    stream: ClassVar[str] = "group.v1"
    aggregate: ClassVar[str] = "group"


class IncompatibleEventType(Refused):
    """The type is registered with other fields."""


def check_registration(new: EventType, known: EventType | None) -> None:
    """Refuse a type that cannot be registered.

    Raises:
        Invalid: the suite has this type itself, or a field is declared wrongly.
        IncompatibleEventType: it was registered before, and not only optional fields were added.
    """
    if new.event_type in BY_TYPE:
        raise Invalid(
            f"{new.event_type} belongs to the suite.",
            field="event_type",
            remedy="Use it as docs/events.md describes it, or choose a name of your own.",
        )
    for name in sorted(set(new.required) - set(new.properties)):
        raise Invalid(f"{name} is required but not declared.", field="required", remedy="Add it to properties.")
    for name, part in new.properties.items():
        if name in _STANDARD:
            raise Invalid(
                "is carried by every event.", field=f"properties.{name}", remedy="Leave it out; it is there anyway."
            )
        if part.type != "string" and (part.format or part.enum):
            raise Invalid(
                "has a format or an enum, which only strings have.",
                field=f"properties.{name}",
                remedy="Use type string.",
            )
    if known is not None and (changes := list(_breaks(new, known))):
        raise IncompatibleEventType(
            f"{new.event_type} is registered otherwise: {'; '.join(changes)}.",
            field="properties",
            remedy="Only add optional fields, or register the next version of the type.",
        )


def _breaks(new: EventType, known: EventType) -> Iterator[str]:
    for name, part in known.properties.items():
        other = new.properties.get(name)
        if other is None:
            yield f"{name} is gone"
        elif (other.type, other.format, other.enum) != (part.type, part.format, part.enum):
            yield f"{name} has another form"
    if added := sorted(set(new.required) - set(known.required)):
        yield f"{', '.join(added)} is required now"


def event_types_for_packs(registered: Mapping[str, EventType]) -> EventTypes:
    """What packs may name: the suite's types, and those that were registered."""
    return {**{name: each.fields for name, each in registered.items()}, **suite_event_types()}


def _problem(part: PropertyPart, value: object) -> str | None:
    if part.type == "string":
        return _text_problem(part, value)
    if part.type == "boolean":
        return None if isinstance(value, bool) else "the value is not true or false"
    wanted = int if part.type == "integer" else (int, float)
    return None if isinstance(value, wanted) and not isinstance(value, bool) else f"the value is no {part.type}"


def _text_problem(part: PropertyPart, value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or "\x00" in value:
        return f"the value is not a text of at most {_LONGEST_TEXT} characters"
    if part.enum is not None and value not in part.enum:
        return f"the value is none of {', '.join(part.enum)}"
    if part.format is None:
        return None
    try:
        at = date.fromisoformat(value) if part.format == "date" else datetime.fromisoformat(value)
    except ValueError:
        return "the value is not a day, as 2026-11-20" if part.format == "date" else _NOT_A_TIME
    if isinstance(at, datetime) and at.tzinfo is None:
        return _NOT_A_TIME
    return None if _FIRST_YEAR <= at.year <= _LAST_YEAR else f"the year is not between {_FIRST_YEAR} and {_LAST_YEAR}"


_NOT_A_TIME = "the value is not a time with its offset, as 2026-11-20T09:00:00+08:00"
