"""Who sees the names and numbers of people in a case (I-18; 000 §15)."""

from shouwen.intake.domain.case import Actor, Case
from shouwen.intake.domain.registration import Particulars


def sees_unmasked(case: Case, actor: Actor) -> bool:
    """Whether the actor needs the requester's and client's data: owner or who stands in, registrar, who directs.

    Group roles do not: they judge how a matter is handled, not whose it is.
    """
    return actor.person in {case.owner, *case.delegates, case.registrar} or actor.directs(case.branch)


def fields_to_mask(particulars: Particulars) -> tuple[str, ...]:
    """The fields that are masked for everyone else; a look at them unmasked is recorded.

    Subject and description are not among them: without them nobody could take over a call.
    """
    fields = {
        "requester.name": particulars.requester_name,
        "requester.phone": particulars.requester_phone,
        "requester.email": particulars.requester_email,
        "client.identifier": particulars.client_identifier,
    }
    return tuple(name for name, value in fields.items() if value)
