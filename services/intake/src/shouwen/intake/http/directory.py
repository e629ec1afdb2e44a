"""Branches, departments and persons."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, field_validator

from shouwen.contracts.directory import PHONE_FORM, Duty, known_zone
from shouwen.contracts.event import BranchCode, Identifier
from shouwen.intake.domain.directory import Branch, Department, Manager, Person, Stored
from shouwen.intake.handlers import directory
from shouwen.intake.handlers.directory import DutyHolder
from shouwen.intake.http.fields import Line, Sent
from shouwen.intake.store.directory import Place
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.http import After, Limit, Page, bad_place
from shouwen.runtime.unit_of_work import UnitOfWork

DEPARTMENT_FORM = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$"
PERSON_FORM = r"^[^\s\u0000-\u001f\u007f<>\"'`\\/?#%.][^\s\u0000-\u001f\u007f<>\"'`\\/?#%]{0,199}$"

BranchPath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,39}$", description="As beijing")]
DepartmentPath = Annotated[str, Path(pattern=DEPARTMENT_FORM, description="As customer-service")]
PersonPath = Annotated[
    str, Path(pattern=PERSON_FORM, description="The id that the person's token has as its sub, as bj.clerk")
]
Email = Annotated[
    str, StringConstraints(max_length=254, pattern=r"^[^@\s\u0000-\u001f\u007f]+@[^@\s\u0000-\u001f\u007f]+$")
]
Telephone = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40, pattern=PHONE_FORM)]
Name = Annotated[Line, Field(max_length=100)]
Keeper = Annotated[
    Literal["api", "file"],
    Field(description="Who keeps the entry from now on: the directory file changes only what is its own"),
]


class BranchSent(Sent):
    """A branch, whole."""

    name: Name
    number_prefix: str = Field(pattern=r"^[A-Z]{2,4}$", description="Prefix of its case numbers, as BJ")
    time_zone: Annotated[str, AfterValidator(known_zone), Field(max_length=100)] = "Asia/Shanghai"
    packs: tuple[Identifier, ...] = Field((), max_length=50, description="Policy packs, beside group-baseline")
    managed_by: Keeper = "api"


class DepartmentSent(Sent):
    """A department, whole."""

    name: Name
    duties: tuple[Duty, ...] = Field((), max_length=100, description="What it answers (003 §7(三), §9)")
    active: bool = True
    managed_by: Keeper = "api"

    @field_validator("duties")
    @classmethod
    def _topics_stand_once(cls, duties: tuple[Duty, ...]) -> tuple[Duty, ...]:
        if len({duty.topic for duty in duties}) < len(duties):
            raise ValueError("holds a topic more than once")
        return duties


class PersonSent(Sent):
    """A person, whole. A field that is left out is emptied."""

    name: Name
    branch: BranchCode
    department: Identifier | None = None
    roles: tuple[Identifier, ...] = Field(min_length=1, max_length=20)
    email: Email | None = None
    phone: Telephone | None = Field(None, description="At work; requesters are told it")
    active: bool = True
    managed_by: Keeper = "api"


class BranchShown(BaseModel):
    """A branch of the directory."""

    branch: str
    name: str
    number_prefix: str
    time_zone: str
    packs: list[str]


class BranchKept(BranchShown):
    """A branch, and who keeps its entry."""

    managed_by: Manager

    @classmethod
    def of(cls, stored: Stored[Branch]) -> "BranchKept":
        """The branch as it is shown."""
        return cls(**_plain(stored.entry), managed_by=stored.managed_by)


class DutyShown(BaseModel):
    """What a department answers."""

    topic: str
    limit_hours: int | None = Field(description="Elapsed hours within which it owes its part to the others")


class DepartmentShown(BaseModel):
    """A department of a branch."""

    branch: str
    department: str
    name: str
    duties: list[DutyShown]
    active: bool


class DepartmentKept(DepartmentShown):
    """A department, and who keeps its entry."""

    managed_by: Manager

    @classmethod
    def of(cls, stored: Stored[Department]) -> "DepartmentKept":
        """The department as it is shown."""
        return cls(**_plain(stored.entry), managed_by=stored.managed_by)


class PersonShown(BaseModel):
    """A person of the directory, without contact."""

    person: str
    name: str
    branch: str
    department: str | None
    roles: list[str]
    active: bool

    @classmethod
    def shown(cls, entry: Person) -> "PersonShown":
        """The person as everyone of the branch sees them."""
        return cls(
            person=entry.person,
            name=entry.name,
            branch=entry.branch,
            department=entry.department,
            roles=list(entry.roles),
            active=entry.active,
        )


class PersonKept(PersonShown):
    """A person, and who keeps the entry."""

    managed_by: Manager

    @classmethod
    def of(cls, stored: Stored[Person]) -> "PersonKept":
        """The person in a list."""
        return cls(**PersonShown.shown(stored.entry).model_dump(), managed_by=stored.managed_by)


class PersonAlone(PersonKept):
    """A person by themselves."""

    email: str | None = Field(description="Shown to the person and to who keeps the directory")
    phone: str | None = Field(description="Shown to the person and to who keeps the directory")
    open_cases: int = Field(description="Open cases they are responsible for")


class DirectoryShown(BaseModel):
    """Your branches, their departments, and who works there."""

    branches: list[BranchShown]
    departments: list[DepartmentShown]
    persons: list[PersonShown]


class ContactShown(BaseModel):
    """Whom a department is asked through, as the requester may be told (003 §10(一)5)."""

    person: str
    name: str
    phone: str | None
    roles: list[str]


class DutyHolderShown(BaseModel):
    """A department that answers a topic."""

    branch: str
    department: str
    name: str
    topic: str
    limit_hours: int | None
    contacts: list[ContactShown]

    @classmethod
    def of(cls, holder: DutyHolder, topic: str) -> "DutyHolderShown":
        """The department as it is shown."""
        unit = holder.department
        contacts = [
            ContactShown(person=each.person, name=each.name, phone=each.phone, roles=list(each.roles))
            for each in holder.contacts
        ]
        return cls(
            branch=unit.branch,
            department=unit.department,
            name=unit.name,
            topic=topic,
            limit_hours=holder.limit_hours,
            contacts=contacts,
        )


class Republished(BaseModel):
    """What is told once more."""

    entries: int


def add_routes(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    """Reading the directory, describing its entries, and telling them once more."""
    _add_reading(router, work, protection)
    _add_lists(router, work, protection)
    _add_describing(router, work, protection)


def _add_reading(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/directory", tags=["directory"])
    async def show_directory(caller: Caller) -> DirectoryShown:
        """Your branches, their departments, and who works there; contact data stay hidden."""
        async with work.as_person(caller) as tx:
            branches, departments, persons = await directory.show_directory(tx, protection=protection)
        return DirectoryShown(
            branches=[BranchShown(**_plain(each)) for each in branches],
            departments=[DepartmentShown(**_plain(each)) for each in departments],
            persons=[PersonShown.shown(each) for each in persons],
        )

    @router.get("/duties", tags=["directory"])
    async def who_answers(
        caller: Caller,
        limit: Limit,
        after: After,
        topic: Annotated[Identifier, Query(description="What the matter is about, as work-injury")],
        branch: Annotated[BranchCode | None, Query()] = None,
    ) -> Page[DutyHolderShown]:
        """Which department answers a topic, within which time, and whom it is asked through."""
        place = _place(after, parts=2, limit=limit)
        async with work.as_person(caller) as tx:
            holders = await directory.who_answers(tx, topic, branch=branch, place=place, protection=protection)
        last = holders[limit - 1].department if len(holders) > limit else None
        following = f"{last.branch}/{last.department}" if last else None
        return Page(items=[DutyHolderShown.of(each, topic) for each in holders[:limit]], next=following)

    @router.get("/persons/{person}", tags=["directory"])
    async def show_person(person: PersonPath, caller: Caller) -> PersonAlone:
        """One person."""
        async with work.as_person(caller) as tx:
            stored, sees_contact, open_cases = await directory.show_person(tx, person, protection=protection)
        return PersonAlone(
            **PersonKept.of(stored).model_dump(),
            email=stored.entry.email if sees_contact else None,
            phone=stored.entry.phone if sees_contact else None,
            open_cases=open_cases,
        )


def _add_lists(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/branches", tags=["directory"])
    async def list_branches(caller: Caller, limit: Limit, after: After) -> Page[BranchKept]:
        """Your branches."""
        place = _place(after, parts=1, limit=limit)
        async with work.as_person(caller) as tx:
            found = await directory.list_branches(tx, place)
        following = found[limit - 1].entry.branch if len(found) > limit else None
        return Page(items=[BranchKept.of(each) for each in found[:limit]], next=following)

    @router.get("/departments", tags=["directory"])
    async def list_departments(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        topic: Annotated[Identifier | None, Query(description="Those that answer it")] = None,
        active: Annotated[bool | None, Query()] = None,
    ) -> Page[DepartmentKept]:
        """The departments of your branches, with what they answer."""
        place = _place(after, parts=2, limit=limit)
        async with work.as_person(caller) as tx:
            found = await directory.list_departments(
                tx, place, branch=branch, topic=topic, active=active, protection=protection
            )
        last = found[limit - 1].entry if len(found) > limit else None
        following = f"{last.branch}/{last.department}" if last else None
        return Page(items=[DepartmentKept.of(each) for each in found[:limit]], next=following)

    @router.get("/persons", tags=["directory"])
    async def list_persons(
        caller: Caller,
        limit: Limit,
        after: After,
        branch: Annotated[BranchCode | None, Query()] = None,
        department: Annotated[Identifier | None, Query()] = None,
        role: Annotated[Identifier | None, Query()] = None,
        active: Annotated[bool | None, Query()] = None,
    ) -> Page[PersonKept]:
        """The persons of your branches, without contact."""
        place = _place(after, parts=1, limit=limit)
        async with work.as_person(caller) as tx:
            found = await directory.list_persons(
                tx, place, branch=branch, department=department, role=role, active=active, protection=protection
            )
        following = found[limit - 1].entry.person if len(found) > limit else None
        return Page(items=[PersonKept.of(each) for each in found[:limit]], next=following)


def _add_describing(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    added: dict[int | str, dict[str, Any]] = {201: {"description": "It is new"}}

    @router.put("/branches/{branch}", tags=["directory"], responses=added | _REFUSED_PREFIX)
    async def describe_branch(branch: BranchPath, body: BranchSent, caller: Caller, response: Response) -> BranchKept:
        """Add a branch, or describe it anew. Role `group_admin`."""
        stored = Stored(Branch(branch=branch, **body.model_dump(exclude={"managed_by"})), body.managed_by)
        async with work.as_person(caller) as tx:
            written = await directory.describe_branch(tx, stored, protection=protection)
        response.status_code = 201 if written.added else 200
        return BranchKept.of(stored)

    @router.put("/branches/{branch}/departments/{department}", tags=["directory"], responses=added)
    async def describe_department(
        branch: BranchPath, department: DepartmentPath, body: DepartmentSent, caller: Caller, response: Response
    ) -> DepartmentKept:
        """Add a department, or describe it anew. Roles `group_admin`, and `general_manager` of the branch."""
        fields = body.model_dump(exclude={"managed_by"})
        stored = Stored(Department(branch=branch, department=department, **fields), body.managed_by)
        async with work.as_person(caller) as tx:
            written = await directory.describe_departments(tx, [stored], protection=protection)
        response.status_code = 201 if written.added else 200
        return DepartmentKept.of(stored)

    @router.put("/persons/{person}", tags=["directory"], responses=added)
    async def describe_person(person: PersonPath, body: PersonSent, caller: Caller, response: Response) -> PersonKept:
        """Add a person, or describe them anew. Roles `group_admin`, and `general_manager` of the branch."""
        stored = Stored(Person(person=person, **body.model_dump(exclude={"managed_by"})), body.managed_by)
        async with work.as_person(caller) as tx:
            written = await directory.describe_persons(tx, [stored], protection=protection)
        response.status_code = 201 if written.added else 200
        return PersonKept.of(stored)

    @router.post("/directory/republish", status_code=202, tags=["directory"])
    async def republish(caller: Caller) -> Republished:
        """Tell every entry of your branches once more, for a directory stream that was lost. Role `operator`."""
        async with work.as_person(caller) as tx:
            return Republished(entries=await directory.republish(tx, protection=protection))


_REFUSED_PREFIX: dict[int | str, dict[str, Any]] = {
    409: {"description": "Another branch has the prefix, or matters are numbered with the present one"}
}


def _plain(entry: Branch | Department) -> dict[str, Any]:
    return entry.model_dump(mode="json")


def _place(after: str | None, *, parts: int, limit: int) -> Place:
    """One more than the page, so that its end is known."""
    if after is not None and (after.count("/") != parts - 1 or "\x00" in after or not all(after.split("/"))):
        raise bad_place()
    return Place(after=after, limit=limit + 1)
