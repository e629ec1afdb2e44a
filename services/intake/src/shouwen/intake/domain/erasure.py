"""Erasing the data of one client or one requester (I-18): one person asks for it, another decides."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shouwen.intake.domain.directory import GROUP_ADMIN
from shouwen.runtime.errors import Forbidden, Refused

Whose = Literal["client", "requester"]
FoundBy = Literal["client_identifier", "phone", "email"]
State = Literal["proposed", "done", "rejected"]

ROLE = GROUP_ADMIN
"""Who may ask for an erasure, and decide one: it reaches over all branches."""

ERASED_TEXT = "（已删除 / erased）"
"""What stands where words were."""


class OpenCases(Refused):
    """Cases of this person are still open: without the data they could not be handled."""

    def __init__(self, numbers: tuple[str, ...]) -> None:
        shown = ", ".join(numbers[:5]) + (", …" if len(numbers) > 5 else "")
        super().__init__(
            f"Open: {shown}. Without the data they could not be handled.",
            field="person",
            remedy="Bring these cases to their end, or record that the requester withdrew them; then erase.",
        )


class NothingToErase(Refused):
    """No case has data of this person."""

    def __init__(self) -> None:
        super().__init__(field="person", remedy="Check the number or address; it may be erased already.")


class AskedAlready(Refused):
    """The erasure of this person's data was asked for already and waits for its decision."""

    def __init__(self) -> None:
        super().__init__(field="person", remedy="GET /api/erasures?state=proposed shows it.")


class Decided(Refused):
    """The erasure is decided already."""

    def __init__(self) -> None:
        super().__init__(field="state", remedy="GET /api/erasures shows what became of it.")


class OwnProposal(Forbidden):
    """Who asked for an erasure cannot decide it."""

    def __init__(self) -> None:
        super().__init__(field="decided_by", remedy=f"Ask another person with the role {ROLE}.")


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasure of one person's data; ``person_hash`` is what their cases are found by."""

    id: UUID
    whose: Whose
    found_by: FoundBy
    person_hash: str
    state: State
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    cases: int
    """How many cases hold the data; once it is done, how many held them."""

    def carried_out(self, *, by: str, at: datetime, cases: int) -> "Erasure":
        """The erasure, done.

        Raises:
            Decided, OwnProposal: what stands against it.
        """
        return self._decided("done", by, at, cases)

    def rejected(self, *, by: str, at: datetime) -> "Erasure":
        """The erasure, rejected; who asked for it may take it back so.

        Raises:
            Decided: it is done or rejected.
        """
        if self.state != "proposed":
            raise Decided
        return replace(self, state="rejected", decided_by=None if by == self.proposed_by else by, decided_at=at)

    def _decided(self, state: State, by: str, at: datetime, cases: int) -> "Erasure":
        if self.state != "proposed":
            raise Decided
        if by == self.proposed_by:
            raise OwnProposal
        return replace(self, state=state, decided_by=by, decided_at=at, cases=cases)


def whose_of(found_by: FoundBy) -> Whose:
    """Whose data are found by it."""
    return "client" if found_by == "client_identifier" else "requester"
