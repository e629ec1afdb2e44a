"""The key of encrypted fields is replaced while the service works, and a rotation can be begun again (I-18)."""

import asyncio
import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shouwen.embedded.testing import Infrastructure
from shouwen.intake.app import create
from shouwen.intake.settings import IntakeSettings
from shouwen.runtime.privacy import KeyRing
from shouwen.runtime.rotation import rotate
from shouwen.runtime.testing import Grounds, Running, grounds

Body = dict[str, Any]
OLD = f"old:{base64.b64encode(os.urandom(32)).decode()}"
NEW = f"new:{base64.b64encode(os.urandom(32)).decode()}"
ENCRYPTED = {
    "cases": ("subject", "description", "requester_name", "requester_phone"),
    "case_fact": ("note",),
    "person": ("name", "email"),
}


async def enter(intake: Running, matter: Callable[..., Body], count: int, *, mark: str) -> list[str]:
    """Register and answer matters; gives their numbers."""
    numbers: list[str] = []
    for place in range(count):
        headers = intake.token("bj.clerk")
        answer = await intake.http.post(
            "/api/cases",
            json=matter(subject=mark),
            headers=headers | {"Idempotency-Key": f"{mark.encode().hex()}-{place}"},
        )
        assert answer.status_code == 201, answer.text
        numbers.append(answer.json()["number"])
        replied = await intake.http.post(f"/api/cases/{numbers[-1]}/reply", json={"text": mark}, headers=headers)
        assert replied.status_code == 200, replied.text
    return numbers


async def under(intake: Running, key_id: str) -> int:
    """How many fields are encrypted under a key."""
    count = 0
    for table, names in ENCRYPTED.items():
        for name in names:
            prefix = f"{key_id}:".encode()
            query = f"SELECT count(*) AS n FROM {table} WHERE substr({name}, 1, $1) = $2"  # noqa: S608
            count += (await intake.fetch(query, len(prefix), prefix))[0]["n"]
    return count


async def all_readable(intake: Running, numbers: list[str]) -> None:
    headers = intake.token("bj.clerk")
    for number in numbers:
        shown = (await intake.http.get(f"/api/cases/{number}", headers=headers)).json()
        assert shown["requester"]["name"] == "李建国"
        assert shown["notes"][0]["text"] == shown["subject"]


@pytest.mark.req("I-18")
async def test_all_fields_come_under_the_new_key_while_matters_are_registered_and_answered(
    infrastructure: Infrastructure, directory_file: Path, matter: Callable[..., Body]
) -> None:
    async with grounds(infrastructure, "intake") as ground:
        async with ground.running(create, IntakeSettings, directory_file=directory_file, privacy_keys=OLD) as intake:
            numbers = await enter(intake, matter, 20, mark="旧钥匙")
        ring = f"{NEW},{OLD}"
        async with ground.running(create, IntakeSettings, directory_file=directory_file, privacy_keys=ring) as intake:
            assert await under(intake, "old") >= 100
            await all_readable(intake, numbers)
            busy = asyncio.create_task(enter(intake, matter, 10, mark="其间"))
            done = await rotate(ground.url("owner"), KeyRing.from_setting(ring))
            numbers += await busy
            assert done.is_complete
            assert done.fields["cases"] >= 80
            assert await under(intake, "old") == 0
            await all_readable(intake, numbers)
            again = await rotate(ground.url("owner"), KeyRing.from_setting(ring))
            assert again.fields == {}, "a second rotation finds nothing to do"
        async with ground.running(create, IntakeSettings, directory_file=directory_file, privacy_keys=NEW) as intake:
            await all_readable(intake, numbers)


@pytest.mark.req("I-18")
async def test_the_command_says_when_a_key_is_still_needed_and_when_it_may_go(
    infrastructure: Infrastructure, directory_file: Path, matter: Callable[..., Body]
) -> None:
    async with grounds(infrastructure, "intake") as ground:
        async with ground.running(create, IntakeSettings, directory_file=directory_file, privacy_keys=OLD) as intake:
            await enter(intake, matter, 1, mark="甲乙")
        code, said = await command(ground, NEW)
        assert code == 1
        assert "under key old" in said
        code, said = await command(ground, f"{NEW},{OLD}")
        assert code == 0
        assert "may be removed" in said
        code, said = await command(ground, NEW)
        assert code == 0
        assert NEW.partition(":")[2] not in said


@pytest.mark.req("I-18")
async def test_the_command_asks_for_the_owner_of_the_tables(infrastructure: Infrastructure) -> None:
    async with grounds(infrastructure, "intake") as ground:
        code, said = await command(ground, NEW, SHOUWEN_MIGRATION_DATABASE_URL="")
        assert code == 2
        assert "SHOUWEN_MIGRATION_DATABASE_URL" in said


async def command(ground: Grounds, keys: str, **variables: str) -> tuple[int, str]:
    """Run ``python -m shouwen.intake rotate`` on the database of the test."""
    environment = {**os.environ, **ground.environment(), "SHOUWEN_PRIVACY_KEYS": keys, **variables}
    environment = {name: value for name, value in environment.items() if value}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shouwen.intake", "rotate"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()
