"""SCIM 2.0 (RFC 7644): an identity provider pushes persons and departments."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    InvalidSyntaxException,
    ListResponse,
    NotFoundException,
    PatchOp,
    ResourceType,
    Schema,
    SCIMException,
    SearchRequest,
)

from shouwen.intake.domain.directory import Department, Stored
from shouwen.intake.handlers import provisioning
from shouwen.intake.handlers.directory import EntriesRefused
from shouwen.intake.handlers.provisioning import AlreadyThere
from shouwen.intake.http.directory import PERSON_FORM
from shouwen.intake.http.scim_resources import (
    MOST_RESULTS,
    POLICY,
    PROVIDER,
    Group,
    User,
    WrongValue,
    department_of,
    group_of,
    members_of,
    person_of,
    user_of,
)
from shouwen.intake.store.protection import Protection
from shouwen.runtime.auth import Caller
from shouwen.runtime.errors import ShouwenError
from shouwen.runtime.unit_of_work import UnitOfWork

MEDIA_TYPE = "application/scim+json"
PREFIX = "/scim/v2"

PersonId = Annotated[str, Path(pattern=PERSON_FORM)]
DepartmentId = Annotated[str, Path(pattern=r"^[a-z][a-z0-9-]{1,39}\.[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")]

_DETAILS = {
    "invalidFilter": "The filter cannot be read, or names an attribute that there is not.",
    "invalidPath": "The path cannot be read, or names an attribute that there is not.",
    "invalidSyntax": "The body does not fit the schema; see /scim/v2/Schemas.",
    "invalidValue": "A value is missing or does not fit its attribute; see /scim/v2/Schemas.",
    "mutability": "The attribute cannot be changed.",
    "noTarget": "The path matches nothing.",
}
"""What is said of errors of the library: its own texts repeat what was sent, which may be somebody's data."""


class ScimRoute(APIRoute):
    """A route that tells errors as RFC 7644 §3.12 wants them."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See APIRoute."""
        handle = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                return await handle(request)
            except (SCIMException, ShouwenError, RequestValidationError, ValidationError) as error:
                return _told(error)

        return told


def routes(work: UnitOfWork, protection: Protection) -> APIRouter:
    """What an identity provider needs to push. It describes itself at ``Schemas``, so /api/docs does not."""
    router = APIRouter(prefix=PREFIX, route_class=ScimRoute, include_in_schema=False)
    _add_discovery(router)
    _add_users(router, work, protection)
    _add_groups(router, work, protection)
    _add_rest(router)
    return router


def _add_discovery(router: APIRouter) -> None:
    @router.get("/ServiceProviderConfig")
    async def show_config(caller: Caller) -> Response:
        del caller  # anybody who is signed in
        assert PROVIDER.config is not None
        return _json(PROVIDER.config.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))

    @router.get("/ResourceTypes")
    async def list_resource_types(caller: Caller) -> Response:
        del caller
        return _listed(ListResponse[ResourceType], PROVIDER.resource_types)

    @router.get("/ResourceTypes/{name}")
    async def show_resource_type(name: str, caller: Caller) -> Response:
        del caller
        return _one([each for each in PROVIDER.resource_types if each.id == name])

    @router.get("/Schemas")
    async def list_schemas(caller: Caller) -> Response:
        del caller
        return _listed(ListResponse[Schema], PROVIDER.schemas)

    @router.get("/Schemas/{urn}")
    async def show_schema(urn: str, caller: Caller) -> Response:
        del caller
        return _one([each for each in PROVIDER.schemas if each.id == urn])


