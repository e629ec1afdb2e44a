"""Long-running tasks that are started again when they fail, and the judgement whether a consumer stands still."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from shouwen.runtime import metrics
from shouwen.runtime.unit_of_work import may_pass

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_AFTER_SECONDS = 60.0
"""A task that ran this long has recovered: its next failure counts as the first."""
SETTLED_AFTER_SECONDS = 5.0
GIVEN_UP_AFTER = 6
"""Failures in a row, not counting lost servers, after which liveness fails; the task is tried on all the same."""

_log = structlog.stdlib.get_logger("shouwen.task")


def pause_after(failures: int) -> float:
    """Seconds to wait before the next attempt: doubles from half a second to half a minute."""
    return min(FIRST_PAUSE_SECONDS * 2.0 ** max(failures - 1, 0), LONGEST_PAUSE_SECONDS)


class Supervised:
    """Runs a coroutine until it returns or is stopped; after a failure it runs it again, after a pause."""

    def __init__(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._run = run
        self._task: asyncio.Task[None] | None = None
        self._faults = 0
        self._error: str | None = None
        self._started = 0.0

    def start(self) -> None:
        """Begin; once."""
        self._task = asyncio.create_task(self._supervise(), name=self.name)

    async def stop(self, timeout_seconds: float) -> None:
        """Cancel and wait, at most this long."""
        if self._task is None:
            return
        self._task.cancel()
        _, pending = await asyncio.wait([self._task], timeout=timeout_seconds)
        if pending:
            _log.warning("a task did not stop in time", task=self.name)
        self._task = None

    @property
    def failing(self) -> str | None:
        """The kind of error it fails with, until an attempt has held for some seconds."""
        return None if time.monotonic() - self._started >= SETTLED_AFTER_SECONDS else self._error

    @property
    def is_given_up(self) -> bool:
        """Whether it failed too often in a row for a reason that waiting does not cure."""
        return self._faults >= GIVEN_UP_AFTER

    async def _supervise(self) -> None:
        attempts = 0
        while True:
            self._started = time.monotonic()
            try:
                await self._run()
            except Exception as error:
                if time.monotonic() - self._started >= HEALTHY_AFTER_SECONDS:
                    attempts = self._faults = 0
                attempts += 1
                pause = pause_after(attempts)
                self._note(error, pause)
                # Until the next attempt it counts as failing, however long this one had held.
                self._started = time.monotonic() + pause
                await asyncio.sleep(pause)
            else:
                self._error, self._faults = None, 0
                return

    def _note(self, error: Exception, pause: float) -> None:
        self._error = type(error).__qualname__
        passing = may_pass(error)
        self._faults += 0 if passing else 1
        log = _log.warning if passing else _log.error
        log("a task failed and is started again", task=self.name, after_seconds=pause, exc_info=error)
        metrics.task_restarts.add(1, {"shouwen.task": self.name})


@dataclass(frozen=True, slots=True)
class Position:
    """How far a consumer is in a partition: ``position`` is the next record it handles, ``end`` the end of the log."""

    stream: str
    partition: int
    position: int
    end: int

    @property
    def lag(self) -> int:
        """Records not yet handled."""
        return max(self.end - self.position, 0)


@dataclass(slots=True)
class _Mark:
    position: int
    end: int
    since: float


@dataclass(slots=True)
class Standstill:
    """Notices a consumer that holds partitions but no longer moves while more and more waits for it.

    A consumer can lose its group after a broker's restart without any signal (aio-libs/aiokafka#1154); only its
    position tells.
    """

    patience_seconds: float
    _marks: dict[tuple[str, int], _Mark] = field(default_factory=dict[tuple[str, int], _Mark])

    def observe(self, positions: Sequence[Position], now: float) -> list[Position]:
        """Note the present positions; return those that stood still too long while their lag grew.

        Args:
            positions: of the partitions this process holds.
            now: seconds of a monotonic clock.
        """
        held = {(each.stream, each.partition) for each in positions}
        for gone in self._marks.keys() - held:
            del self._marks[gone]
        stuck: list[Position] = []
        for each in positions:
            place = (each.stream, each.partition)
            mark = self._marks.get(place)
            if mark is None or mark.position != each.position or each.lag == 0:
                self._marks[place] = _Mark(each.position, each.end, now)
            elif now - mark.since >= self.patience_seconds and each.end > mark.end:
                stuck.append(each)
        return stuck

    def forget(self) -> None:
        """Begin anew, as while the database is down: a consumer that waits for it stands still for a good reason."""
        self._marks.clear()
