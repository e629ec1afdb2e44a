"""The persons of one branch, as far as telling them things needs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ROLE_PREFIX = "role:"
"""Recipients that begin so are a role that nobody holds at present; whoever holds it later finds the message."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be told something; ``reachable`` says whether an e-mail address is known."""

    person: str
    roles: frozenset[str]
    active: bool = True
    reachable: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch and its people. ``time_zone`` is an IANA name; ``delegates`` tells who stands in for whom now."""

    branch: str
    time_zone: str
    persons: tuple[Person, ...] = ()
    delegates: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def left(self, person: str) -> bool:
        """Whether the directory says that this person no longer works here. An unknown person has not left."""
        return any(each.person == person and not each.active for each in self.persons)

    def holding(self, role: str) -> tuple[str, ...]:
        """The active persons who hold the role, in a fixed order."""
        return tuple(sorted(each.person for each in self.persons if each.active and role in each.roles))

    def standing_in_for(self, person: str) -> tuple[str, ...]:
        """The person's delegates, the delegates of those who are away themselves, and so on; each once."""
        found = [person]
        for each in found:
            found += [delegate for delegate in self.delegates.get(each, ()) if delegate not in found]
        return tuple(found[1:])

    def has_address(self, person: str) -> bool:
        """Whether an e-mail can be sent to the person."""
        return any(each.person == person and each.active and each.reachable for each in self.persons)
