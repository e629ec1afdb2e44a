"""``shouwen demo`` plays its day through the running suite, and what it leaves behind adds up."""

import asyncio
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable

import pytest
from support import Person, until

from shouwen.embedded.reconcile import collect_at_rest, reconcile
from shouwen.embedded.suite import Suite


async def _shouwen(suite: Suite, *words: str) -> tuple[int | None, str]:
    command = [sys.executable, "-m", "shouwen.embedded", *words, "--home", str(suite.home.path)]
    process = await create_subprocess_exec(*command, stdout=PIPE, stderr=STDOUT)
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.req("I-17", "S-11", "I-01")
async def test_the_demo_day_is_registered_timed_told_and_reconciles(
    suite: Suite, person: Callable[..., Person]
) -> None:
    auditor = person("auditor", "", "group_auditor")
    code, output = await _shouwen(suite, "demo")
    assert code == 0, output
    assert "不予受理" in output, "the service request of the listed client is refused"
    assert "登记 42 件" in output
    assert "已超时" in output, "the letters received yesterday are late when they are registered"

    async def marks() -> list[str]:
        cases = (await auditor.get("intake", "/api/cases", branch="beijing", limit=200))["items"]
        [case] = [case for case in cases if case["subject"] == "失信名单客户的投诉"]
        detail = await auditor.get("intake", f"/api/cases/{case['number']}")
        return [mark["mark"] for mark in detail["marks"]]

    assert await until(marks, bool) == ["client_blacklisted"]
    account = await collect_at_rest(suite.access, timeout=60)
    assert account, "the services did not come to rest"
    faults = [fault for finding in reconcile(account) for fault in finding.faults]
    assert not faults
    code, output = await _shouwen(suite, "reconcile")
    assert code == 0, output


@pytest.mark.req("X-05")
async def test_an_account_taken_while_work_comes_in_is_of_one_moment(
    suite: Suite, person: Callable[..., Person]
) -> None:
    clerk = person("bj.clerk", "beijing", "clerk")
    complaint = {
        "type": "complaint",
        "branch": "beijing",
        "channel": "phone",
        "subject": "工资迟发",
        "description": "晚了一周",
        "requester": {"name": "李四", "phone": "13900000000"},
    }

    async def come_in() -> None:
        for matter in range(12):
            await clerk.register(complaint)
            await asyncio.sleep(matter / 4)

    coming = asyncio.create_task(come_in())
    accounts = 0
    while not coming.done():
        if account := await collect_at_rest(suite.access, timeout=5):
            accounts += 1
            assert not [fault for finding in reconcile(account) for fault in finding.faults]
    await coming
    assert accounts
