"""Tasks are started again; a consumer that stands still is noticed, one that waits is not."""

import asyncio
from collections.abc import Callable

import pytest

from shouwen.runtime import supervision
from shouwen.runtime.errors import Transient
from shouwen.runtime.supervision import Position, Standstill, Supervised, pause_after


def at(position: int, end: int, partition: int = 0) -> list[Position]:
    return [Position("case.v1", partition, position, end)]


def test_a_position_that_stands_still_while_its_lag_grows_is_stuck():
    standstill = Standstill(60)
    assert standstill.observe(at(5, 10), 0) == []
    assert standstill.observe(at(5, 12), 59) == []
    [stuck] = standstill.observe(at(5, 14), 60)
    assert (stuck.position, stuck.lag) == (5, 9)


def test_a_consumer_that_moves_or_has_nothing_to_do_is_not_stuck():
    standstill = Standstill(60)
    for now in range(0, 600, 30):
        assert standstill.observe(at(now, now + 100), now) == []
    for now in range(600, 1200, 30):
        assert standstill.observe(at(700, 700), now) == []


def test_an_old_lag_that_does_not_grow_is_not_stuck():
    standstill = Standstill(60)
    for now in range(0, 600, 30):
        assert standstill.observe(at(5, 10), now) == []


def test_a_partition_that_came_back_counts_anew():
    standstill = Standstill(60)
    standstill.observe(at(5, 10), 0)
    standstill.observe([], 30)
    assert standstill.observe(at(5, 14), 70) == []


def test_after_a_lost_database_it_counts_anew():
    standstill = Standstill(60)
    standstill.observe(at(5, 10), 0)
    standstill.forget()
    assert standstill.observe(at(5, 14), 70) == []


def test_pauses_grow_to_half_a_minute():
    assert [pause_after(each) for each in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert pause_after(100) == 30.0


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (the task under test has no event to wait for)
            await asyncio.sleep(0.005)


async def test_a_failed_task_is_started_again_and_then_healthy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervision, "SETTLED_AFTER_SECONDS", 0.02)
    runs = 0

    async def ticks() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ValueError
        await asyncio.Event().wait()

    task = Supervised("ticker", ticks)
    task.start()
    await until(lambda: task.failing == "ValueError")
    await until(lambda: runs == 3)
    await until(lambda: task.failing is None)
    assert not task.is_given_up
    await task.stop(1)


@pytest.mark.parametrize(("error", "given_up"), [(ValueError, True), (Transient, False)])
async def test_a_task_that_fails_for_good_fails_liveness_but_a_lost_server_does_not(
    error: type[Exception], given_up: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervision, "FIRST_PAUSE_SECONDS", 0.0)
    runs = 0

    async def fails() -> None:
        nonlocal runs
        runs += 1
        raise error

    task = Supervised("ticker", fails)
    task.start()
    await until(lambda: runs > supervision.GIVEN_UP_AFTER)
    assert task.is_given_up is given_up
    await task.stop(1)


async def test_a_task_that_returns_is_done():
    done = asyncio.Event()

    async def once() -> None:
        done.set()

    task = Supervised("once", once)
    task.start()
    await done.wait()
    await task.stop(1)
    assert task.failing is None
