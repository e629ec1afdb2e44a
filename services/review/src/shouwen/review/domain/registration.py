"""Putting a client on file (V-01; 002 六2, 六3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from shouwen.review.domain.identity import Kind, checked
from shouwen.runtime.errors import Invalid, Refused


class NoConsent(Invalid):
    """Nothing about a client is looked up or kept without their consent (002 六3)."""

    def __init__(self) -> None:
        super().__init__(field="consent", remedy="Ask the client; send true when they have agreed.")


class KnownClient(Refused):
    """The branch has this client on file already."""

    def __init__(self, number: str) -> None:
        super().__init__(
            f"The branch has this client on file already: form {number}.",
            field="identifier",
            remedy=f"Use form {number}.",
        )


class ListedClient(Refused):
    """The client is on the list of dishonest clients: no service is given any more (002 六5)."""

    def __init__(self, reason_code: str) -> None:
        super().__init__(
            f"The client is on the list of dishonest clients ({reason_code}): no service is given (002 六5).",
            field="identifier",
            remedy="A client may appeal: POST /api/list-entries/{id}/appeal.",
        )
        self._reason_code = reason_code

    @property
    def members(self) -> Mapping[str, str]:
        """The reason code, for programs."""
        return {"reason_code": self._reason_code}


@dataclass(frozen=True, slots=True)
class Form:
    """What a clerk writes down about a client. ``originals_seen`` names the documents whose originals were shown."""

    branch: str
    kind: Kind
    name: str
    identifier: str
    consent: bool
    originals_seen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Client:
    """A client on file, without name and identifier."""

    id: UUID
    number: str
    branch: str
    kind: Kind
    registered_by: str
    registered_at: datetime
    originals_seen: tuple[str, ...]


def check(form: Form, *, today: date) -> Form:
    """The form with its identifier in plain form.

    Raises:
        NoConsent: the client has not agreed.
        BadIdentifier: the identifier cannot be right.
        Invalid: the name is empty.
    """
    if not form.consent:
        raise NoConsent
    name = " ".join(form.name.split())
    if not name:
        raise Invalid("The name is empty.", field="name", remedy="Write the name as the original has it.")
    identifier, _ = checked(form.identifier, form.kind, today=today)
    return Form(form.branch, form.kind, name, identifier, form.consent, form.originals_seen)


def form_number(branch: str, year: int, position: int) -> str:
    """The number of a registration form: ``DJ-BEIJING-2026-000001`` (登记), gap-free per branch and year."""
    return f"DJ-{branch.upper()}-{year}-{position:06}"


def local_date(at: datetime, time_zone: str) -> date:
    """The calendar day of a moment where the branches are."""
    return at.astimezone(ZoneInfo(time_zone)).date()
