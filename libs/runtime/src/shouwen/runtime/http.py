"""The HTTP side every service shares: problem documents, lists, limits, offline API pages, security headers.

All errors are ``application/problem+json`` (RFC 9457) with ``trace_id`` and ``errors: [{field, problem, remedy}]``.
They never repeat what was sent: a wrong phone number is somebody's phone number.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar, cast

import asyncpg
import structlog
from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError, ResponseValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shouwen.runtime import metrics, telemetry
from shouwen.runtime.errors import FieldProblem, Invalid, ShouwenError, TooLarge, Transient
from shouwen.runtime.unit_of_work import may_pass

T = TypeVar("T")

PROBLEM_JSON = "application/problem+json"
BODY_LIMIT_BYTES = 1_000_000
"""The longest request body, in bytes; the same as the longest event. ``allow_longer_bodies`` excepts single routes."""
DISCARD_LIMIT_BYTES = 8_000_000
"""A body over the limit is read and thrown away up to here, so that its sender sees the answer, not a reset."""
RETRY_AFTER_SECONDS = 5
_PASSING = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""Errors that a lost server may be behind."""
UNTRACED = ("/health/", "/metrics", "/api/docs", "/api/openapi.json", "/static-offline-docs")
_SEE_DOCS = "See /api/docs for the shape of this request."

_log = structlog.stdlib.get_logger("shouwen.http")


class Page(BaseModel, Generic[T]):
    """One page of a list. ``next`` goes into ``after`` to get the following page; null ends the list."""

    items: list[T]
    next: str | None = None


class ProblemField(BaseModel):
    """One field that is wrong."""

    field: str = Field(description="Path of the field, as requester.phone")
    problem: str = Field(description="What is wrong with it")
    remedy: str = Field(description="What to do")


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = Field(description="urn:shouwen:problem:… names the kind of error, for programs")
    title: str
    status: int
    detail: str
    instance: str | None = Field(None, description="Path of the request")
    code: str = Field(description="The kind of error as one word, as client_blacklisted")
    trace_id: str | None = Field(None, description="Look the request up by it")
    remedy: str | None = None
    errors: list[ProblemField] = []


def _limit(
    limit: Annotated[int, Query(ge=1, le=200, description="Items on a page, at most (1 to 200)")] = 50,
) -> int:
    return limit


def _after(
    after: Annotated[
        str | None, Query(max_length=500, description="The 'next' of the page before; without it the first page")
    ] = None,
) -> str | None:
    return after


Limit = Annotated[int, Depends(_limit)]
"""Items on a page: 1 to 200, 50 when not given."""
After = Annotated[str | None, Depends(_after)]
"""Where the page begins: the ``next`` of the page before."""

_LARGEST_ROW = 2**63 - 1


def bad_place() -> Invalid:
    """What answers an ``after`` that no page gave."""
    return Invalid("This is not a place in this list.", field="after", remedy="Send the 'next' of the page before.")


def row_place(after: str | None) -> int | None:
    """The row that a page begins after, where rows are numbered; None for the first page.

    Raises:
        Invalid: it is no number of a row.
    """
    if after is None:
        return None
    if not (after.isascii() and after.isdecimal()) or int(after) > _LARGEST_ROW:
        raise bad_place()
    return int(after)


def new_app(title: str, *, version: str, description: str = "") -> FastAPI:
    """An application with the shared behaviour, without routes."""
    app = FastAPIOffline(
        docs_url="/api/docs",
        redoc_url=None,
        title=title,
        version=version,
        description=description,
        openapi_url="/api/openapi.json",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        # Without it the page asks validator.swagger.io to judge the document.
        swagger_ui_parameters={"validatorUrl": None, "persistAuthorization": False},
        responses={
            422: {"description": "A field is missing or wrong", "content": {PROBLEM_JSON: {"schema": _PROBLEM_REF}}},
        },
        # FastAPI's own spans record query strings and the texts of errors.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.add_exception_handler(ShouwenError, _shouwen_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    for passing in _PASSING:
        app.add_exception_handler(passing, _maybe_passing)
    app.add_middleware(_Direct)
    app.add_middleware(_Guard)
    app.add_middleware(_BodyLimit)
    app.add_middleware(_Headers)
    app.add_middleware(_Observed)
    _describe_problems(app)
    return app


def allow_longer_bodies(app: FastAPI, path: str, limit_bytes: int) -> None:
    """Take longer bodies than usual at some addresses, as for uploads.

    Args:
        app: one that ``new_app`` made.
        path: a regular expression of the whole path.
        limit_bytes: the longest body there.
    """
    app.state.longer_bodies = [*getattr(app.state, "longer_bodies", []), (re.compile(path), limit_bytes)]


def _body_limit(scope: Scope) -> int:
    longer: Sequence[tuple[re.Pattern[str], int]] = getattr(scope["app"].state, "longer_bodies", ())
    return next((limit for path, limit in longer if path.fullmatch(scope["path"])), BODY_LIMIT_BYTES)


# --- problem documents ----------------------------------------------------------------------------------------------

_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}


