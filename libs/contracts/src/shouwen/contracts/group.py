"""Facts that other systems of the group publish. Stream ``group.v1``, keyed by the publisher's own subject.

The suite times these facts; it does not own their subjects. The subject (``ce_subject``, as ``injury/2026-0012``)
is the publisher's name for the matter, and the facts that start and stop a clock carry the same one. No personal data
belongs in them: name people by the publisher's reference.
"""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from shouwen.contracts.event import Day, Event, Identifier, Instant


class GroupFact(Event):
    """What every fact of another system carries."""

    stream: ClassVar[str] = "group.v1"
    aggregate: ClassVar[str] = "group"

    owner: Identifier | None = Field(None, description="The person who answers for the matter, if the publisher knows")
    department: Identifier | None = None

    @property
    def key(self) -> str:
        raise ValueError(f"{self.event_type} needs the publisher's own subject: pass subject='…'")


class EmploymentStarted(GroupFact):
    """A dispatched employee began to work (004 三(一)(二)).

    Heard by sla (starts the clocks of social-insurance registration and of the labour contract).
    """

    event_type: ClassVar[str] = "employment.started.v1"

    started_on: Day = Field(description="The first day of employment, in the branch's zone")


class SocialInsuranceRegistered(GroupFact):
    """The social-insurance registration was filed.

    Heard by sla (stops the clock of social-insurance registration).
    """

    event_type: ClassVar[str] = "social_insurance.registered.v1"

    registered_at: Instant


class LabourContractSigned(GroupFact):
    """The labour contract of a dispatched employee was signed (004 三(一)). Heard by sla (stops contract_signing)."""

    event_type: ClassVar[str] = "labour_contract.signed.v1"

    signed_at: Instant


class InjuryReported(GroupFact):
    """A client told us of a work injury or occupational disease (004 三(四)).

    Heard by sla (starts the clocks of an injury, by event time).
    """

    event_type: ClassVar[str] = "injury.reported.v1"

    occurred_at: Instant = Field(description="When the accident happened or the disease was diagnosed")
    reported_at: Instant = Field(description="When we were told")

    @model_validator(mode="after")
    def _reported_after_it_occurred(self) -> "InjuryReported":
        if self.reported_at < self.occurred_at:
            raise ValueError("reported_at is before occurred_at; give both as they happened")
        return self


class InjuryOnSite(GroupFact):
    """Our person arrived at the place. Heard by sla (stops on_site)."""

    event_type: ClassVar[str] = "injury.on_site.v1"

    arrived_at: Instant


class InjuryPlanDelivered(GroupFact):
    """The written solution was delivered. Heard by sla (stops written_plan)."""

    event_type: ClassVar[str] = "injury.plan_delivered.v1"

    delivered_at: Instant


class InjuryAuthorityNotified(GroupFact):
    """The social-insurance authority and agency were told. Heard by sla (stops authority_notice)."""

    event_type: ClassVar[str] = "injury.authority_notified.v1"

    notified_at: Instant


class InjuryDeterminationFiled(GroupFact):
    """The application for injury determination was filed. Heard by sla (stops determination_filing)."""

    event_type: ClassVar[str] = "injury.determination_filed.v1"

    filed_at: Instant


class DisputeReported(GroupFact):
    """A labour dispute was reported to us (004 三(五)). Heard by sla (starts the clock of the written plan)."""

    event_type: ClassVar[str] = "dispute.reported.v1"

    reported_at: Instant


class DisputePlanDelivered(GroupFact):
    """The written plan for a dispute was delivered. Heard by sla (stops the clock of the written plan)."""

    event_type: ClassVar[str] = "dispute.plan_delivered.v1"

    delivered_at: Instant


class ClaimSubmitted(GroupFact):
    """An insurance claim came in (003 二1). Heard by sla (starts the clock of the first review)."""

    event_type: ClassVar[str] = "claim.submitted.v1"

    submitted_at: Instant


class ClaimFirstReviewed(GroupFact):
    """The first review of a claim was done. Heard by sla (stops the clock of the first review)."""

    event_type: ClassVar[str] = "claim.first_reviewed.v1"

    reviewed_at: Instant


