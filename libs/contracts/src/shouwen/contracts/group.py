"""Facts that other systems of the group publish. Stream ``group.v1``, keyed by the publisher's own subject.

The suite times these facts; it does not own their subjects. The subject (``ce_subject``, as ``injury/2026-0012``)
is the publisher's name for the matter, and the facts that start and stop a clock carry the same one. No personal data
belongs in them: name people by the publisher's reference.
"""

from typing import ClassVar

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

    Heard by sla (starts the clock of social-insurance registration).
    """

    event_type: ClassVar[str] = "employment.started.v1"

    started_on: Day = Field(description="The first day of employment, in the branch's zone")


class SocialInsuranceRegistered(GroupFact):
    """The social-insurance registration was filed.

    Heard by sla (stops the clock of social-insurance registration).
    """

    event_type: ClassVar[str] = "social_insurance.registered.v1"

    registered_at: Instant


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
    """Wages are to be paid on an agreed day each month (004 三(三)). Heard by sla (no pack times it yet)."""

    event_type: ClassVar[str] = "payroll.scheduled.v1"

    day_of_month: int = Field(ge=1, le=31)
    first_month: Day = Field(description="Any day of the first month that is to be paid")


class WagesPaid(GroupFact):
    """The wages of a month were paid. Heard by sla (no pack times it yet)."""

    event_type: ClassVar[str] = "wages.paid.v1"

    month: Day
    paid_at: Instant


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
)