def _describe_problems(app: FastAPI) -> None:
    """Put the Problem schema into the OpenAPI document, which the responses above refer to."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        if "Problem" not in schemas:
            problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs", {}))
            schemas["Problem"] = problem
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for path, operations in document.get("paths", {}).items():
                for operation in operations.values():
                    _describe_statuses(path, operation)
        return document

    app.openapi = openapi


def _describe_statuses(path: str, operation: dict[str, Any]) -> None:
    """Add to an operation the problems that follow from its shape; its route names those of its meaning."""
    takes_body = "requestBody" in operation
    shared = {
        "400": (takes_body, "The body cannot be read"),
        "401": ("security" in operation, "A valid bearer token is needed"),
        "403": ("security" in operation, "Your roles or branches do not allow this"),
        "404": ("{" in path, "There is no such thing, or it is not visible to you"),
        "413": (takes_body, "The body is over the limit"),
        "503": (True, "A server this service needs does not answer at the moment; try again shortly"),
    }
    responses: dict[str, dict[str, Any]] = operation.setdefault("responses", {})
    for status, (applies, description) in shared.items():
        if applies:
            responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400":
            # A page too may be refused by a problem document, as for a wrong address.
            response.setdefault("content", {}).setdefault(PROBLEM_JSON, {"schema": _PROBLEM_REF})


def problem_response(
    error: ShouwenError, *, instance: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """The answer for an error."""
    return _problem(
        status=error.status,
        title=error.title,
        code=_snake(type(error).__name__),
        detail=error.detail,
        remedy=error.remedy,
        problems=error.problems,
        members=error.members,
        instance=instance,
        headers={**_headers_for(error.status), **(headers or {})},
    )


def _problem(
    *,
    status: int,
    title: str,
    code: str,
    detail: str,
    remedy: str | None = None,
    problems: Sequence[FieldProblem] = (),
    members: Mapping[str, str] | None = None,
    instance: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    document = Problem(
        type=f"urn:shouwen:problem:{code.replace('_', '-')}",
        title=title,
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        trace_id=telemetry.current_trace_id(),
        remedy=remedy,
        errors=[ProblemField(field=each.field, problem=each.problem, remedy=each.remedy) for each in problems],
    )
    return JSONResponse(
        {**(members or {}), **document.model_dump(exclude_none=True)},
        status_code=status,
        media_type=PROBLEM_JSON,
        headers=dict(headers or {}),
    )


def _headers_for(status: int) -> dict[str, str]:
    match status:
        case 401:
            return {"WWW-Authenticate": 'Bearer realm="shouwen"'}
        case 503:
            return {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case _:
            return {}


async def _shouwen_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ShouwenError)
    if isinstance(error, Transient):
        _log.warning("answered 503", exc_info=error)
    seconds = error.members.get("retry_after_seconds")
    headers = None if seconds is None else {"Retry-After": seconds}
    return problem_response(error, instance=request.url.path, headers=headers)


async def _maybe_passing(request: Request, error: Exception) -> JSONResponse:
    """A lost database connection is worth asking again; anything else of that family is a fault of ours."""
    if not may_pass(error):
        raise error
    _log.warning("answered 503", exc_info=error)
    unavailable = Transient("A server this service needs does not answer at the moment.", remedy="Try again shortly.")
    return problem_response(unavailable, instance=request.url.path)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail, remedy = {
        404: ("There is nothing at this address.", "See /api/docs for what there is."),
        405: ("This address does not take this method.", "See the header Allow, or /api/docs."),
        413: _too_large_texts(_body_limit(request.scope)),
        400: ("The request cannot be read.", _SEE_DOCS),
    }.get(error.status_code, (str(error.detail), None))
    return _problem(
        status=error.status_code,
        title=_TITLES.get(error.status_code, "Request refused"),
        code=_CODES.get(error.status_code, f"http_{error.status_code}"),
        detail=detail,
        remedy=remedy,
        instance=request.url.path,
        headers={**_headers_for(error.status_code), **(error.headers or {})},
    )


_TITLES = {400: "Bad request", 404: "Not found", 405: "Method not allowed", 413: TooLarge.title}
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [field_problem(each) for each in cast(Sequence[Mapping[str, Any]], error.errors())]
    names = ", ".join(dict.fromkeys(each.field for each in problems))
    return _problem(
        status=Invalid.status,
        title=Invalid.title,
        code="invalid",
        detail=f"Wrong or missing: {names}.",
        remedy="See errors for each field.",
        problems=problems,
        instance=request.url.path,
    )


def field_problem(error: Mapping[str, Any]) -> FieldProblem:
    """One of pydantic's errors as field, problem and remedy, without the value that was sent."""
    location = [str(part)[:100] for part in error.get("loc", ())]
    if location and location[0] in {"body", "query", "path", "header", "cookie"}:
        source = location.pop(0)
        if error.get("type") == "json_invalid":
            return FieldProblem("body", "is not JSON", "Send a JSON object with Content-Type: application/json.")
        location = location or [source]
    field = ".".join(location) or "body"
    known: Mapping[str, Any] = error.get("ctx") or {}
    problem, remedy = _explained(str(error.get("type", "")), str(error.get("msg", "")), known)
    return FieldProblem(field, problem, remedy)


