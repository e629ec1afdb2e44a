"""The life of an entry on the list of dishonest clients (002 六5).

proposed → listed → lift_proposed → lifted; each of the two decisions takes two different persons, and there is no
way round that for any role.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from shouwen.runtime.errors import Forbidden, Refused

EntryState = Literal["proposed", "listed", "lift_proposed", "lifted"]
IN_FORCE: frozenset[EntryState] = frozenset({"listed", "lift_proposed"})
"""An appeal changes nothing until it is granted."""


class SamePerson(Forbidden):
    """The second person must be another one than the first."""

    def __init__(self) -> None:
        super().__init__(remedy="Ask a colleague with the role to look at it and decide.")


class WrongState(Refused):
    """The entry is not in the state that this step needs."""

    def __init__(self, state: EntryState, needed: EntryState) -> None:
        super().__init__(
            f"The entry is {state}; this step needs it to be {needed}.",
            field="state",
            remedy="GET /api/list-entries/{id} shows its history.",
        )


@dataclass(frozen=True, slots=True)
class ListEntry:
    """One client on the list, or on the way there or back."""

    id: UUID
    branch: str
    identifier_hash: str
    reason_code: str
    state: EntryState
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None = None
    listed_at: datetime | None = None
    appealed_by: str | None = None
    appealed_at: datetime | None = None
    lifted_by: str | None = None
    lifted_at: datetime | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether the client is refused services now."""
        return self.state in IN_FORCE

    def confirm(self, *, by: str, at: datetime) -> "ListEntry":
        """The second person puts the client on the list.

        Raises:
            WrongState: it is not proposed.
            SamePerson: the confirming person is the proposing one.
        """
        self._require("proposed")
        if by == self.proposed_by:
            raise SamePerson
        return replace(self, state="listed", confirmed_by=by, listed_at=at)

    def appeal(self, *, by: str, at: datetime) -> "ListEntry":
        """Somebody proposes to take the client off the list.

        Raises:
            WrongState: it is not listed.
        """
        self._require("listed")
        return replace(self, state="lift_proposed", appealed_by=by, appealed_at=at)

    def lift(self, *, by: str, at: datetime) -> "ListEntry":
        """The second person takes the client off the list.

        Raises:
            WrongState: nobody has proposed it.
            SamePerson: the deciding person is the proposing one.
        """
        self._require("lift_proposed")
        if by == self.appealed_by:
            raise SamePerson
        return replace(self, state="lifted", lifted_by=by, lifted_at=at)

    def _require(self, needed: EntryState) -> None:
        if self.state != needed:
            raise WrongState(self.state, needed)
