"""What notify hears."""

from functools import partial

from shouwen.contracts.case import CaseAssigned, CaseNoticeRequested, CaseRegistered, CaseReopened
from shouwen.contracts.casework import (
    CaseErased,
    CorrectiveActionAssigned,
    EvaluationDecided,
    HandoverAccepted,
    HandoverOffered,
    HandoverReturned,
    InvestigationOpened,
    RequesterWrote,
)
from shouwen.contracts.clock import ClockAtRisk, ClockBreached, ClockRecalculated, EscalationRaised
from shouwen.contracts.directory import BranchDescribed, DelegationDescribed, PersonDescribed
from shouwen.notify import handlers
from shouwen.notify.handlers import Office
from shouwen.runtime.subscriptions import Subscriptions


def subscriptions(office: Office) -> Subscriptions:
    """The table of events and their handlers."""
    table = Subscriptions()
    tell = partial(handlers.tell, office=office)
    table.each(CaseRegistered, tell)
    table.each(CaseAssigned, tell)
    table.each(CaseReopened, tell)
    table.each(HandoverOffered, tell)
    table.each(HandoverAccepted, tell)
    table.each(HandoverReturned, tell)
    table.each(InvestigationOpened, tell)
    table.each(CorrectiveActionAssigned, tell)
    table.each(EvaluationDecided, tell)
    table.each(RequesterWrote, tell)
    table.each(CaseNoticeRequested, partial(handlers.tell_requester, office=office))
    table.each(CaseErased, partial(handlers.erase_notices, office=office))
    table.each(ClockAtRisk, tell)
    table.each(ClockBreached, tell)
    table.each(ClockRecalculated, tell)
    table.each(EscalationRaised, tell)
    table.each(BranchDescribed, handlers.describe_branch)
    table.each(PersonDescribed, partial(handlers.describe_person, office=office))
    table.each(DelegationDescribed, handlers.describe_delegation)
    return table
