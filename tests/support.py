"""What the tests of the whole suite share: a home, a person at its doors, and waiting for a condition."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from shouwen.embedded.access import Access
from shouwen.embedded.home import Home

T = TypeVar("T")


@contextmanager
def temporary_home() -> Generator[Home]:
    """A home of its own for a suite, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="shouwen-suite-"))
    folder.chmod(0o711)  # PostgreSQL's account must reach its data when root runs the tests
    try:
        yield Home(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Person:
    """A person at the suite's doors: one token, short verbs, and answers as JSON."""

    def __init__(self, access: Access, http: httpx.AsyncClient, person: str, branch: str, *roles: str) -> None:
        self._access = access
        self._http = http
        self._headers = access.headers(person, [branch] if branch else [], roles)

    async def get(self, service: str, path: str, **parameters: Any) -> Any:
        """The JSON of a successful answer."""
        url = f"{self._access.url(service)}{path}"
        response = await self._http.get(url, params=parameters, headers=self._headers)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, service: str, path: str, body: Any, **headers: str) -> httpx.Response:
        """The answer, whatever it is."""
        url = f"{self._access.url(service)}{path}"
        return await self._http.post(url, json=body, headers=self._headers | headers)

    async def register(self, matter: Mapping[str, Any]) -> dict[str, Any]:
        """The new case."""
        answer = await self.post("intake", "/api/cases", matter, **idempotency_key())
        assert answer.status_code == 201, answer.text
        return answer.json()


def idempotency_key() -> dict[str, str]:
    """The header of a request that repeats none before it."""
    return {"Idempotency-Key": str(uuid4())}


async def until(ask: Callable[[], Awaitable[T]], holds: Callable[[T], object], *, seconds: float = 60) -> T:
    """Ask until the answer satisfies the condition; the last answer is shown when it never does."""
    deadline = monotonic() + seconds
    while True:
        answer = await ask()
        if holds(answer):
            return answer
        assert monotonic() < deadline, f"not within {seconds:.0f} s; the last answer was {answer!r}"
        await asyncio.sleep(0.1)
