"""The form of every event: a typed fact inside a CloudEvents 1.0 envelope, sent over Kafka in binary mode.

Binary mode means: the attributes of the envelope travel as Kafka headers (``ce_id``, ``ce_type`` …), the fact itself
is the JSON body, and the record's key is the id of the aggregate the fact is about, so that the facts of one aggregate
stay in order.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar
from uuid import uuid4

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

SPECVERSION = "1.0"
CONTENT_TYPE = "application/json"
_TIME_REMEDY = "Send ISO 8601 with an offset, as 2026-11-20T09:00:00+08:00"
MAX_BODY_BYTES = 1_000_000
"""The longest body of an event, in bytes; Kafka's own default limit for a record is a little above it."""

_LIMITS = {"ce_id": 200, "ce_type": 100, "ce_source": 200, "ce_subject": 200, "ce_time": 50, "ce_specversion": 10}
"""The longest value of each attribute, in characters: id and source together are a key of the inbox."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_FIRST_YEAR, _LAST_YEAR = 1970, 2999

Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s\u0000-\u001f\u007f<>\"'`\\]+$")
]
"""An opaque id: no spaces, quotes, angle brackets, backslashes or control characters."""

Text = Annotated[str, StringConstraints(max_length=8000, pattern=r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$")]
"""A text for people or a sealed token: no control characters but tab and line breaks, which PostgreSQL can store."""


def _reasonable_instant(value: datetime) -> datetime:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"the year must be between {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


def _reasonable_day(value: date) -> date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        raise ValueError(f"the year must be between {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


Instant = Annotated[AwareDatetime, AfterValidator(_reasonable_instant)]
"""A moment with its offset. Arithmetic on it, in any zone, cannot leave the calendar."""

Day = Annotated[date, AfterValidator(_reasonable_day)]
"""A calendar day, in the zone of the event's branch."""

BranchCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,39}$")]
"""The code of a branch, such as ``beijing``: lower-case letters, digits and hyphens."""


class Event(BaseModel):
    """A past fact. Unknown fields are ignored, so that a newer producer can add some.

    A subclass names its type, its stream and its aggregate, and says in its docstring who emits and who hears it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    event_type: ClassVar[str]
    stream: ClassVar[str]
    aggregate: ClassVar[str]

    branch: BranchCode = Field(description="The branch whose matter this is")

    @property
    def key(self) -> str:
        """The id of the aggregate, which is the Kafka key."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """The CloudEvents subject, such as ``case/0198…``."""
        return f"{self.aggregate}/{self.key}"


E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True)
class CloudEvent(Generic[E_co]):
    """A fact with its envelope.

    ``time`` is when the fact became true at its source. ``id`` is unique within ``source``; whoever hears the same id
    twice has heard one fact twice.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: E_co
    traceparent: str | None = None

    @staticmethod
    def of(
        data: E,
        *,
        source: str,
        time: datetime | None = None,
        event_id: str | None = None,
        subject: str | None = None,
        traceparent: str | None = None,
    ) -> "CloudEvent[E]":
        """Wrap a fact; what is not given is made: a random id, the present time, the subject from the fact itself.

        Raises:
            BadEvent: an attribute could not be sent: it is empty, too long, or the time has no zone.
        """
        if time is not None and time.tzinfo is None:
            raise BadEvent("ce_time", "the time has no time zone", _TIME_REMEDY)
        return CloudEvent(
            id=_checked("ce_id", event_id or str(uuid4())),
            type=data.event_type,
            source=_checked("ce_source", source),
            subject=_checked("ce_subject", subject or data.subject),
            time=time or datetime.now(UTC),
            data=data,
            traceparent=traceparent if _is_traceparent(traceparent) else None,
        )

    @property
    def key(self) -> bytes:
        """The Kafka key: the aggregate's id, which is the last part of the subject."""
        return self.subject.rpartition("/")[2].encode()

    def headers(self) -> list[tuple[str, bytes]]:
        """The Kafka headers of CloudEvents binary mode."""
        pairs = {
            "ce_specversion": SPECVERSION,
            "ce_id": self.id,
            "ce_type": self.type,
            "ce_source": self.source,
            "ce_subject": self.subject,
            "ce_time": self.time.isoformat(),
            "ce_dataschema": dataschema(self.type),
            "content-type": CONTENT_TYPE,
        }
        if self.traceparent:
            pairs["traceparent"] = self.traceparent
        return [(name, value.encode()) for name, value in pairs.items()]

    def body(self) -> bytes:
        """The fact as JSON."""
        return self.data.model_dump_json().encode()

    def structured(self) -> "JsonObject":
        """The event as one JSON object (CloudEvents structured mode), as ``POST /api/events`` takes it."""
        attributes: JsonObject = {
            "specversion": SPECVERSION,
            "id": self.id,
            "type": self.type,
            "source": self.source,
            "subject": self.subject,
            "time": self.time.isoformat(),
            "dataschema": dataschema(self.type),
            "datacontenttype": CONTENT_TYPE,
        }
        if self.traceparent:
            attributes["traceparent"] = self.traceparent
        return {**attributes, "data": self.data.model_dump(mode="json")}


