"""What a service hears, and which handler takes it: the table in ``subscribers.py`` of each service."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import Field

from shouwen.contracts.catalogue import BY_STREAM
from shouwen.contracts.event import CloudEvent, Event, JsonObject
from shouwen.runtime.unit_of_work import Transaction

E = TypeVar("E", bound=Event)

Each = Callable[[CloudEvent[E], Transaction], Awaitable[None]]
"""Handles one event at a time, inside the transaction of its batch."""

Batch = Callable[[Sequence[CloudEvent[Event]], Transaction], Awaitable[None]]
"""Handles all new events of a stream in one batch; the order within a subject is the order in which they were sent."""


class UnknownFact(Event):
    """A fact whose type this release does not know, for a service that learns types at run time.

    ``CloudEvent.type`` holds the type; ``content`` is the whole JSON body. ``branch`` was checked as on any event.
    """

    event_type: ClassVar[str] = "unknown"
    stream: ClassVar[str] = "unknown"
    aggregate: ClassVar[str] = "unknown"

    content: JsonObject = Field(description="The body as it came")


@dataclass(frozen=True, slots=True)
class BatchSubscription:
    """A batch handler and whether it takes facts of unknown types too."""

    handle: Batch
    accepts_unknown: bool


class Subscriptions:
    """Which handler takes which event. A stream is heard by ``each`` handlers or by one ``batch`` handler."""

    def __init__(self) -> None:
        self._each: dict[type[Event], Each[Any]] = {}
        self._batch: dict[str, BatchSubscription] = {}

    def each(self, event: type[E], handle: Each[E]) -> None:
        """Hear one event type, one at a time. Other types of its stream without a handler are passed over.

        Raises:
            ValueError: the type or its stream has a handler already.
        """
        if event in self._each or event.stream in self._batch:
            raise ValueError(f"{event.event_type} has a handler already")
        self._each[event] = handle

    def batch(self, stream: str, handle: Batch, *, accepts_unknown: bool = False) -> None:
        """Hear a whole stream, in batches without repeats.

        Args:
            stream: the stream's name in the catalogue, without prefix.
            handle: gets the events in the order in which they were sent; those of one subject keep theirs.
            accepts_unknown: also hand over facts of unknown types, as ``UnknownFact``, instead of setting them aside.

        Raises:
            ValueError: the stream is not in the catalogue or has a handler already.
        """
        if stream not in BY_STREAM:
            raise ValueError(f"There is no stream {stream}; the catalogue has {', '.join(BY_STREAM)}")
        if stream in self._batch or any(event.stream == stream for event in self._each):
            raise ValueError(f"{stream} has a handler already")
        self._batch[stream] = BatchSubscription(handle, accepts_unknown)

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams heard, in the order of the catalogue."""
        heard = {event.stream for event in self._each} | set(self._batch)
        return tuple(name for name in BY_STREAM if name in heard)

    @property
    def handlers(self) -> Mapping[type[Event], Each[Any]]:
        """The handlers of single events, by type."""
        return self._each

    @property
    def batches(self) -> Mapping[str, BatchSubscription]:
        """The handlers of whole streams, by stream."""
        return self._batch
