"""Facts about branches, departments and persons. Compacted stream ``directory.v1``: the last word per key stands."""

from collections import Counter
from typing import Annotated, ClassVar, Self
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from shouwen.contracts.event import BranchCode, Event, Identifier, Instant, Text


class DirectoryFact(Event):
    """What every fact about the directory carries."""

    stream: ClassVar[str] = "directory.v1"


class BranchDescribed(DirectoryFact):
    """A branch exists, with these packs and this zone.

    Emitted by intake. Heard by sla (which packs apply), notify (its name and zone).
    """

    event_type: ClassVar[str] = "branch.described.v1"
    aggregate: ClassVar[str] = "branch"

    name: Text
    number_prefix: str = Field(pattern=r"^[A-Z]{2,4}$", description="Prefix of its case numbers, as BJ")
    time_zone: str = "Asia/Shanghai"
    packs: tuple[Identifier, ...] = Field((), description="The policy packs it composes, beside group-baseline")

    @property
    def key(self) -> str:
        return f"branch:{self.branch}"


class PersonDescribed(DirectoryFact):
    """A person works in a branch and has these roles.

    ``contact`` is a JWE of ``{"name", "email", "phone"}`` (the latter two as far as known) that only notify can open.

    Emitted by intake. Heard by notify (whom to tell, and where).
    """

    event_type: ClassVar[str] = "person.described.v1"
    aggregate: ClassVar[str] = "person"

    person: Identifier
    department: Identifier | None = None
    roles: tuple[Identifier, ...] = ()
    active: bool = True
    contact: Text | None = None

    @property
    def key(self) -> str:
        return f"person:{self.person}"


PHONE_FORM = r"^\+?[0-9][0-9 ()\-]{2,28}(?:[xX#,转][0-9]{1,8})?$"
"""A phone number, with an extension if need be."""


class Duty(BaseModel):
    """What a department answers, and within how long it owes its part to the others (003 §7(三), §9)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    topic: Identifier
    limit_hours: int | None = Field(None, ge=1, le=8760, description="Elapsed hours; none: the policies' limits only")


class DepartmentDescribed(DirectoryFact):
    """A department exists in a branch, and answers these topics (003 §7(三)).

    Emitted by intake. Heard by nobody in the suite yet.
    """

    event_type: ClassVar[str] = "department.described.v1"
    aggregate: ClassVar[str] = "department"

    department: Identifier
    name: Text
    duties: tuple[Duty, ...] = ()
    active: bool = True

    @property
    def key(self) -> str:
        return f"department:{self.branch}:{self.department}"


class DelegationDescribed(DirectoryFact):
    """Somebody who is away is stood in for by a delegate during a period (003 §10(二)).

    The last word stands: a delegation that was ended early is described again with its true end, a withdrawn one as
    ``cancelled``.

    Emitted by intake. Heard by sla (who is responsible first and second for a breach), notify (tells the delegate too).
    """

    event_type: ClassVar[str] = "delegation.described.v1"
    aggregate: ClassVar[str] = "delegation"

    delegation_id: UUID
    principal: Identifier
    delegate: Identifier
    starts_at: Instant
    ends_at: Instant
    cancelled: bool = False

    @property
    def key(self) -> str:
        return f"delegation:{self.delegation_id}"


DirectoryEvent = BranchDescribed | PersonDescribed | DepartmentDescribed | DelegationDescribed


def known_zone(name: str) -> str:
    """The name, if it is one of a time zone. Raises ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; give an IANA name, as Asia/Shanghai") from None
    return name


class BranchEntry(BaseModel):
    """A branch as a directory file describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch: BranchCode
    name: Text = Field(min_length=1, max_length=100)
    number_prefix: str = Field(pattern=r"^[A-Z]{2,4}$", description="Prefix of its case numbers, as BJ")
    time_zone: Annotated[str, AfterValidator(known_zone)] = "Asia/Shanghai"
    packs: tuple[Identifier, ...] = Field((), description="The policy packs it composes, beside group-baseline")


class PersonEntry(BaseModel):
    """A person as a directory file describes them. Name and e-mail are personal data: they leave intake sealed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    person: Identifier
    name: Text = Field(min_length=1, max_length=100)
    branch: BranchCode
    department: Identifier | None = None
    roles: tuple[Identifier, ...] = Field(min_length=1)
    email: str | None = Field(None, max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")
    phone: str | None = Field(
        None, max_length=40, pattern=PHONE_FORM, description="At work; requesters are told it (003 §10(一)5)"
    )
    active: bool = True


class DepartmentEntry(BaseModel):
    """A department as a directory file describes it, with what it answers (003 §7(三), §9)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch: BranchCode
    department: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$", description="Its code, as customer-service")
    name: Text = Field(min_length=1, max_length=100)
    duties: tuple[Duty, ...] = Field((), max_length=100)
    active: bool = True

    @model_validator(mode="after")
    def _topics_stand_once(self) -> Self:
        _once("topic", [duty.topic for duty in self.duties])
        return self


class DirectoryFile(BaseModel):
    """The file that SHOUWEN_DIRECTORY_FILE names: the branches, departments and persons of an installation, as YAML.

    A code, number prefix or person id may stand once only, and the branch of each person and department must be in the
    file. Where the file has departments of a branch, its persons work in one of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    branches: tuple[BranchEntry, ...] = Field(min_length=1)
    departments: tuple[DepartmentEntry, ...] = ()
    persons: tuple[PersonEntry, ...] = ()

    @model_validator(mode="after")
    def _names_stand_once(self) -> Self:
        _once("branch", [entry.branch for entry in self.branches])
        _once("number_prefix", [entry.number_prefix for entry in self.branches])
        _once("person", [entry.person for entry in self.persons])
        _once("department", [f"{entry.department} of {entry.branch}" for entry in self.departments])
        branches = {entry.branch for entry in self.branches}
        for unit in self.departments:
            if unit.branch not in branches:
                raise ValueError(
                    f"department {unit.department} is in branch {unit.branch!r}, which the file does not have"
                )
        known = {(unit.branch, unit.department) for unit in self.departments}
        with_departments = {branch for branch, _ in known}
        for entry in self.persons:
            if entry.branch not in branches:
                raise ValueError(f"person {entry.person} is in branch {entry.branch!r}, which the file does not have")
            if (
                entry.department is not None
                and entry.branch in with_departments
                and (entry.branch, entry.department) not in known
            ):
                raise ValueError(
                    f"person {entry.person} is in department {entry.department!r}, which {entry.branch} does not have"
                )
        return self


def _once(field: str, values: list[str]) -> None:
    twice = sorted(value for value, count in Counter(values).items() if count > 1)
    if twice:
        raise ValueError(f"{field} {', '.join(twice)} stands more than once; each must be unique")
