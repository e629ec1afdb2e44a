"""Every error is a problem document that helps and repeats nothing; the API pages work without the internet."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any, Literal

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shouwen.runtime import http, metrics, telemetry
from shouwen.runtime.auth import Authenticator, Caller
from shouwen.runtime.errors import Invalid, NotFound, Refused, Transient
from shouwen.runtime.http import After, Limit, Page

SECRET = "13800138000"


class Requester(BaseModel):
    name: str = Field(min_length=2)
    phone: str = Field(pattern=r"^\d{11}$")


class Matter(BaseModel):
    model_config = ConfigDict(extra="forbid")

    channel: Literal["phone", "letter"]
    received_at: AwareDatetime
    requester: Requester


class CaseClosed(Refused):
    """The case is closed already."""


router = APIRouter()


@router.post("/api/matters")
async def add(matter: Matter) -> dict[str, str]:
    return {"channel": matter.channel}


@router.get("/api/matters/{matter_id}")
async def one(matter_id: int) -> dict[str, int]:
    return {"id": matter_id}


@router.get("/api/matters")
async def several(limit: Limit, after: After) -> Page[str]:
    return Page(items=[f"{limit} {after}"], next=None)


@router.get("/api/with-default")
async def with_default(limit: Limit = 50, after: After = None) -> Page[str]:
    return Page(items=[f"{limit} {after}"])


@router.get("/api/me")
async def me(caller: Caller) -> dict[str, str]:
    return {"person": caller.person}


@router.get("/api/fails/{how}")
async def fails(how: str) -> None:
    raise {
        "refused": CaseClosed(),
        "invalid": Invalid("The number is wrong.", field="number", remedy="Correct it."),
        "missing": NotFound("There is no case BJ-1."),
        "transient": Transient("The printer is out.", remedy="Wait."),
        "lost": asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        "restart": asyncpg.CannotConnectNowError("the database system is starting up"),
        "refused-connection": ConnectionRefusedError(111, "refused"),
        "unique": asyncpg.UniqueViolationError(f"Key (phone)=({SECRET}) already exists"),
        "bug": ValueError(f"cannot use {SECRET}"),
    }[how]


@pytest.fixture
def app() -> FastAPI:
    telemetry.setup("tests")
    metrics.setup("tests")
    app = http.new_app("Tests", version="1")
    app.include_router(router)

    class NoKeys:
        async def keys(self, kid: str | None) -> Any:
            raise AssertionError("not asked")

    app.state.authenticator = Authenticator(NoKeys(), issuer="x", audience="y")
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tests") as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:shouwen:problem:")
    assert re.fullmatch(r"[0-9a-f]{32}", document["trace_id"])
    assert SECRET not in answer.text
    return document


GOOD: dict[str, Any] = {
    "channel": "phone",
    "received_at": "2026-11-20T09:00:00+08:00",
    "requester": {"name": "王小明", "phone": SECRET},
}


@pytest.mark.parametrize(
    ("change", "field", "remedy"),
    [
        ({"channel": SECRET}, "channel", "'phone' or 'letter'"),
        ({"received_at": "2026-11-20T09:00:00"}, "received_at", "+08:00"),
        ({"received_at": SECRET + "x"}, "received_at", "+08:00"),
        ({"received_at": None}, "received_at", "+08:00"),
        ({"requester": {"name": "王小明", "phone": SECRET + "9"}}, "requester.phone", "must match"),
        ({"requester": {"name": "王", "phone": SECRET}}, "requester.name", "/api/docs"),
        ({"requester": {"phone": SECRET}}, "requester.name", "Add it"),
        ({"requester": SECRET}, "requester", "JSON object"),
        ({"chanel": SECRET}, "chanel", "Remove it"),
    ],
)
async def test_a_wrong_field_is_named_with_its_remedy_and_without_its_value(
    client: httpx.AsyncClient, change: dict[str, Any], field: str, remedy: str
):
    document = problem(await client.post("/api/matters", json={**GOOD, **change}), 422)
    [error] = document["errors"]
    assert error["field"] == field
    assert remedy in error["remedy"]
    assert field in document["detail"]


async def test_all_wrong_fields_are_told_at_once(client: httpx.AsyncClient):
    document = problem(await client.post("/api/matters", json={"requester": {}}), 422)
    named = {each["field"] for each in document["errors"]}
    assert named == {"channel", "received_at", "requester.name", "requester.phone"}


@pytest.mark.parametrize("body", [b"{not json", b"\xff\xfe", b"[1,2", b"null", b"[]", b'"13800138000"', b""])
async def test_a_body_that_is_no_json_object_is_said_to_be_that(client: httpx.AsyncClient, body: bytes):
    answer = await client.post("/api/matters", content=body, headers={"content-type": "application/json"})
    document = problem(answer, answer.status_code)
    assert answer.status_code in {400, 422}
    assert document["remedy"] or document["errors"]


async def test_a_wrong_query_and_a_wrong_path_are_named(client: httpx.AsyncClient):
    assert problem(await client.get("/api/matters?limit=201"), 422)["errors"][0]["field"] == "limit"
    assert problem(await client.get("/api/matters?limit=zehn"), 422)["errors"][0]["field"] == "limit"
    assert problem(await client.get("/api/matters/abc"), 422)["errors"][0]["field"] == "matter_id"


async def test_lists_have_a_page_of_fifty_unless_told(client: httpx.AsyncClient):
    assert (await client.get("/api/matters")).json() == {"items": ["50 None"], "next": None}
    assert (await client.get("/api/matters?limit=7&after=x")).json()["items"] == ["7 x"]
    assert (await client.get("/api/with-default?limit=7")).json()["items"] == ["7 None"]


async def test_an_unknown_address_and_a_wrong_method_are_problems(client: httpx.AsyncClient):
    assert problem(await client.get("/api/nothing"), 404)["code"] == "not_found"
    answer = await client.delete("/api/matters")
    assert problem(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("refused", 409, "case_closed"),
        ("invalid", 422, "invalid"),
        ("missing", 404, "not_found"),
        ("transient", 503, "transient"),
        ("lost", 503, "transient"),
        ("restart", 503, "transient"),
        ("refused-connection", 503, "transient"),
        ("unique", 500, "internal_error"),
        ("bug", 500, "internal_error"),
    ],
)
async def test_errors_of_handlers_become_problems(client: httpx.AsyncClient, how: str, status: int, code: str):
    answer = await client.get(f"/api/fails/{how}")
    document = problem(answer, status)
    assert document["code"] == code
    assert document["instance"] == f"/api/fails/{how}"
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_without_a_token_the_answer_says_how_to_send_one(client: httpx.AsyncClient):
    answer = await client.get("/api/me")
    document = problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in document["errors"][0]["remedy"]


async def test_a_body_of_two_megabytes_is_refused_and_the_next_request_works(client: httpx.AsyncClient):
    answer = await client.post("/api/matters", content=b"x" * 2_000_000)
    document = problem(answer, 413)
    assert document["code"] == "too_large"
    assert "1000000" in document["detail"]
    assert (await client.post("/api/matters", json=GOOD)).status_code == 200


async def test_a_body_without_announced_length_is_refused_when_it_passes_the_limit(client: httpx.AsyncClient):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100_000_000:
            sent += 100_000
            yield b"x" * 100_000

    problem(await client.post("/api/matters", content=endless(), headers={"content-type": "application/json"}), 413)
    assert sent < 20_000_000


async def test_every_answer_has_the_security_headers_and_no_other_origin_is_let_in(client: httpx.AsyncClient):
    for path in ("/api/matters", "/api/nothing", "/api/docs", "/api/fails/bug"):
        answer = await client.get(path, headers={"origin": "https://evil.example"})
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src" in answer.headers["content-security-policy"]
        assert "access-control-allow-origin" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"


async def test_the_api_pages_load_nothing_from_elsewhere(client: httpx.AsyncClient):
    page = (await client.get("/api/docs")).text
    links = re.findall(r"(?:src|href|url)\s*[=:]\s*[\"']([^\"']+)", page)
    assert links
    assert [link for link in links if re.match(r"(?:https?:)?//", link)] == []
    assert "http://" not in page.replace("http://tests", "")
    assert "https://" not in page
    for link in links:
        if link.startswith("/"):
            assert (await client.get(link)).status_code == 200, link
    assert '"validatorUrl": null' in page


async def test_the_openapi_document_describes_problems_and_not_fastapis_own(client: httpx.AsyncClient):
    document = (await client.get("/api/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert "Problem" in schemas
    assert "HTTPValidationError" not in json.dumps(document)
    responses = document["paths"]["/api/matters"]["post"]["responses"]
    assert list(responses["422"]["content"]) == ["application/problem+json"]
    assert responses["503"]["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert references <= set(schemas)
    names = [each["name"] for each in document["paths"]["/api/matters"]["get"]["parameters"]]
    assert names == ["limit", "after"]


async def test_the_callers_trace_is_continued_and_told_in_the_problem(client: httpx.AsyncClient):
    stored = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await client.get("/api/fails/bug", headers={"traceparent": stored})
    assert problem(answer, 500)["trace_id"] == telemetry.trace_id_of(stored)
