"""The life of one delivery, and what follows from an attempt.

``pending`` waits for an attempt; ``sending`` is committed before the channel is touched, so that a crash can be told
from a rest; ``sent`` and ``failed`` are ends; ``uncertain`` means that nobody can know whether it went out: it is not
repeated by itself (at most once), an operator decides.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID, uuid5

DeliveryState = Literal["pending", "sending", "sent", "failed", "uncertain"]

RESENDABLE: frozenset[DeliveryState] = frozenset({"failed", "uncertain"})
"""States from which an operator may ask for another attempt."""

_MESSAGES = UUID("5b0d6f0e-3f0a-5d9e-9f57-6a2f3f0c7c11")


@dataclass(frozen=True, slots=True)
class Accepted:
    """The channel took the message."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """The channel did not take it now; the message has not gone out. ``reason`` names no address."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The channel will never take it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The connection broke after the message was handed over and before the answer came."""

    reason: str


Outcome = Accepted | Deferred | Rejected | Unknown


@dataclass(frozen=True, slots=True)
class Patience:
    """How a temporary failure is repeated: after ``first``, then twice as long each time up to ``most``.

    After ``total`` from the first attempt's due time it has failed for good.
    """

    first: timedelta
    most: timedelta
    total: timedelta


@dataclass(frozen=True, slots=True)
class Sent:
    """Done."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Repeat at this time."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A person must look at it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Only a person can decide whether to send it again."""

    reason: str


Step = Sent | TryAgain | Failed | Uncertain


def after(outcome: Outcome, *, attempts: int, since: datetime, now: datetime, patience: Patience) -> Step:
    """What follows from an attempt.

    Args:
        outcome: what the channel did.
        attempts: attempts so far, this one included.
        since: when the delivery was first due, or was sent again by an operator.
        now: the time of the decision.
        patience: how long a temporary failure is repeated.
    """
    match outcome:
        case Accepted():
            return Sent()
        case Rejected(reason):
            return Failed(reason)
        case Unknown(reason):
            return Uncertain(reason)
        case Deferred(reason):
            doubled = patience.first * 2 ** min(max(attempts - 1, 0), 30)
            at = now + min(doubled, patience.most)
            return Failed(f"{reason}; given up") if at > since + patience.total else TryAgain(at, reason)


def message_id(source: str, cause: str, recipient: str) -> UUID:
    """The id of the message that tells ``recipient`` of a cause: the same cause makes the same message."""
    return uuid5(_MESSAGES, f"{source}\n{cause}\n{recipient}")


def delivery_id(message: UUID, channel: str) -> UUID:
    """The id of a message's delivery on a channel."""
    return uuid5(message, channel)


def event_id(delivery: UUID, step: str, attempts: int) -> str:
    """The id of the event that tells of a delivery's end, so that a repeat is recognised."""
    return str(uuid5(delivery, f"{step}\n{attempts}"))


def mail_message_id(delivery: UUID, sender: str) -> str:
    """The Message-ID header: one delivery has one, however often it is attempted, so receivers drop repeats."""
    return f"<{delivery}@{sender.rpartition('@')[2]}>"


def mail_thread_id(subject: str, sender: str) -> str:
    """The References header that lets a mail program show all mails about one subject together."""
    return f"<{uuid5(_MESSAGES, subject)}@{sender.rpartition('@')[2]}>"