def dataschema(event_type: str) -> str:
    """The name of the JSON Schema of an event type, relative to the published schemas."""
    return f"schemas/{event_type}.json"


class BadEvent(ValueError):
    """The record is not an event of this suite."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}. {remedy}")
        self.field = field
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Attributes:
    """The CloudEvents attributes of a record, read and checked, before its body is looked at."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    traceparent: str | None

    @classmethod
    def read(cls, headers: Sequence[tuple[str, bytes]]) -> Self:
        """Read the attributes of a record from its Kafka headers.

        Raises:
            BadEvent: a header is missing, is not UTF-8, or its value cannot be read; the message names it.
        """
        text: dict[str, str] = {}
        for name, value in headers:
            try:
                text[name] = value.decode()
            except UnicodeDecodeError:
                raise BadEvent(_shown(name), "the header is not UTF-8", "Send header values as UTF-8 text") from None
            except AttributeError:
                raise BadEvent(
                    _shown(name), "the header has no value", "Leave the header out or give it a value"
                ) from None
        return cls._of(text)

    @classmethod
    def of_structured(cls, members: Mapping[str, Any]) -> Self:
        """Read the attributes of an event in structured mode, from the members of its JSON object.

        Raises:
            BadEvent: an attribute is missing or cannot be read; the message names it as the binary mode does.
        """
        names = ("specversion", "id", "type", "source", "subject", "time")
        text = {f"ce_{name}": value for name in names if isinstance(value := members.get(name), str)}
        if isinstance(traceparent := members.get("traceparent"), str):
            text["traceparent"] = traceparent
        return cls._of(text)

    @classmethod
    def _of(cls, text: Mapping[str, str]) -> Self:
        version = _required(text, "ce_specversion")
        if version != SPECVERSION:
            raise BadEvent("ce_specversion", f"version {version!r} is not known", f"Send {SPECVERSION}")
        # ce_traceparent: the CloudEvents extension for tracing, which some producers send instead of the W3C header.
        traceparent = text.get("traceparent") or text.get("ce_traceparent")
        return cls(
            id=_required(text, "ce_id"),
            type=_required(text, "ce_type"),
            source=_required(text, "ce_source"),
            subject=_required(text, "ce_subject"),
            time=_time(_required(text, "ce_time")),
            # W3C Trace Context: a header that cannot be read is treated as absent.
            traceparent=traceparent if _is_traceparent(traceparent) else None,
        )

    def carrying(self, data: E) -> CloudEvent[E]:
        """The event of these attributes and this fact."""
        return CloudEvent(
            id=self.id,
            type=self.type,
            source=self.source,
            subject=self.subject,
            time=self.time,
            data=data,
            traceparent=self.traceparent,
        )


def _shown(name: str) -> str:
    return _CONTROL.sub("?", name[:100]) or "(header without a name)"


def _required(text: Mapping[str, str], name: str) -> str:
    return _checked(name, text.get(name, ""))


def _checked(name: str, value: str) -> str:
    remedy = "See docs/integrating.md for the headers of an event"
    if not value:
        raise BadEvent(name, "the header is missing or empty", remedy)
    if len(value) > _LIMITS[name]:
        raise BadEvent(name, f"the value is longer than {_LIMITS[name]} characters", remedy)
    if _CONTROL.search(value):
        raise BadEvent(name, "the value holds a control character", remedy)
    if name == "ce_subject" and value.endswith("/"):
        raise BadEvent(name, "the part after the last slash, which is the key, is empty", "Send KIND/ID, as case/42")
    return value


def _is_traceparent(value: str | None) -> bool:
    return value is not None and _TRACEPARENT.fullmatch(value) is not None


def _time(value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        raise BadEvent("ce_time", "the value is not a time", _TIME_REMEDY) from None
    if time.tzinfo is None:
        raise BadEvent("ce_time", "the time has no time zone", _TIME_REMEDY)
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise BadEvent("ce_time", f"the year must be between {_FIRST_YEAR} and {_LAST_YEAR}", _TIME_REMEDY)
    return time


JsonObject = dict[str, Any]
