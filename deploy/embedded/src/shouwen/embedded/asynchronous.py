"""Run a coroutine from plain code, whether or not the caller's thread has an event loop."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end in a thread of its own and return its result."""
    with ThreadPoolExecutor(1, thread_name_prefix="shouwen-embedded") as pool:
        return pool.submit(asyncio.run, work).result()