def _explained(kind: str, message: str, known: Mapping[str, Any]) -> tuple[str, str]:  # noqa: PLR0911 (a table)
    match kind:
        case "missing":
            return "is missing", "Add it."
        case "literal_error" | "enum":
            return "is not one of the known values", f"Use one of: {known.get('expected')}."
        case "union_tag_invalid":
            return "is not one of the known values", f"Use one of: {known.get('expected_tags')}."
        case "extra_forbidden":
            return "is not a known field", "Remove it, or correct its name."
        case "model_attributes_type" | "dict_type" | "model_type":
            return "is not a JSON object", "Send a JSON object with Content-Type: application/json."
        case "timezone_aware" | "datetime_parsing" | "datetime_from_date_parsing" | "datetime_type":
            return "is not a time with an offset", "Send ISO 8601, as 2026-11-20T09:00:00+08:00."
        case "uuid_parsing" | "uuid_type":
            return "is not a UUID", "Send it as 8-4-4-4-12 hex digits."
        case "url_parsing":
            return "is not a URL", "Send an absolute URL."
        case "string_pattern_mismatch":
            return "has not the expected form", f"It must match {known.get('pattern')}."
        case "value_error" | "assertion_error":
            return message.removeprefix("Value error, ").removeprefix("Assertion failed, "), _SEE_DOCS
        case _:
            # The remaining texts of pydantic name a type or a bound, never the value.
            return message[:1].lower() + message[1:], _SEE_DOCS


def _too_large_texts(limit: int) -> tuple[str, str]:
    return f"The request body is longer than {limit} bytes.", f"Send at most {limit} bytes."


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


# --- middleware, from the inside out --------------------------------------------------------------------------------

DirectAnswer = Callable[[Request, bytes], Awaitable[Response | None]]
"""Answers a request with this body; None leaves it to the route."""


def answer_directly(app: FastAPI, route: APIRoute, answer: DirectAnswer) -> None:
    """Let a busy route be answered without the search for the route and without FastAPI's own work on each request.

    The route stays: it describes the request, and it answers whatever ``answer`` leaves to it, such as a request that
    is wrong, so that errors look the same.
    """
    direct: dict[tuple[str, str], tuple[APIRoute, DirectAnswer]] = getattr(app.state, "direct", {})
    direct |= {(method, route.path): (route, answer) for method in route.methods or ()}
    app.state.direct = direct


