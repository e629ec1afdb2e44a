"""What can go wrong, and whether asking again can help.

Two families: ``Refused`` (asking again changes nothing: an answer to the person, a dead letter for an event) and
``Transient`` (asking again later may succeed: ``Retry-After`` for the person, back-off for an event). The texts carry
ids and field names, never values a person has entered: they go into logs, dead letters and answers (RFC 9457).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that is wrong: its path (``requester.phone``), what is wrong with it, and what to do."""

    field: str
    problem: str
    remedy: str


class ShouwenError(Exception):
    """Something went wrong.

    A subclass is named as what happened; the first line of its docstring is its default detail.

    Args:
        detail: what happened, for the person who asked; without it the first line of the class's docstring.
        field: the field or parameter that caused it, as ``requester.phone``.
        remedy: what to do about it.
    """

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str | None = None, *, field: str | None = None, remedy: str | None = None) -> None:
        self.detail = detail or _first_line(type(self))
        self.field = field
        self.remedy = remedy
        super().__init__(self.detail)

    def __str__(self) -> str:
        text = f"{self.field}: {self.detail}" if self.field else self.detail
        return f"{text} {self.remedy}" if self.remedy else text

    @property
    def problems(self) -> tuple[FieldProblem, ...]:
        """The fields concerned: none, or the one named by ``field``."""
        return (FieldProblem(self.field, self.detail, self.remedy or ""),) if self.field else ()

    @property
    def members(self) -> Mapping[str, str]:
        """Further members of the problem document (RFC 9457 §3.2), as ``reason_code``; mostly none."""
        return {}


class Refused(ShouwenError):
    """The request contradicts the present state."""

    status: ClassVar[int] = 409
    title: ClassVar[str] = "Refused"


class Invalid(Refused):
    """A field is missing or wrong."""

    status: ClassVar[int] = 422
    title: ClassVar[str] = "Invalid request"


class NotFound(Refused):
    """There is no such thing, or it is not visible to you."""

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"


class Forbidden(Refused):
    """Your roles or branches do not allow this."""

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Forbidden"


class Unauthenticated(Refused):
    """A valid bearer token is needed."""

    status: ClassVar[int] = 401
    title: ClassVar[str] = "Not signed in"


class TooLarge(Refused):
    """The request body is over the limit."""

    status: ClassVar[int] = 413
    title: ClassVar[str] = "Request too large"


class Transient(ShouwenError):
    """A server this service needs does not answer at the moment."""

    status: ClassVar[int] = 503
    title: ClassVar[str] = "Temporarily unavailable"


def _first_line(error: type[ShouwenError]) -> str:
    return (error.__doc__ or error.title).strip().partition("\n")[0]
