"""One look answers all who asked before it began."""

import asyncio
import threading
from collections.abc import Collection

import pytest

from xenweb.web.together import Together

pytestmark = [pytest.mark.asyncio, pytest.mark.django_db(transaction=True)]


class Looks:
    """A look that takes until it is let go, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[set[int]] = []
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, questions: Collection[int]) -> dict[int, int]:
        self.asked.append(set(questions))
        self.begun.set()
        assert self.go.wait(5)
        if 0 in questions:
            raise ZeroDivisionError
        return {each: each * len(self.asked) for each in questions}


async def test_all_who_ask_during_a_look_share_the_next_one() -> None:
    looks = Looks()
    together = Together(looks)
    first = asyncio.create_task(together.ask(1))
    await asyncio.to_thread(looks.begun.wait, 5)
    others = [asyncio.create_task(together.ask(number)) for number in (2, 3, 3, 1)]
    await asyncio.sleep(0)
    looks.go.set()
    assert await first == 1
    assert await asyncio.gather(*others) == [4, 6, 6, 2]  # never the answer of a look that had begun before
    assert looks.asked == [{1}, {1, 2, 3}]


async def test_who_goes_away_takes_no_answer_from_the_others() -> None:
    looks = Looks()
    together = Together(looks)
    gone, stays = asyncio.create_task(together.ask(1)), asyncio.create_task(together.ask(2))
    await asyncio.to_thread(looks.begun.wait, 5)
    gone.cancel()
    looks.go.set()
    assert await stays == 2


async def test_a_look_that_fails_fails_for_those_who_asked_and_for_nobody_after_them() -> None:
    looks = Looks()
    looks.go.set()
    together = Together(looks)
    ended = await asyncio.gather(together.ask(0), together.ask(1), return_exceptions=True)
    assert [type(each) for each in ended] == [ZeroDivisionError] * 2
    assert await together.ask(5) == 10
