"""What several ask for at the same time is done in one go, and nobody suffers from the company."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from shouwen.runtime.errors import Transient
from shouwen.runtime.together import Together


class Server:
    """Does what is asked one batch after the other, once it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def run(self, asked: Sequence[str]) -> list[str]:
        self.batches.append(list(asked))
        self.begun.set()
        await self.may_go_on.wait()
        if "down" in asked:
            raise Transient("away")
        if "wrong" in asked:
            raise ValueError("wrong")
        return [each.upper() for each in asked]


async def asked_while_the_first_is_under_way(
    server: Server, first: str, *others: str, group: Callable[[str], int] = lambda _: 0, most: int = 10
) -> list[object]:
    """Their answers."""
    together = Together(server.run, group=group, most=most)
    tasks = [asyncio.create_task(together.do(first))]
    await server.begun.wait()
    tasks += [asyncio.create_task(together.do(each)) for each in others]
    await asyncio.sleep(0)
    server.may_go_on.set()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


async def test_what_comes_while_one_is_under_way_goes_together_and_each_gets_its_own_answer() -> None:
    server = Server()
    assert await asked_while_the_first_is_under_way(server, "a", "b", "c", "d") == ["A", "B", "C", "D"]
    assert server.batches == [["a"], ["b", "c", "d"]]


async def test_only_those_of_one_group_go_together() -> None:
    server = Server()
    answers = await asked_while_the_first_is_under_way(server, "a", "bb", "c", "dd", "e", group=len)
    assert answers == ["A", "BB", "C", "DD", "E"]
    assert all(len({len(each) for each in batch}) == 1 for batch in server.batches)
    assert ["c", "e"] in server.batches


async def test_no_more_go_together_than_allowed() -> None:
    server = Server()
    await asked_while_the_first_is_under_way(server, *"12345678", most=3)
    assert server.batches == [["1"], ["2", "3", "4"], ["5", "6", "7"], ["8"]]


async def test_nobody_fails_for_another_who_is_at_fault() -> None:
    first, second, wrong, last = await asked_while_the_first_is_under_way(Server(), "a", "b", "wrong", "d")
    assert (first, second, last) == ("A", "B", "D")
    assert isinstance(wrong, ValueError)


async def test_a_server_that_is_away_is_asked_once_for_all() -> None:
    server = Server()
    first, *others = await asked_while_the_first_is_under_way(server, "a", "b", "down", "d")
    assert first == "A"
    assert all(isinstance(other, Transient) for other in others)
    assert server.batches == [["a"], ["b", "down", "d"]]


async def test_whoever_has_gone_away_gets_nothing_done() -> None:
    server = Server()
    together = Together(server.run, group=len, most=10)
    first = asyncio.create_task(together.do("a"))
    await server.begun.wait()
    gone, stays = asyncio.create_task(together.do("b")), asyncio.create_task(together.do("c"))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    server.may_go_on.set()
    assert (await first, await stays) == ("A", "C")
    assert server.batches == [["a"], ["c"]]
