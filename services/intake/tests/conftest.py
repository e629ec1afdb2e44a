"""Intake on a real Kafka and PostgreSQL, with the branches and persons of the evaluation."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import httpx
import pytest

from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.testing import Running, running

Body = dict[str, Any]


class Register(Protocol):
    """Registers a matter as a clerk of its branch and gives the answer."""

    async def __call__(
        self, body: Body, *, key: str | None = None, person: str | None = None, roles: tuple[str, ...] = ("clerk",)
    ) -> httpx.Response: ...


@pytest.fixture(scope="session")
def directory_file() -> Path:
    """The directory of the evaluation."""
    return Path(str(resources.files("shouwen.embedded") / "evaluation" / "directory.yaml"))


@pytest.fixture(scope="session")
def file_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where intake keeps the contents of files."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
async def intake(infrastructure: Infrastructure, directory_file: Path, file_folder: Path) -> AsyncIterator[Running]:
    """One intake for all tests of this folder; each test makes cases and clients of its own."""
    async with running(
        create,
        IntakeSettings,
        infrastructure,
        directory_file=directory_file,
        attachments_url=file_folder.as_uri(),
        attachment_limit=2_000_000,
        mail_addresses={"bj@service.example.com": "beijing", "CD@service.example.com": "chengdu"},
        first_asked={"chengdu": "cd.clerk"},
        web_forms=True,
        web_form_least=timedelta(0),
    ) as one:
        yield one


@pytest.fixture
def matter() -> Callable[..., Body]:
    """A complaint as a clerk enters it; arguments replace its fields, None leaves one out."""

    def make(**differences: Any) -> Body:
        usual: Body = {
            "type": "complaint",
            "channel": "phone",
            "branch": "beijing",
            "subject": "工资未按约定日期到账",
            "description": "派遣员工反映本月工资至今未到账。",
            "requester": {"name": "李建国", "phone": "138 1001 0001", "relation": "dispatched_employee"},
        }
        return {name: value for name, value in (usual | differences).items() if value is not None}

    return make


@pytest.fixture
def register(intake: Running) -> Register:
    """Register a matter through the API."""

    async def post(
        body: Body, *, key: str | None = None, person: str | None = None, roles: tuple[str, ...] = ("clerk",)
    ) -> httpx.Response:
        branch = body["branch"]
        prefix = {"beijing": "bj", "chengdu": "cd", "shenzhen": "sz"}[branch]
        headers = intake.token(person or f"{prefix}.clerk", [branch], roles)
        return await intake.http.post(
            "/api/cases", json=body, headers=headers | {"Idempotency-Key": key or str(uuid4())}
        )

    return post


ROLES = {"clerk": "clerk", "clerk2": "clerk", "manager": "manager", "general": "general_manager"}


class Send:
    """Sends commands to a case, and reads what lies with it, as a person of its branch named as in the directory."""

    def __init__(self, intake: Running) -> None:
        self._intake = intake

    async def __call__(self, case: Body, command: str, person: str, **body: Any) -> httpx.Response:
        """The answer to a command."""
        path = f"/api/cases/{case['number']}/{command}"
        return await self._intake.http.post(path, json=body, headers=self.headers(person))

    async def good(self, case: Body, command: str, person: str, **body: Any) -> Body:
        """The answer to a command that is to be carried out."""
        answer = await self(case, command, person, **body)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    async def show(self, case: Body, what: str, person: str = "bj.manager") -> Any:
        """What lies with the case."""
        answer = await self._intake.http.get(f"/api/cases/{case['number']}/{what}", headers=self.headers(person))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def headers(self, person: str) -> dict[str, str]:
        """The token of a person of the directory."""
        prefix, _, post = person.partition(".")
        branch = {"bj": "beijing", "cd": "chengdu", "sz": "shenzhen"}[prefix]
        return self._intake.token(person, [branch], [ROLES[post]])


@pytest.fixture
def send(intake: Running) -> Send:
    """Commands to a case by the persons of its branch."""
    return Send(intake)


@pytest.fixture
async def public(intake: Running) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody at a network address of their own, without a token."""
    address = f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"
    transport = httpx.ASGITransport(app=intake.service.app, raise_app_exceptions=False, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://intake.test") as client:
        yield client


@pytest.fixture
def fields() -> Callable[[httpx.Response], list[str]]:
    """The fields that a problem document names; checks that it is one."""

    def read(response: httpx.Response) -> list[str]:
        assert response.headers["content-type"] == "application/problem+json"
        document = response.json()
        assert document["status"] == response.status_code
        assert re.fullmatch(r"[0-9a-f]{32}", document["trace_id"])
        assert all(each["remedy"] for each in document["errors"])
        return [each["field"] for each in document["errors"]]

    return read
