"""Facts about a case: one matter that reached the group, from registration to its end. Stream ``case.v1``."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shouwen.contracts.event import Event, Identifier, Instant, Text

CaseType = Literal["inquiry", "suggestion", "complaint", "report", "service_request"]
Severity = Literal["ordinary", "major"]
Channel = Literal["phone", "letter", "visit", "email", "web_form", "suggestion_box", "survey", "system"]
Relation = Literal["client_company", "dispatched_employee", "agency_employee", "prospective_client", "branch", "other"]
CaseState = Literal[
    "received",
    "acknowledged",
    "assigned",
    "in_progress",
    "pending",
    "responded",
    "resolved",
    "closed",
    "withdrawn",
    "merged",
]


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
    parent_id: Annotated[UUID | None, Field(description="Of a part: the case that was split (003 §7(一))")] = None


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


class CaseReclassified(CaseFact):
    """The kind or severity of a case was corrected (002 七(四)); ``received_at`` repeats when the matter came in.

    Emitted by intake. Heard by sla (the clocks of the old kind end, those of the new one count from the receipt).
    """

    event_type: ClassVar[str] = "case.reclassified.v1"

    reclassified_at: Instant
    received_at: Instant
    case_type: CaseType
    severity: Severity | None = None
    previous_type: CaseType
    previous_severity: Severity | None = None
    reclassified_by: Identifier


class CaseAcknowledged(CaseFact):
    """The requester was told that the matter came in and who answers for it (ISO 10002: acknowledgement).

    Emitted by intake. Heard by sla (meets the response to an urgent matter).
    """

    event_type: ClassVar[str] = "case.acknowledged.v1"

    acknowledged_at: Instant
    acknowledged_by: Identifier


class CasePromised(CaseFact):
    """A reply time was agreed with the requester, or agreed anew (002 七(三)).

    Emitted by intake. Heard by sla (the promise has a clock of its own).
    """

    event_type: ClassVar[str] = "case.promised.v1"

    agreed_at: Instant
    promised_at: Instant = Field(description="The agreed reply time")
    requester_consented: bool = Field(
        False, description="Whether the requester's consent to a later time than policy demands was recorded"
    )
    recorded_by: Identifier


class CasePaused(CaseFact):
    """Work on a case waits for somebody else.

    Emitted by intake. Heard by sla (pauses the targets that may pause for this reason).
    """

    event_type: ClassVar[str] = "case.paused.v1"

    paused_at: Instant
    reason: Literal["awaiting_requester", "awaiting_third_party"]
    expected_until: Instant | None = Field(None, description="When the answer is expected")
    paused_by: Identifier


class CaseResumed(CaseFact):
    """Work on a paused case went on. Emitted by intake. Heard by sla (resumes its clocks)."""

    event_type: ClassVar[str] = "case.resumed.v1"

    resumed_at: Instant
    resumed_by: Identifier


class CaseReopened(CaseFact):
    """A case that had ended was taken up again; its first run is kept.

    Emitted by intake. Heard by sla (a new cycle, or the old clocks go on, as the pack says), notify (tells the owner).
    """

    event_type: ClassVar[str] = "case.reopened.v1"

    reopened_at: Instant
    cycle: int = Field(ge=2, description="The how manieth run of the case begins")
    reason: Literal["dissatisfied", "new_information", "ended_wrongly"]
    owner: Identifier
    department: Identifier | None = None
    reopened_by: Identifier


class CaseMerged(CaseFact):
    """A case turned out to be the same matter as another, which goes on for both; its history is kept.

    Emitted by intake. Heard by sla (cancels the clocks of this case; the other's stand).
    """

    event_type: ClassVar[str] = "case.merged.v1"

    merged_at: Instant
    into_id: UUID
    into_number: Text
    merged_by: Identifier


class CaseLinked(CaseFact):
    """A case was linked to another one that is near to it. Emitted by intake. Heard by nobody in the suite yet."""

    event_type: ClassVar[str] = "case.linked.v1"

    linked_at: Instant
    other_id: UUID
    other_number: Text
    linked_by: Identifier


class CaseSplit(CaseFact):
    """A case that spans departments was split into parts, each a case with this one as its parent (003 §7(一)).

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.split.v1"

    split_at: Instant
    parts: tuple[UUID, ...] = Field(min_length=1)
    split_by: Identifier


class CaseFoundMalicious(CaseFact):
    """Two persons found that a complaint is untrue, or a smear in public (002 七(二)).

    Emitted by intake. Heard by sla (cancels its clocks, from here on and not before).
    """

    event_type: ClassVar[str] = "case.found_malicious.v1"

    found_at: Instant
    proposed_by: Identifier
    confirmed_by: Identifier


class CaseClosed(CaseFact):
    """A resolved case was closed: nothing more is to follow. Emitted by intake. Heard by nobody in the suite yet."""

    event_type: ClassVar[str] = "case.closed.v1"

    closed_at: Instant
    closed_by: Identifier


class CaseNoticeRequested(CaseFact):
    """The requester is to be told something; ``sealed`` is a JWE that only notify can open.

    It holds ``name``, ``email`` and ``phone`` of the requester as far as they are known, and the values of the notice:
    ``handover``: ``contact_name``, ``contact_department``, ``contact_phone``; ``extension``: ``due_at``;
    ``survey``: ``link``; ``suggestion_decision``: ``decision``; ``progress``: ``link``, ``code``; ``reply``: ``text``.

    Emitted by intake. Heard by notify (mails the requester, or asks the owner to call where there is no address).
    """

    event_type: ClassVar[str] = "case.notice_requested.v1"

    requested_at: Instant
    notice: Literal["handover", "extension", "survey", "suggestion_decision", "progress", "reply"]
    owner: Identifier = Field(description="Who tells the requester in person when no message can reach them")
    sealed: Text


CaseLifeEvent = (
    CaseRegistered
    | CaseAssigned
    | CaseReplied
    | CasePlanDelivered
    | CaseResolved
    | CaseWithdrawn
    | CaseMarked
    | CaseReclassified
    | CaseAcknowledged
    | CasePromised
    | CasePaused
    | CaseResumed
    | CaseReopened
    | CaseMerged
    | CaseLinked
    | CaseSplit
    | CaseFoundMalicious
    | CaseClosed
    | CaseNoticeRequested
)
