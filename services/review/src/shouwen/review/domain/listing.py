"""The life of an entry on the list of dishonest clients: two persons put a client on it, two take them off (002 六5).

While it is ``listed`` or ``appealed`` the client counts as dishonest: an appeal alone changes nothing. What anybody did
stays in the entry's history for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shouwen.contracts.client import ClientBlacklisted, ClientDelisted, ClientReferred, ForgeryConfirmed
from shouwen.review.domain.identity import Kind
from shouwen.runtime.errors import Forbidden, Invalid, Refused

EntryState = Literal["proposed", "listed", "appealed", "delisted", "rejected"]
StepName = Literal["proposed", "confirmed", "appealed", "lifted", "rejected"]

PROPOSERS = ("clerk", "manager", "department_head", "coordinator", "general_manager")
FORGERY = "forged_documents"
"""The reason code of forged papers (002 六5)."""
DECIDERS = ("manager", "general_manager")
"""Roles that may confirm, lift and reject."""

_FROM: Mapping[StepName, Mapping[EntryState, EntryState]] = {
    "confirmed": {"proposed": "listed"},
    "appealed": {"listed": "appealed"},
    "lifted": {"appealed": "delisted"},
    "rejected": {"proposed": "rejected", "appealed": "listed"},
}


class NotNow(Refused):
    """The entry's state does not allow this."""

    def __init__(self, entry: "Entry", step: StepName) -> None:
        states = " or ".join(_FROM[step])
        super().__init__(
            f"The entry is {entry.state}; it can be {step} only while it is {states}.",
            field="state",
            remedy="GET /api/list-entries/{id} shows who did what.",
        )


class NothingToRefer(Refused):
    """Nobody has confirmed a serious forgery of this client, so there is nothing to refer (002 六5)."""

    def __init__(self) -> None:
        super().__init__(
            field="client_id",
            remedy=f"Propose the client for the list as {FORGERY} with serious=true, and have it confirmed.",
        )


class ReferredBefore(Refused):
    """The forgery was reported to the judiciary before."""

    def __init__(self) -> None:
        super().__init__(field="client_id", remedy="Nothing is to be done; GET /api/clients/{id} shows the client.")


class SamePerson(Forbidden):
    """The second step must be another person's."""

    def __init__(self, first: StepName) -> None:
        super().__init__(
            f"You {first} this yourself; the second step must be another person's (002 六5).",
            field="person",
            remedy="Ask a colleague with one of the roles " + ", ".join(DECIDERS) + ".",
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry, without names and identifiers. ``proposed_by`` and ``appealed_by`` are the first of two persons.

    ``serious``: the forgery may be a crime, and has to be reported to the judiciary once it is confirmed.
    """

    id: UUID
    branch: str
    kind: Kind
    identifier_hash: str
    reason_code: str
    state: EntryState
    proposed_by: str
    proposed_at: datetime
    client_id: UUID | None = None
    serious: bool = False
    confirmed_by: str | None = None
    confirmed_at: datetime | None = None
    appealed_by: str | None = None
    appealed_at: datetime | None = None
    lifted_by: str | None = None
    lifted_at: datetime | None = None

    def after(self, step: StepName) -> EntryState:
        """The state which the step leads to. Raises NotNow when it is not possible."""
        state = _FROM[step].get(self.state)
        if state is None:
            raise NotNow(self, step)
        return state


def confirm(entry: Entry, *, person: str, now: datetime) -> tuple[Entry, ClientBlacklisted]:
    """The second person confirms: the client is on the list.

    Raises:
        NotNow: it is not proposed.
        SamePerson: it is the proposer.
    """
    state = entry.after("confirmed")
    if person == entry.proposed_by:
        raise SamePerson("proposed")
    fact = ClientBlacklisted(
        branch=entry.branch,
        list_entry_id=entry.id,
        identifier_hash=entry.identifier_hash,
        reason_code=entry.reason_code,
        listed_at=now,
        proposed_by=entry.proposed_by,
        confirmed_by=person,
    )
    return replace(entry, state=state, confirmed_by=person, confirmed_at=now), fact


def check_serious(*, serious: bool, reason_code: str, client_id: UUID | None) -> None:
    """Only a forgery can be serious, and only of a client on file: the referral is about a record (002 六5).

    Raises:
        Invalid: it is neither.
    """
    if not serious:
        return
    if reason_code != FORGERY:
        raise Invalid(
            f"Only {FORGERY} can be serious.", field="serious", remedy="Leave it out, or correct reason_code."
        )
    if client_id is None:
        raise Invalid(
            "A serious forgery is referred with the client's record.",
            field="client_id",
            remedy="Give the client_id of the client on file.",
        )


def forgery(entry: Entry, *, person: str, now: datetime) -> ForgeryConfirmed | None:
    """What else the confirmation of an entry tells: that a client on file has forged something (V-04)."""
    if entry.reason_code != FORGERY or entry.client_id is None:
        return None
    return ForgeryConfirmed(
        branch=entry.branch,
        client_id=entry.client_id,
        confirmed_at=now,
        serious=entry.serious,
        proposed_by=entry.proposed_by,
        confirmed_by=person,
    )


def refer(
    *, branch: str, client_id: UUID, is_serious: bool, referred_at: datetime | None, person: str, now: datetime
) -> ClientReferred:
    """The forgery was reported to the judiciary.

    Raises:
        NothingToRefer: nobody has confirmed a serious forgery of the client.
        Invalid: the time is in the future.
    """
    if not is_serious:
        raise NothingToRefer
    if referred_at is not None and referred_at > now + timedelta(seconds=5):
        raise Invalid("The time is in the future.", field="referred_at", remedy="Give a past time, or leave it out.")
    return ClientReferred(
        branch=branch, client_id=client_id, referred_at=min(referred_at or now, now), referred_by=person
    )


def appeal(entry: Entry, *, person: str, now: datetime) -> Entry:
    """The first person takes up the client's appeal; the client stays on the list meanwhile.

    Raises:
        NotNow: it is not listed.
    """
    return replace(entry, state=entry.after("appealed"), appealed_by=person, appealed_at=now)


def lift(entry: Entry, *, person: str, now: datetime) -> tuple[Entry, ClientDelisted]:
    """The second person grants the appeal: the client is off the list.

    Raises:
        NotNow: nobody has appealed.
        SamePerson: it is the person who took up the appeal.
    """
    state = entry.after("lifted")
    if entry.appealed_by is None or person == entry.appealed_by:
        raise SamePerson("appealed")
    fact = ClientDelisted(
        branch=entry.branch,
        list_entry_id=entry.id,
        identifier_hash=entry.identifier_hash,
        reason_code=entry.reason_code,
        delisted_at=now,
        proposed_by=entry.appealed_by,
        confirmed_by=person,
    )
    return replace(entry, state=state, lifted_by=person, lifted_at=now), fact


def reject(entry: Entry, *, person: str) -> Entry:
    """The second person turns a proposal or an appeal down.

    Raises:
        NotNow: neither is open.
        SamePerson: it is the first person.
    """
    state = entry.after("rejected")
    first = entry.proposed_by if entry.state == "proposed" else entry.appealed_by
    if person == first:
        raise SamePerson("proposed" if entry.state == "proposed" else "appealed")
    return replace(entry, state=state)
