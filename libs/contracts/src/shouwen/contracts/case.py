"""Facts about a case: one matter that reached the group, from registration to its end. Stream ``case.v1``."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shouwen.contracts.event import Event, Identifier, Instant, Text

CaseType = Literal["inquiry", "suggestion", "complaint", "report", "service_request"]
Severity = Literal["ordinary", "major"]
Channel = Literal["phone", "letter", "visit", "email", "web_form", "suggestion_box", "survey", "system"]
Relation = Literal["client_company", "dispatched_employee", "agency_employee", "prospective_client", "branch", "other"]
CaseState = Literal["received", "assigned", "in_progress", "responded", "resolved", "withdrawn"]


class ClientMention(BaseModel):
    """The client whom a case names, in a form that only the review service can open.

    ``identifier_hash`` is the keyed hash of the resident ID number or unified social credit code; ``sealed`` is a JWE
    of ``{"name", "identifier"}`` for the review service. No other service needs the name.
    """

    model_config = ConfigDict(frozen=True)

    identifier_hash: Text | None = None
    sealed: Text | None = None


class CaseFact(Event):
    """What every fact about a case carries."""

    stream: ClassVar[str] = "case.v1"
    aggregate: ClassVar[str] = "case"

    case_id: UUID
    number: Text = Field(description="The human-readable number, such as BJ-2026-000001")

    @property
    def key(self) -> str:
        return str(self.case_id)


class CaseRegistered(CaseFact):
    """A matter entered the register and has a first person responsible (001 §13(一), §20; 002 七(三)).

    Emitted by intake. Heard by sla (arms clocks), notify (tells the owner), review (screens the client).
    """

    event_type: ClassVar[str] = "case.registered.v1"

    case_type: CaseType
    severity: Severity | None = Field(None, description="For complaints; ordinary unless the register says major")
    channel: Channel
    relation: Relation = "other"
    received_at: Instant = Field(description="When the matter reached the group; clocks count from here")
    registered_at: Instant = Field(description="When the clerk entered it; later than received_at for letters")
    registrar: Identifier = Field(description="The person who registered it")
    owner: Identifier = Field(description="The person responsible: the first one asked, until a hand-over")
    department: Identifier | None = None
    promised_at: Instant | None = Field(None, description="The reply time agreed with the requester, if any")
    client: ClientMention | None = None


class CaseAssigned(CaseFact):
    """Responsibility for a case passed to another person (003 §10(一)).

    Emitted by intake. Heard by sla (knows who answers for a breach), notify (tells the new owner).
    """

    event_type: ClassVar[str] = "case.assigned.v1"

    assigned_at: Instant
    owner: Identifier
    department: Identifier | None = None
    assigned_by: Identifier


class CaseReplied(CaseFact):
    """The requester was answered, orally or in writing.

    Emitted by intake. Heard by sla (stops first_response and reply).
    """

    event_type: ClassVar[str] = "case.replied.v1"

    replied_at: Instant
    replied_by: Identifier
    written: bool = False


class CasePlanDelivered(CaseFact):
    """A written plan reached the requester (004 三(六)).

    Emitted by intake. Heard by sla (stops written_plan).
    """

    event_type: ClassVar[str] = "case.plan_delivered.v1"

    delivered_at: Instant
    delivered_by: Identifier


class CaseResolved(CaseFact):
    """The matter was handled to its end.

    Emitted by intake. Heard by sla (stops every clock of the case).
    """

    event_type: ClassVar[str] = "case.resolved.v1"

    resolved_at: Instant
    resolved_by: Identifier


class CaseWithdrawn(CaseFact):
    """The requester withdrew the matter.

    Emitted by intake. Heard by sla (cancels every clock of the case).
    """

    event_type: ClassVar[str] = "case.withdrawn.v1"

    withdrawn_at: Instant
    recorded_by: Identifier


class CaseMarked(CaseFact):
    """A case got a mark, such as that its client stands on the list of dishonest clients (002 六5).

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.marked.v1"

    marked_at: Instant
    mark: Literal["client_blacklisted", "client_name_similar"]
    reason_code: Text | None = None


CaseEvent = CaseRegistered | CaseAssigned | CaseReplied | CasePlanDelivered | CaseResolved | CaseWithdrawn | CaseMarked
