"""One errand for many: what several requests need at the same time is asked of a server in one go."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from shouwen.runtime.unit_of_work import may_pass

A = TypeVar("A")
R = TypeVar("R")


class Together(Generic[A, R]):
    """Does for many what ``run`` does: while it is under way, what is asked meanwhile waits and then goes together.

    Nobody waits for company: what is asked while nothing is under way begins at once. A failure that says nothing
    against the work itself is everybody's; after any other each is tried alone, so that nobody fails for another.

    Args:
        run: does it for some, with a result for each, in their order.
        group: what only those have in common who may go together.
        most: how many go together, at most.
    """

    def __init__(
        self, run: Callable[[Sequence[A]], Awaitable[Sequence[R]]], *, group: Callable[[A], Hashable], most: int
    ) -> None:
        self._run = run
        self._group = group
        self._most = most
        self._waiting: dict[Hashable, deque[tuple[A, asyncio.Future[R]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def do(self, asked: A) -> R:
        """Do it for this one, perhaps together with others. Raises what ``run`` raises."""
        group = self._group(asked)
        done: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if (waiting := self._waiting.get(group)) is not None:
            waiting.append((asked, done))
        else:
            self._waiting[group] = deque([(asked, done)])
            # In a context of its own: the span of whoever came first is not the span of the others.
            task = asyncio.create_task(self._work_off(group), context=Context())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await done

    async def _work_off(self, group: Hashable) -> None:
        waiting = self._waiting[group]
        try:
            while waiting:
                taken = [waiting.popleft() for _ in range(min(len(waiting), self._most))]
                # Whoever has gone away meanwhile gets nothing done.
                await self._do_all([(asked, done) for asked, done in taken if not done.done()])
        finally:
            del self._waiting[group]

    async def _do_all(self, batch: Sequence[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            results = await self._run([asked for asked, _ in batch])
        except Exception as error:
            if len(batch) > 1 and not may_pass(error):
                for each in batch:
                    await self._do_all([each])
                return
            for _, done in batch:
                if not done.done():
                    done.set_exception(error)
        else:
            for (_, done), result in zip(batch, results, strict=True):
                if not done.done():
                    done.set_result(result)
