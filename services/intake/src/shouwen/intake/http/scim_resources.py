"""What a person and a department look like in SCIM 2.0 (RFC 7643), and what of a sent one is kept.

Schemas name only what is kept; what else a provider sends is passed over, as RFC 7644 §3.3 lets a service do.
"""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, ClassVar

from pydantic import ValidationError
from scim2_models import (
    URN,
    AnyExtension,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    Filter,
    InvalidValueException,
    Meta,
    Mutability,
    MutabilityException,
    Patch,
    Required,
    Resource,
    ResourceType,
    Returned,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

from shouwen.intake.domain.directory import Department, Person, Stored

NO_DUTY = "employee"
"""The role of a person for whom the provider names none; it opens nothing."""
MOST_RESULTS = 1_000
POLICY = ScimPolicy(unknown=ScimPolicy.Unknown.ignore)


class WrongValue(InvalidValueException):
    """A value that is not as it must be; the text says which, and does not repeat it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)


class Name(ComplexAttribute):
    """A person's name; only the whole is kept."""

    formatted: str | None = None
    family_name: Annotated[str | None, Mutability.write_only, Returned.never] = None
    given_name: Annotated[str | None, Mutability.write_only, Returned.never] = None


class Email(ComplexAttribute):
    """An address; the primary one is kept, or else the first."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class PhoneNumber(ComplexAttribute):
    """A number; the primary one is kept, or else that of type work, or else the first."""

    value: str | None = None
    type: str | None = None
    primary: bool | None = None


class Role(ComplexAttribute):
    """A role, as clerk or manager."""

    value: str | None = None


class GroupMembership(ComplexAttribute):
    """The department somebody works in."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    display: Annotated[str | None, Mutability.read_only] = None


class Enterprise(Extension):
    """Where a person works: the branch's code, and the department's code or name."""

    __schema__ = URN("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User")

    organization: str | None = None
    department: str | None = None


class PersonResource(Resource[AnyExtension]):
    """A person: ``userName`` and ``id`` are what their token has as its ``sub``."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true, Mutability.immutable] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    phone_numbers: list[PhoneNumber] | None = None
    roles: list[Role] | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None

    Name: ClassVar[type[ComplexAttribute]] = Name
    Emails: ClassVar[type[ComplexAttribute]] = Email
    PhoneNumbers: ClassVar[type[ComplexAttribute]] = PhoneNumber
    Roles: ClassVar[type[ComplexAttribute]] = Role
    Groups: ClassVar[type[ComplexAttribute]] = GroupMembership


class Member(ComplexAttribute):
    """Somebody who works in the department."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    display: Annotated[str | None, Mutability.immutable] = None


class Unit(Extension):
    """Where a department is: the branch's code, and the department's own. Neither changes."""

    __schema__ = URN("urn:shouwen:scim:schemas:1.0:Department")

    branch: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    code: Annotated[str | None, Mutability.immutable, CaseExact.true] = None


class DepartmentResource(Resource[AnyExtension]):
    """A department; its ``id`` is ``branch.code``."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Required.true] = None
    members: list[Member] | None = None

    Members: ClassVar[type[ComplexAttribute]] = Member


User = PersonResource[Enterprise]
Group = DepartmentResource[Unit]

PROVIDER = ScimProvider(
    models=[PersonResource, Enterprise, DepartmentResource, Unit],
    resource_types=[ResourceType.from_resource(User), ResourceType.from_resource(Group)],
    config=ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=MOST_RESULTS),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=False),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="OAuth Bearer Token",
                description="A token of the OIDC provider with the role scim and the branches it may push to",
                primary=True,
            )
        ],
    ),
    policy=POLICY,
)
"""What this service says about itself at ServiceProviderConfig, ResourceTypes and Schemas."""


# --- what is there --------------------------------------------------------------------------------------------------


def user_of(stored: Stored[Person], departments: Iterable[Department], *, base_url: str) -> Any:
    """A person as a provider sees them."""
    entry = stored.entry
    named = {(each.branch, each.department): each.name for each in departments}
    user: Any = User(
        id=entry.person,
        external_id=stored.external_id,
        user_name=entry.person,
        display_name=entry.name,
        name=Name(formatted=entry.name),
        active=entry.active,
        emails=[Email(value=entry.email, type="work", primary=True)] if entry.email else None,
        phone_numbers=[PhoneNumber(value=entry.phone, type="work", primary=True)] if entry.phone else None,
        roles=[Role(value=each) for each in entry.roles],
        meta=Meta(resource_type="User", location=f"{base_url}/Users/{entry.person}"),
    )
    user[Enterprise] = Enterprise(organization=entry.branch, department=entry.department)
    if entry.department is not None:
        group = f"{entry.branch}.{entry.department}"
        user.groups = [GroupMembership(value=group, display=named.get((entry.branch, entry.department)))]
    return user


def group_of(stored: Stored[Department], members: Iterable[Person], *, base_url: str) -> Any:
    """A department as a provider sees it."""
    entry = stored.entry
    group_id = f"{entry.branch}.{entry.department}"
    group: Any = Group(
        id=group_id,
        external_id=stored.external_id,
        display_name=entry.name,
        members=[Member(value=each.person, display=each.name) for each in members] or None,
        meta=Meta(resource_type="Group", location=f"{base_url}/Groups/{group_id}"),
    )
    group[Unit] = Unit(branch=entry.branch, code=entry.department)
    return group


# --- what was sent --------------------------------------------------------------------------------------------------


def person_of(
    user: Any, before: Stored[Person] | None, departments: Iterable[Department], *, branches: Collection[str]
) -> Stored[Person]:
    """A person as a provider describes them; what it leaves out of a replacement stays as it was.

    Args:
        user: as it was sent, or as it is after a patch.
        before: the person so far.
        departments: those that the provider sees.
        branches: those of the provider's token; where it names none for somebody new, its only one is meant.

    Raises:
        SCIMException: an attribute is wrong, or the name by which the person is known would change.
    """
    known = None if before is None else before.entry
    if known is not None and user.user_name != known.person:
        raise MutabilityException(attribute="userName", mutability="immutable")
    where: Enterprise | None = user[Enterprise]
    organization = where.organization if where else None
    branch = organization or (known.branch if known else _only(branches))
    department = known.department if known and known.branch == branch else None
    if where is not None and "department" in where.model_fields_set:
        department = _department(where.department, branch, departments)
    roles = tuple(dict.fromkeys(each.value for each in user.roles or () if each.value))
    fields: dict[str, Any] = {
        "person": user.user_name,
        "name": _name(user, known) or user.user_name,
        "branch": branch,
        "department": department,
        "roles": roles or (known.roles if known else (NO_DUTY,)),
        "email": _chosen(user.emails),
        "phone": _chosen(user.phone_numbers),
        "active": True if user.active is None else user.active,
    }
    return Stored(_entry(Person, fields), "scim", _external_id(user, before))


def department_of(group: Any, before: Stored[Department] | None, *, branches: Collection[str]) -> Stored[Department]:
    """A department as a provider describes it; what it answers is for people to say, so that stays as it was.

    Raises:
        SCIMException: an attribute is wrong, or where the department is would change.
    """
    where: Unit | None = group[Unit]
    if before is not None:
        known = before.entry
        if where is not None and (where.branch or known.branch, where.code or known.department) != (
            known.branch,
            known.department,
        ):
            raise MutabilityException(attribute="code", mutability="immutable")
        fields = known.model_dump() | {"name": group.display_name, "active": True}
    else:
        fields = {
            "branch": (where.branch if where else None) or _only(branches),
            "department": (where.code if where else None) or group.display_name,
            "name": group.display_name,
        }
    return Stored(_entry(Department, fields), "scim", _external_id(group, before))


def members_of(group: Any) -> set[str] | None:
    """Who is to work in the department; None when the provider does not say."""
    if "members" not in group.model_fields_set:
        return None
    return {each.value for each in group.members or () if each.value}


def _only(branches: Collection[str]) -> str:
    if len(branches) != 1:
        raise WrongValue("organization (the branch's code) is missing")
    return next(iter(branches))


def _department(sent: str | None, branch: str, departments: Iterable[Department]) -> str | None:
    """The code of a department that is named by its code or by its name."""
    if not sent:
        return None
    own = [each for each in departments if each.branch == branch and each.active]
    codes = [each.department for each in own if each.department == sent] or [
        each.department for each in own if each.name == sent
    ]
    if not codes:
        raise WrongValue("department is no active department of the branch")
    return codes[0]


def _name(user: Any, known: Person | None) -> str | None:
    """The whole name, from what says otherwise than before: displayName, the whole, or its parts."""
    parts = user.name
    whole = parts.formatted if parts else None
    family, given = (parts.family_name, parts.given_name) if parts else (None, None)
    joined = None
    if family or given:
        # A Chinese name is written without a space, the family name first.
        chinese = all("\u4e00" <= each <= "\u9fff" for each in f"{family or ''}{given or ''}")
        joined = f"{family or ''}{given or ''}" if chinese else " ".join(each for each in (given, family) if each)
    sent = [each for each in (user.display_name, whole, joined) if each]
    old = None if known is None else known.name
    return next((each for each in sent if each != old), old if old in sent or not sent else sent[0])


def _chosen(values: Iterable[Any] | None) -> str | None:
    """The primary value, or else that of type work, or else the first."""
    given = [each for each in values or () if each.value]
    ranked = sorted(given, key=lambda each: (not each.primary, each.type != "work"))
    return ranked[0].value if ranked else None


def _external_id(resource: Any, before: Stored[Any] | None) -> str | None:
    if resource.external_id is None:
        return None if before is None else before.external_id
    if len(resource.external_id) > 500:
        raise WrongValue("externalId is longer than 500 characters")
    return resource.external_id


def _entry(model: Any, fields: dict[str, Any]) -> Any:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        wrong = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        attribute = _ATTRIBUTES.get(wrong, wrong)
        raise WrongValue(f"{attribute} has not the expected form") from None


_ATTRIBUTES = {
    "person": "userName",
    "name": "displayName",
    "branch": "organization",
    "department": "code",
    "email": "emails",
    "phone": "phoneNumbers",
}