class _Direct:
    """Answers the routes of ``answer_directly``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        direct = getattr(scope["app"].state, "direct", None) if scope["type"] == "http" else None
        found = direct and direct.get((scope["method"], scope["path"]))
        if not found:
            await self._app(scope, receive, send)
            return
        route, answer = found
        scope["route"] = route
        request = Request(scope, receive)
        body: bytes | None = None
        try:
            body = await request.body()
            response = await answer(request, body)
        except ClientDisconnect:
            return
        except ShouwenError as error:
            response = await _shouwen_error(request, error)
        except HTTPException as error:
            response = await _http_error(request, error)
        except _PASSING as error:
            response = await _maybe_passing(request, error)
        if response is not None:
            await response(scope, receive, send)
            return
        await self._app(scope, _again(body or b"", receive), send)


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read already, for somebody who reads it too."""
    is_given = False

    async def messages() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return messages


class _Guard:
    """Answers what nobody expected with 500 and the trace's id, and logs its kind and frames."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:
            what = "an answer does not fit its model" if isinstance(error, ResponseValidationError) else "unexpected"
            _log.error("answered 500", what=what, exc_info=error)
            scope["shouwen.error"] = type(error).__qualname__
            if started:
                raise
            response = _problem(
                status=500,
                title="Internal error",
                code="internal_error",
                detail="Something went wrong in this service; it was logged.",
                remedy="Tell the operator the trace id.",
                instance=scope["path"],
            )
            await response(scope, receive, send)


class _BodyLimit:
    """Refuses a body over the limit without keeping it: by its announced length, or while it comes in."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        limit = _body_limit(scope)
        announced = _number(headers.get(b"content-length"))
        if announced is not None and announced > limit:
            if announced <= max(DISCARD_LIMIT_BYTES, 2 * limit) and b"expect" not in headers:
                await _discard(receive, announced)
            await self._refuse(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    await _discard(receive, DISCARD_LIMIT_BYTES)
                    # FastAPI turns any other exception at this place into a 400.
                    raise HTTPException(TooLarge.status)
            return message

        await self._app(scope, counted, send)

    @staticmethod
    async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
        detail, remedy = _too_large_texts(_body_limit(scope))
        error = TooLarge(detail, field="body", remedy=remedy)
        response = problem_response(error, instance=scope["path"], headers={"Connection": "close"})
        await response(scope, receive, send)


async def _discard(receive: Receive, up_to: int) -> None:
    taken = 0
    while taken <= up_to:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        taken += len(message.get("body", b""))


def _number(value: bytes | None) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


_FIXED_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_DOCS_POLICY = (
    b"content-security-policy",
    # The page of Swagger UI starts itself by an inline script; all it loads comes from this service.
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; frame-ancestors 'none'",
)


class _Headers:
    """Security headers on every answer; a route that sets one of them itself keeps its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = _DOCS_POLICY if scope["path"].startswith("/api/docs") else _POLICY

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message.get("headers", [])}
                added = [pair for pair in (*_FIXED_HEADERS, policy) if pair[0] not in present]
                if scope["path"].startswith("/api/") and b"cache-control" not in present:
                    added.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        await self._app(scope, receive, with_headers)


class _Observed:
    """The span and the duration of each request, named by its route; paths and query strings stay out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.perf_counter()
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        span = telemetry.start_serving(method, traceparent=_traceparent(scope), scheme=scope.get("scheme", "http"))
        try:
            with telemetry.entered(span):
                await self._app(scope, receive, noting)
        except BaseException as error:
            telemetry.fail(span, error)
            raise
        finally:
            route = _route(scope)
            span.update_name(f"{method} {route}" if route else method)
            span.set_attributes({"http.route": route or "", "http.response.status_code": status})
            if status >= 500:
                telemetry.fail_as(span, scope.get("shouwen.error") or str(status))
            span.end()
            metrics.http_duration.record(
                time.perf_counter() - started,
                {"http.request.method": method, "http.route": route or "", "http.response.status_code": status},
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(scope: Scope) -> str | None:
    path = getattr(scope.get("route"), "path_format", None)
    return path if isinstance(path, str) else None


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            return value.decode("latin-1")
    return None
