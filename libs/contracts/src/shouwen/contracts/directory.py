"""Facts about branches, departments and persons. Compacted stream ``directory.v1``: the last word per key stands."""

from typing import ClassVar

from pydantic import Field
from shouwen.contracts.event import Event, Identifier


class DirectoryFact(Event):
    """What every fact about the directory carries."""

    stream: ClassVar[str] = "directory.v1"


class BranchDescribed(DirectoryFact):
    """A branch exists, with these packs and this zone. Emitted by intake. Heard by sla, notify."""

    event_type: ClassVar[str] = "branch.described.v1"
    aggregate: ClassVar[str] = "branch"

    name: str
    number_prefix: str = Field(pattern=r"^[A-Z]{2,4}$", description="Prefix of its case numbers, as BJ")
    time_zone: str = "Asia/Shanghai"
    packs: tuple[Identifier, ...] = Field((), description="The policy packs it composes, beside group-baseline")

    @property
    def key(self) -> str:
        return f"branch:{self.branch}"


class PersonDescribed(DirectoryFact):
    """A person works in a branch and has these roles. Emitted by intake. Heard by sla, notify.

    ``contact`` is a JWE of ``{"name", "email"}`` that only notify can open.
    """

    event_type: ClassVar[str] = "person.described.v1"
    aggregate: ClassVar[str] = "person"

    person: Identifier
    department: Identifier | None = None
    roles: tuple[Identifier, ...] = ()
    active: bool = True
    contact: str | None = None

    @property
    def key(self) -> str:
        return f"person:{self.person}"


DirectoryEvent = BranchDescribed | PersonDescribed
