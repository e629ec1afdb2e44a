"""Files in an S3-compatible store: a real server, reached as an operator would set it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shouwen.embedded.s3 import S3
from shouwen.embedded.testing import Infrastructure, free_port
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.testing import Grounds, Running, grounds

Open = Callable[..., Any]
pytestmark = pytest.mark.req("I-01")


@pytest.fixture(scope="module")
def bucket(s3: S3) -> Path:
    return s3.add_bucket("files")


@pytest.fixture(scope="module")
async def ground(infrastructure: Infrastructure) -> AsyncIterator[Grounds]:
    async with grounds(infrastructure, "intake") as one:
        yield one


@pytest.fixture(scope="module")
def opened(ground: Grounds, directory_file: Path, s3: S3) -> Open:
    """A replica of intake whose files are in the store, with this bucket and these variables."""

    @asynccontextmanager
    async def replica(bucket: str = "files", **other: str) -> AsyncGenerator[Running]:
        usual = {
            "AWS_ENDPOINT_URL": s3.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": s3.IDENTITY,
            "AWS_SECRET_ACCESS_KEY": s3.CREDENTIAL,
        }
        settings = {"directory_file": directory_file, "attachments_url": f"s3://{bucket}/attachments"}
        with pytest.MonkeyPatch.context() as environment:
            for name, value in (usual | other).items():
                environment.setenv(name, value)
            async with ground.running(create, IntakeSettings, **settings) as one:
                yield one

    return replica


@pytest.fixture(scope="module")
async def intake(opened: Open, bucket: Path) -> AsyncIterator[Running]:
    async with opened(bucket.name) as one:
        yield one


@pytest.fixture
async def path(register: Any, matter: Callable[..., dict[str, Any]]) -> str:
    """Where the files of a new case are."""
    return f"/api/cases/{(await register(matter())).json()['number']}/attachments"


def pdf() -> bytes:
    return f"%PDF-1.7\n% {uuid4()}\n%%EOF\n".encode() * 5_000


async def add(intake: Running, path: str, content: bytes) -> httpx.Response:
    files = {"file": ("合同.pdf", content)}
    return await intake.http.post(path, files=files, headers=intake.token("bj.clerk"))


async def get(intake: Running, path: str) -> httpx.Response:
    return await intake.http.get(path, headers=intake.token("bj.clerk"))


def place_of(added: dict[str, Any], bucket: Path) -> Path:
    [place] = [each for each in bucket.rglob("*") if added["id"] in each.name]
    return place


def kept_in(bucket: Path) -> list[bytes]:
    return [file.read_bytes() for file in bucket.rglob("*") if file.is_file()]


@pytest.mark.req("I-18")
async def test_a_file_comes_back_as_it_was_sent_and_nobody_can_read_it_in_the_store(
    intake: Running, path: str, bucket: Path
) -> None:
    content, before = pdf(), len(kept_in(bucket))
    added = await add(intake, path, content)
    assert added.status_code == 201, added.text
    answer = await get(intake, f"{path}/{added.json()['id']}")
    assert answer.content == content
    assert len(kept_in(bucket)) == before + 1
    assert not [sealed for sealed in kept_in(bucket) if content[:20] in sealed]


async def test_a_content_that_is_gone_from_the_store_is_told_as_such(intake: Running, path: str, bucket: Path) -> None:
    added = (await add(intake, path, pdf())).json()
    place_of(added, bucket).unlink()
    answer = await get(intake, f"{path}/{added['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "content_unreadable")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another"}, "file_store_closed"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "file_store_closed"),
        ({"bucket": "missing"}, "file_store_closed"),
        ({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}, "file_store_down"),
    ],
    ids=["wrong secret", "unknown user", "missing bucket", "no server"],
)
async def test_a_store_that_cannot_be_used_is_told_as_such_and_nothing_is_lost(
    intake: Running, opened: Open, path: str, wrong: dict[str, str], code: str
) -> None:
    earlier, later = pdf(), pdf()
    kept = (await add(intake, path, earlier)).json()
    async with opened(**wrong) as misled:
        for answer in (await add(misled, path, later), await get(misled, f"{path}/{kept['id']}")):
            assert (answer.status_code, answer.json()["code"]) == (503, code), answer.text
            if code == "file_store_closed":
                assert "SHOUWEN_ATTACHMENTS_URL" in answer.json()["remedy"]
        assert (await get(misled, path)).json()["items"] == [kept], "no row names a content that is not kept"
    assert (await get(intake, f"{path}/{kept['id']}")).content == earlier
    again = await add(intake, path, later)
    assert again.status_code == 201
    assert (await get(intake, f"{path}/{again.json()['id']}")).content == later
