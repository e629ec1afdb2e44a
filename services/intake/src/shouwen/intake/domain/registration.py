"""Entering a matter into the register (I-01, I-04, I-05, I-07, I-17)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shouwen.contracts.case import CaseMarked, CaseRegistered, CaseType, Channel, ClientMention, Relation, Severity
from shouwen.intake.domain.case import Case, past, severity_of
from shouwen.runtime.errors import Invalid, Refused


class ClientBlacklisted(Refused):
    """The client stands on the list of dishonest clients: service is refused (002 六5)."""

    def __init__(self, reason_code: str) -> None:
        self.reason_code = reason_code
        super().__init__(
            f"The client is on the list of dishonest clients ({reason_code}): a service request is not accepted.",
            field="client.identifier",
            remedy="A complaint or a report of this client can still be registered; the list is kept by review.",
        )

    @property
    def members(self) -> Mapping[str, str]:
        """The reason code, for programs."""
        return {"reason_code": self.reason_code}


@dataclass(frozen=True, slots=True)
class Particulars:
    """The words and names of people in a case. They are encrypted at rest and stay in intake."""

    subject: str
    description: str
    requester_name: str | None
    requester_phone: str | None
    client_name: str | None
    client_identifier: str | None
    requester_email: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A matter as the registrar hands it in."""

    type: CaseType
    channel: Channel
    branch: str
    severity: Severity | None
    relation: Relation
    received_at: datetime | None
    promised_at: datetime | None
    owner: str | None
    department: str | None
    particulars: Particulars


@dataclass(frozen=True, slots=True)
class Checked:
    """A registration whose own fields are right, with what was left out filled in."""

    registration: Registration
    severity: Severity | None
    received_at: datetime
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who enters the matter; a system cannot be responsible for it."""

    person: str
    is_system: bool = False


def check(registration: Registration, *, now: datetime) -> Checked:
    """Hold the registration against the rules that need no stored state.

    Raises:
        Invalid: a field contradicts another, or a time cannot be.
    """
    severity = severity_of(registration.type, registration.severity)
    received_at = past(registration.received_at, field="received_at", now=now)
    if registration.promised_at is not None and registration.promised_at <= received_at:
        raise Invalid(
            "The reply was promised for a time before the matter was received.",
            field="promised_at",
            remedy="Give the time agreed with the requester, later than received_at.",
        )
    return Checked(registration=registration, severity=severity, received_at=received_at, registered_at=now)


def first_owner(registration: Registration, registrar: Registrar) -> str:
    """The person responsible from the start: who was asked first, unless another is named (I-05; 001 §13(一)).

    Raises:
        Invalid: a system registers and names no person.
    """
    if registration.owner is not None:
        return registration.owner
    if registrar.is_system:
        raise Invalid(
            "A system cannot be responsible for a matter.", field="owner", remedy="Name the person who answers for it."
        )
    return registrar.person


def register(
    checked: Checked,
    *,
    case_id: UUID,
    number: str,
    registrar: Registrar,
    owner: str,
    department: str | None,
    client: ClientMention | None,
    traceparent: str | None,
) -> tuple[Case, CaseRegistered]:
    """The new case, and the fact that tells of it."""
    registration = checked.registration
    case = Case(
        id=case_id,
        number=number,
        branch=registration.branch,
        type=registration.type,
        severity=checked.severity,
        channel=registration.channel,
        relation=registration.relation,
        state="received",
        received_at=checked.received_at,
        registered_at=checked.registered_at,
        registrar=registrar.person,
        owner=owner,
        department=department,
        promised_at=registration.promised_at,
        traceparent=traceparent,
    )
    fact = CaseRegistered(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        case_type=case.type,
        severity=case.severity,
        channel=case.channel,
        relation=case.relation,
        received_at=case.received_at,
        registered_at=case.registered_at,
        registrar=case.registrar,
        owner=case.owner,
        department=case.department,
        promised_at=case.promised_at,
        client=client,
    )
    return case, fact


def refuse_service(type: CaseType, reason_code: str | None) -> None:
    """Refuse the service request of a listed client; every other kind stays a duty (I-17; 002 六5).

    Raises:
        ClientBlacklisted: the client is listed for ``reason_code`` and asks for service.
    """
    if reason_code is not None and type == "service_request":
        raise ClientBlacklisted(reason_code)


def mark_listed(case: Case, *, reason_code: str, now: datetime) -> CaseMarked:
    """The mark of a case whose client stands on the list by identifier."""
    return CaseMarked(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        marked_at=now,
        mark="client_blacklisted",
        reason_code=reason_code,
    )


def mark_similar(case: Case, *, reason_code: str, now: datetime) -> CaseMarked:
    """The mark of a case whose client's name is near to a listed one: a person must look."""
    return CaseMarked(
        branch=case.branch,
        case_id=case.id,
        number=case.number,
        marked_at=now,
        mark="client_name_similar",
        reason_code=reason_code,
    )
