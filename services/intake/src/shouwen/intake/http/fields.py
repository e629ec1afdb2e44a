"""Fields and answers that several routes share."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Path
from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from shouwen.contracts.case import CaseState
from shouwen.intake.domain.case import Case
from shouwen.intake.handlers.shared import Once
from shouwen.intake.store.protection import Protection
from shouwen.runtime import telemetry
from shouwen.runtime.http import bad_place

PHONE_FORM = r"^\+?[0-9][0-9 ()\-]{2,28}(?:[xX#,转][0-9]{1,8})?$"

Phone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=PHONE_FORM)]
"""A phone number, with an extension if need be: digits, spaces, ( ) - and a leading +."""
Email = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=254, pattern=r"^[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+$")
]
"""An e-mail address, without a display name."""


def _printable(value: str) -> str:
    if any(character < " " and character not in "\t\n\r" for character in value):
        raise ValueError("holds a control character; only tabs and line breaks may stand in a text")
    return value


Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(_printable)
]
"""One line: 1 to 200 characters."""
Words = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000), AfterValidator(_printable)
]
"""A text: 1 to 20,000 characters."""
ClientIdentifier = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[0-9A-Za-z][0-9A-Za-z \-]{1,39}$")
]
"""A resident ID number or unified social credit code: letters and digits."""

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Your own key of this request; the same request with it again has no second effect",
    ),
]
OptionalKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[!-~]+$",
        description="Your own key of this request, if it must not have a second effect when sent again",
    ),
]
NUMBER_FORM = r"^[A-Z]{2,4}-[0-9]{4}-[0-9]{6,10}(-[1-9][0-9]{0,2})?$"
Number = Annotated[
    str, Path(max_length=40, pattern=NUMBER_FORM, description="As BJ-2026-000001, a part as BJ-2026-000001-2")
]


REFUSED: dict[int | str, dict[str, Any]] = {
    409: {
        "description": "The case's state, or what lies with the case, does not allow it",
    }
}
"""What a route of a command adds to the shared responses."""


class Sent(BaseModel):
    """What a caller sends: a field that is not known is an error, not silently lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CaseAnswer(BaseModel):
    """A case in short, as the answer to a registration or a command."""

    id: UUID
    number: str
    trace_id: str | None
    state: CaseState

    @classmethod
    def of(cls, case: Case) -> "CaseAnswer":
        """The case as it is now."""
        return cls(id=case.id, number=case.number, trace_id=telemetry.trace_id_of(case.traceparent), state=case.state)


class WorkedAnswer(CaseAnswer):
    """The answer to a command."""

    owner: str
    department: str | None

    @classmethod
    def of(cls, case: Case) -> "WorkedAnswer":
        """The case after the command."""
        short = CaseAnswer.of(case)
        return cls(**short.model_dump(), owner=case.owner, department=case.department)


def once_of(protection: Protection, key: str, command: str, body: BaseModel) -> Once:
    """The request by its key, with a hash of what is asked."""
    return Once(key=key, request_hash=protection.fingerprint(f"{command}\n{body.model_dump_json()}"))


def optional_once(protection: Protection, key: str | None, command: str, body: BaseModel) -> Once | None:
    """The request by its key; None where the caller gave none."""
    return once_of(protection, key, command, body) if key else None


def place_of(after: str | None) -> UUID | None:
    """The id after which a page begins.

    Raises:
        Invalid: it is none.
    """
    try:
        return None if after is None else UUID(after)
    except ValueError:
        raise bad_place() from None