def _add_users(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/Users")
    async def list_users(request: Request, caller: Caller) -> Response:
        asked = _asked(request, SearchRequest[User])
        async with work.as_person(caller) as tx:
            found = await provisioning.persons(tx, protection=protection, called=_called(asked))
            departments = [each.entry for each in await provisioning.departments(tx, protection=protection)]
        base_url = _base_url(request)
        if asked.filter is None:
            page, start = _page(found, asked)
            users = [user_of(each, departments, base_url=base_url) for each in page]
            return _listed(ListResponse[User], users, total=len(found), start=start, asked=asked)
        users = [user for each in found if asked.filter.match(user := user_of(each, departments, base_url=base_url))]
        page, start = _page(users, asked)
        return _listed(ListResponse[User], page, total=len(users), start=start, asked=asked)

    @router.post("/Users")
    async def add_user(request: Request, caller: Caller) -> Response:
        sent = User.model_validate(await _body(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY)
        async with work.as_person(caller) as tx:
            departments = [each.entry for each in await provisioning.departments(tx, protection=protection)]
            stored = person_of(sent, None, departments, branches=caller.branches)
            await provisioning.add_person(tx, stored, protection=protection)
        return _shown(user_of(stored, departments, base_url=_base_url(request)), status=201)

    @router.get("/Users/{person}")
    async def show_user(person: PersonId, request: Request, caller: Caller) -> Response:
        asked = _asked(request, SearchRequest[User])
        async with work.as_person(caller) as tx:
            stored = await provisioning.person(tx, person, protection=protection)
            departments = [each.entry for each in await provisioning.departments(tx, protection=protection)]
        return _shown(user_of(stored, departments, base_url=_base_url(request)), asked=asked)

    @router.put("/Users/{person}")
    async def replace_user(person: PersonId, request: Request, caller: Caller) -> Response:
        sent = User.model_validate(
            await _body(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY
        )
        async with work.as_person(caller) as tx:
            before = await provisioning.person(tx, person, protection=protection)
            departments = [each.entry for each in await provisioning.departments(tx, protection=protection)]
            stored = person_of(sent, before, departments, branches=caller.branches)
            await provisioning.change_person(tx, stored, protection=protection)
        return _shown(user_of(stored, departments, base_url=_base_url(request)))

    @router.patch("/Users/{person}")
    async def change_user(person: PersonId, request: Request, caller: Caller) -> Response:
        patch = PatchOp[User].model_validate(
            await _body(request), scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
        )
        async with work.as_person(caller) as tx:
            before = await provisioning.person(tx, person, protection=protection)
            departments = [each.entry for each in await provisioning.departments(tx, protection=protection)]
            user = user_of(before, departments, base_url=_base_url(request))
            patch.patch(user, scim_policy=POLICY)
            stored = person_of(user, before, departments, branches=caller.branches)
            await provisioning.change_person(tx, stored, protection=protection)
        return _shown(user_of(stored, departments, base_url=_base_url(request)))

    @router.delete("/Users/{person}")
    async def delete_user(person: PersonId, caller: Caller) -> Response:
        async with work.as_person(caller) as tx:
            await provisioning.delete_person(tx, person, protection=protection)
        return Response(status_code=204)


def _add_groups(router: APIRouter, work: UnitOfWork, protection: Protection) -> None:
    @router.get("/Groups")
    async def list_groups(request: Request, caller: Caller) -> Response:
        asked = _asked(request, SearchRequest[Group])
        async with work.as_person(caller) as tx:
            found = await provisioning.departments(tx, protection=protection)
            persons = [each.entry for each in await provisioning.persons(tx, protection=protection)]
        groups: list[Any] = []
        for each in found:
            place = (each.entry.branch, each.entry.department)
            members = [person for person in persons if (person.branch, person.department) == place]
            group = group_of(each, members, base_url=_base_url(request))
            if asked.filter is None or asked.filter.match(group):
                groups.append(group)
        page, start = _page(groups, asked)
        return _listed(ListResponse[Group], page, total=len(groups), start=start, asked=asked)

    @router.post("/Groups")
    async def add_group(request: Request, caller: Caller) -> Response:
        sent = Group.model_validate(
            await _body(request), scim_ctx=Context.RESOURCE_CREATION_REQUEST, scim_policy=POLICY
        )
        stored = department_of(sent, None, branches=caller.branches)
        async with work.as_person(caller) as tx:
            await provisioning.add_department(tx, stored, members_of(sent), protection=protection)
            members = await provisioning.members(tx, stored.entry, protection=protection)
        shown = group_of(stored, [each.entry for each in members], base_url=_base_url(request))
        return _shown(shown, status=201)

    @router.get("/Groups/{department}")
    async def show_group(department: DepartmentId, request: Request, caller: Caller) -> Response:
        asked = _asked(request, SearchRequest[Group])
        branch, _, code = department.partition(".")
        async with work.as_person(caller) as tx:
            stored = await provisioning.department(tx, branch, code, protection=protection)
            members = await provisioning.members(tx, stored.entry, protection=protection)
        return _shown(group_of(stored, [each.entry for each in members], base_url=_base_url(request)), asked=asked)

    @router.put("/Groups/{department}")
    async def replace_group(department: DepartmentId, request: Request, caller: Caller) -> Response:
        sent = Group.model_validate(
            await _body(request), scim_ctx=Context.RESOURCE_REPLACEMENT_REQUEST, scim_policy=POLICY
        )
        return await changed_group(department, request, caller, lambda _: sent)

    @router.patch("/Groups/{department}")
    async def change_group(department: DepartmentId, request: Request, caller: Caller) -> Response:
        patch = PatchOp[Group].model_validate(
            await _body(request), scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
        )

        def patched(group: Any) -> Any:
            patch.patch(group, scim_policy=POLICY)
            return group

        return await changed_group(department, request, caller, patched)

    async def changed_group(
        department: str, request: Request, caller: Caller, change: Callable[[Any], Any]
    ) -> Response:
        branch, _, code = department.partition(".")
        async with work.as_person(caller) as tx:
            before = await provisioning.department(tx, branch, code, protection=protection)
            members = await provisioning.members(tx, before.entry, protection=protection)
            group = change(group_of(before, [each.entry for each in members], base_url=_base_url(request)))
            stored: Stored[Department] = department_of(group, before, branches=caller.branches)
            await provisioning.change_department(tx, stored, members_of(group), protection=protection)
            members = await provisioning.members(tx, stored.entry, protection=protection)
        return _shown(group_of(stored, [each.entry for each in members], base_url=_base_url(request)))

    @router.delete("/Groups/{department}")
    async def delete_group(department: DepartmentId, caller: Caller) -> Response:
        branch, _, code = department.partition(".")
        async with work.as_person(caller) as tx:
            await provisioning.delete_department(tx, branch, code, protection=protection)
        return Response(status_code=204)


def _add_rest(router: APIRouter) -> None:
    """What there is not, and what is not done with what there is; also this is told as SCIM wants it."""
    lists = "ServiceProviderConfig|ResourceTypes|Schemas|Users|Groups"

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def refuse(rest: str, request: Request) -> Response:
        if re.fullmatch(rf"(?:{lists})(?:/[^/]+)?/?", rest) and request.method != "GET":
            return _error(405, "This address does not take this method.")
        return _error(404, _NOT_THERE)


# --- requests -------------------------------------------------------------------------------------------------------


async def _body(request: Request) -> Any:
    try:
        content: object = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise InvalidSyntaxException from None
    if not isinstance(content, dict):
        raise InvalidSyntaxException
    return content


def _asked(request: Request, model: type[SearchRequest[Any]]) -> SearchRequest[Any]:
    """The query parameters of a list, or of one resource."""
    names = ("filter", "attributes", "excludedAttributes", "startIndex", "count")
    sent = {name: value for name in names if (value := request.query_params.get(name)) is not None}
    return model.model_validate(sent, scim_ctx=Context.DEFAULT, scim_policy=POLICY)


def _called(asked: SearchRequest[Any]) -> str | None:
    """The userName of a filter that asks for nothing else: it is found by index."""
    words = str(asked.filter).split(" ", 2) if asked.filter is not None else []
    if len(words) != 3 or words[0].lower() != "username" or words[1].lower() != "eq":
        return None
    try:
        value: object = json.loads(words[2])
    except ValueError:
        return None
    return value if isinstance(value, str) and "\x00" not in value else None


def _page(found: list[Any], asked: SearchRequest[Any]) -> tuple[list[Any], int]:
    """The part of a list that is asked for, and the number of its first, counted from one."""
    start = max(asked.start_index or 1, 1)
    count = MOST_RESULTS if asked.count is None else min(max(asked.count, 0), MOST_RESULTS)
    return found[start - 1 : start - 1 + count], start


def _base_url(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{PREFIX}"


# --- answers --------------------------------------------------------------------------------------------------------


def _shown(resource: Any, *, status: int = 200, asked: SearchRequest[Any] | None = None) -> Response:
    context = Context.RESOURCE_CREATION_RESPONSE if status == 201 else Context.RESOURCE_QUERY_RESPONSE
    headers = {"Location": str(resource.meta.location)}
    return _json(resource.model_dump(scim_ctx=context, response_parameters=asked), status=status, headers=headers)


def _listed(
    model: Any, resources: Any, *, total: int | None = None, start: int = 1, asked: SearchRequest[Any] | None = None
) -> Response:
    page = list(resources)
    answer = model(
        total_results=len(page) if total is None else total,
        start_index=start,
        items_per_page=len(page),
        resources=page,
    )
    return _json(answer.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=asked))


def _one(found: list[Any]) -> Response:
    if not found:
        raise NotFoundException
    return _json(found[0].model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE))


def _told(error: SCIMException | ShouwenError | RequestValidationError | ValidationError) -> Response:
    """The error as RFC 7644 §3.12 wants it; its text repeats nothing that was sent."""
    scim_type: str | None = None
    match error:
        case WrongValue():
            status, scim_type, detail = error.status, error.scim_type, error.detail
        case SCIMException():
            status, scim_type = error.status, error.scim_type or None
            detail = _DETAILS.get(error.scim_type, _NOT_THERE if status == 404 else "It is refused.")
        case EntriesRefused():
            first = error.problems[0]
            status, scim_type = (409, "uniqueness") if first.field == "person" else (400, "invalidValue")
            detail = f"{first.field} {first.problem}. {first.remedy}"
        case AlreadyThere():
            status, scim_type, detail = 409, "uniqueness", f"{error.field}: {error.detail}"
        case ShouwenError():
            # RFC 7644 knows no 422.
            status, scim_type = (400, "invalidValue") if error.status == 422 else (error.status, None)
            detail = str(error)
        case RequestValidationError():
            status, detail = 404, _NOT_THERE
        case ValidationError():
            found = Error.from_validation_errors(error)[0]
            status, scim_type = found.status or 400, found.scim_type or "invalidValue"
            detail = _DETAILS.get(scim_type, _DETAILS["invalidValue"])
    return _error(status, detail, scim_type)


def _error(status: int, detail: str, scim_type: str | None = None) -> Response:
    headers = {"WWW-Authenticate": 'Bearer realm="shouwen"'} if status == 401 else None
    content = Error(status=status, scim_type=scim_type, detail=detail).model_dump()
    return _json(content, status=status, headers=headers)


_NOT_THERE = "There is no such resource."


def _json(content: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(content, ensure_ascii=False), status_code=status, media_type=MEDIA_TYPE, headers=headers)
