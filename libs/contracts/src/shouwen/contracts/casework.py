"""Facts about the work on a case: hand-overs, investigation, evaluation, remedy, survey. Stream ``case.v1``."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from shouwen.contracts.case import CaseFact, CaseLifeEvent, Channel, ClientMention
from shouwen.contracts.event import Identifier, Instant, Text

Finding = Literal["violation", "neglect_of_duty", "not_substantiated", "malicious", "not_caused_by_us"]
Remedy = Literal["apology", "compensation", "follow_up_service"]
EvaluationDecision = Literal["approved", "approved_with_conditions", "refused"]


class HandoverOffered(CaseFact):
    """The person responsible offered the case to another one; until it is accepted it stays theirs (001 §13(一)).

    Emitted by intake. Heard by notify (asks the receiver to accept or return it).
    """

    event_type: ClassVar[str] = "case.handover_offered.v1"

    offered_at: Instant
    offered_by: Identifier
    owner: Identifier = Field(description="Who stays responsible until the offer is accepted")
    receiver: Identifier
    department: Identifier | None = None
    answer_until: Instant = Field(description="Until when the receiver may return it")


class HandoverAccepted(CaseFact):
    """The receiver took the case over: responsibility has passed (003 §10(一)).

    Emitted by intake. Heard by sla (knows who answers for a breach), notify (tells the person who gave it away).
    """

    event_type: ClassVar[str] = "case.handover_accepted.v1"

    accepted_at: Instant
    owner: Identifier
    department: Identifier | None = None
    previous_owner: Identifier
    previous_department: Identifier | None = None


class HandoverReturned(CaseFact):
    """The receiver did not take the case, or did not answer in time: it stays with its owner (003 §10(一)).

    Emitted by intake. Heard by notify (tells the owner).
    """

    event_type: ClassVar[str] = "case.handover_returned.v1"

    returned_at: Instant
    owner: Identifier
    receiver: Identifier
    lapsed: bool = Field(False, description="Whether the time to answer ran out without an answer")


class InvestigationOpened(CaseFact):
    """A complaint got an investigator, who is not the person complained of (002 七(四)3; 001 §23).

    Emitted by intake. Heard by notify (tells the investigator).
    """

    event_type: ClassVar[str] = "case.investigation_opened.v1"

    opened_at: Instant
    investigator: Identifier
    opened_by: Identifier


class FindingRecorded(CaseFact):
    """The investigator came to a finding; it stands only when it is approved.

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.finding_recorded.v1"

    found_at: Instant
    finding: Finding
    investigator: Identifier


class RulingApproved(CaseFact):
    """A second person approved the finding and what follows from it.

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.ruling_approved.v1"

    approved_at: Instant
    finding: Finding
    approved_by: Identifier


class CorrectiveActionAssigned(CaseFact):
    """Somebody has to put something right until a day (002 七(四)3).

    Emitted by intake. Heard by notify (tells them).
    """

    event_type: ClassVar[str] = "case.corrective_action_assigned.v1"

    action_id: UUID
    assigned_at: Instant
    owner: Identifier
    due_at: Instant


class CorrectiveActionCompleted(CaseFact):
    """What had to be put right was. Emitted by intake. Heard by nobody in the suite yet."""

    event_type: ClassVar[str] = "case.corrective_action_completed.v1"

    action_id: UUID
    completed_at: Instant
    completed_by: Identifier


class RemedyRecorded(CaseFact):
    """An apology, a compensation or a follow-up service was given (001 §17(三)).

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.remedy_recorded.v1"

    given_at: Instant
    remedy: Remedy
    recorded_by: Identifier


class EvaluationRequested(CaseFact):
    """A request outside the contract went to the body that decides about it (000 §17, 001 §8).

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.evaluation_requested.v1"

    evaluation_id: UUID
    requested_at: Instant
    requested_by: Identifier


class EvaluationDecided(CaseFact):
    """It was decided whether a request outside the contract may be promised, and on which conditions (000 §17).

    Emitted by intake. Heard by notify (tells the person responsible).
    """

    event_type: ClassVar[str] = "case.evaluation_decided.v1"

    evaluation_id: UUID
    decided_at: Instant
    decision: EvaluationDecision
    decided_by: Identifier
    owner: Identifier = Field(description="The person responsible for the case, who waits for this")


class SuggestionDecided(CaseFact):
    """It was decided whether a suggestion is adopted (002 七(四)2).

    Emitted by intake. Heard by sla (stops decision).
    """

    event_type: ClassVar[str] = "case.suggestion_decided.v1"

    decided_at: Instant
    adopted: bool
    decided_by: Identifier


class SuggestionDigested(CaseFact):
    """A suggestion went to the department it is for, in the weekly digest (002 七(四)2).

    Emitted by intake. Heard by sla (stops digest).
    """

    event_type: ClassVar[str] = "case.digested.v1"

    digested_at: Instant
    department: Identifier


class SurveyInvited(CaseFact):
    """The requester of an ended case was asked how satisfied they are (001 §21).

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.survey_invited.v1"

    survey_id: UUID
    invited_at: Instant


class SurveyAnswered(CaseFact):
    """The requester said how satisfied they are. Emitted by intake. Heard by nobody in the suite yet."""

    event_type: ClassVar[str] = "case.survey_answered.v1"

    survey_id: UUID
    answered_at: Instant
    score: int = Field(ge=1, le=5, description="1 very dissatisfied … 5 very satisfied")


class RequesterWrote(CaseFact):
    """The requester wrote again in the same matter, as by answering an e-mail; the words stay in intake.

    Emitted by intake. Heard by notify (tells the owner).
    """

    event_type: ClassVar[str] = "case.requester_wrote.v1"

    written_at: Instant = Field(description="When it reached the group")
    channel: Channel
    owner: Identifier = Field(description="Who answers for the case now")


class AttachmentAdded(CaseFact):
    """A file was put with a case; its name and content stay in intake.

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "case.attachment_added.v1"

    attachment_id: UUID
    added_at: Instant
    added_by: Identifier
    media_type: Text
    size_bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the content as it came in")


class CaseErased(CaseFact):
    """The words about a person were taken out of a case for good; its history stays (I-18).

    Whoever keeps words of this case, or data of this client, from before ``erased_at`` has to forget them too.

    Emitted by intake. Heard by notify (takes the words and addresses of its notices away), review (takes name and
    identifier out of the client's file).
    """

    event_type: ClassVar[str] = "case.erased.v1"

    whose: Literal["client", "requester"]
    erased_at: Instant
    client: Annotated[
        ClientMention | None,
        Field(description="The client who was erased, by the hash alone; null when a requester was"),
    ] = None


CaseEvent = (
    CaseLifeEvent
    | HandoverOffered
    | HandoverAccepted
    | HandoverReturned
    | InvestigationOpened
    | FindingRecorded
    | RulingApproved
    | CorrectiveActionAssigned
    | CorrectiveActionCompleted
    | RemedyRecorded
    | EvaluationRequested
    | EvaluationDecided
    | SuggestionDecided
    | SuggestionDigested
    | SurveyInvited
    | SurveyAnswered
    | RequesterWrote
    | AttachmentAdded
    | CaseErased
)