class AcceptanceStarted(GroupFact):
    """A business acceptance began at the counter (001 §15). Heard by sla (starts the clock of the counter)."""

    event_type: ClassVar[str] = "acceptance.started.v1"

    started_at: Instant


class AcceptanceCompleted(GroupFact):
    """A business acceptance was done. Heard by sla (stops the clock of the counter)."""

    event_type: ClassVar[str] = "acceptance.completed.v1"

    completed_at: Instant


class PayrollScheduled(GroupFact):
    """Wages are to be paid by an agreed day each month (004 三(三)). Heard by sla (a clock for each month).

    Scheduled again, it takes the place of what was agreed before, from its first month on.
    """

    event_type: ClassVar[str] = "payroll.scheduled.v1"

    day_of_month: int = Field(ge=1, le=31, description="In a shorter month its last day")
    first_month: Day = Field(description="Any day of the first month that is to be paid")


class PayrollEnded(GroupFact):
    """Wages are no longer to be paid after a month. Heard by sla (later months have no clock)."""

    event_type: ClassVar[str] = "payroll.ended.v1"

    last_month: Day = Field(description="Any day of the last month that is to be paid")


class WagesPaid(GroupFact):
    """The wages of a month were paid. Heard by sla (stops the clock of that month)."""

    event_type: ClassVar[str] = "wages.paid.v1"

    month: Day = Field(description="Any day of the month on whose agreed day they were to be paid")
    paid_at: Instant


class StaffChangeReported(GroupFact):
    """An employee entered or left (004 二(二)1). Heard by sla (starts the clock of the settlement sheet)."""

    event_type: ClassVar[str] = "staff_change.reported.v1"

    reported_at: Instant
    change: Literal["entry", "exit"]


class StaffChangeSettled(GroupFact):
    """The settlement sheet shows an entry or exit. Heard by sla (stops the clock of the settlement sheet)."""

    event_type: ClassVar[str] = "staff_change.settled.v1"

    settled_at: Instant


class InsurancePapersReceived(GroupFact):
    """The papers of an employee's insurance claim came in (004 二(二)2).

    Heard by sla (starts the clock of the payment).
    """

    event_type: ClassVar[str] = "insurance_papers.received.v1"

    received_at: Instant


class InsuranceMoneyPaid(GroupFact):
    """The money of an employee's insurance claim arrived. Heard by sla (stops the clock of the payment)."""

    event_type: ClassVar[str] = "insurance_money.paid.v1"

    paid_at: Instant


class RecruitmentRequested(GroupFact):
    """A client formally asked for staff (004 二(二)6). Heard by sla (starts the clock of the candidates)."""

    event_type: ClassVar[str] = "recruitment.requested.v1"

    requested_at: Instant


class RecruitmentCandidatesPresented(GroupFact):
    """Candidates were presented to the client. Heard by sla (stops the clock of the candidates)."""

    event_type: ClassVar[str] = "recruitment.candidates_presented.v1"

    presented_at: Instant


class AuditDataRequested(GroupFact):
    """A client asked for service data to check them (004 二(二)7). Heard by sla (starts the clock of the data)."""

    event_type: ClassVar[str] = "audit_data.requested.v1"

    requested_at: Instant


class AuditDataProvided(GroupFact):
    """The data asked for were provided. Heard by sla (stops the clock of the data)."""

    event_type: ClassVar[str] = "audit_data.provided.v1"

    provided_at: Instant


GroupEvent = (
    EmploymentStarted
    | SocialInsuranceRegistered
    | InjuryReported
    | InjuryOnSite
    | InjuryPlanDelivered
    | InjuryAuthorityNotified
    | InjuryDeterminationFiled
    | DisputeReported
    | DisputePlanDelivered
    | ClaimSubmitted
    | ClaimFirstReviewed
    | AcceptanceStarted
    | AcceptanceCompleted
    | PayrollScheduled
    | WagesPaid
    | LabourContractSigned
    | PayrollEnded
    | StaffChangeReported
    | StaffChangeSettled
    | InsurancePapersReceived
    | InsuranceMoneyPaid
    | RecruitmentRequested
    | RecruitmentCandidatesPresented
    | AuditDataRequested
    | AuditDataProvided
)
