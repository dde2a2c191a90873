"""Many ask the same at the same moment: one look answers them all."""

import asyncio
from asyncio import AbstractEventLoop, Future, Task
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async

GATHER = 0.02
"""Seconds after a look in which questions gather for the next one: a crowd that trickles in is a crowd too."""

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class _Round(Generic[Question, Answer]):
    """The questions of one event loop: those that wait for the next look, and the look itself."""

    def __init__(self) -> None:
        self.asked: set[Question] = set()
        self.answers: Future[Mapping[Question, Answer]] | None = None
        self.looking: Task[None] | None = None


class Together(Generic[Question, Answer]):
    """Answers questions from the database, all that were asked during one look by the next.

    An answer is never older than its question: the look that gives it begins afterwards.
    """

    def __init__(self, look: Callable[[Collection[Question]], Mapping[Question, Answer]]) -> None:
        self._look = look
        self._rounds: WeakKeyDictionary[AbstractEventLoop, _Round[Question, Answer]] = WeakKeyDictionary()

    async def ask(self, question: Question) -> Answer:
        """Wait for the next look; raises what it raises."""
        loop = asyncio.get_running_loop()
        waiting = self._rounds.setdefault(loop, _Round())
        if waiting.answers is None:
            waiting.answers = loop.create_future()
        waiting.asked.add(question)
        answers = waiting.answers
        if waiting.looking is None:
            waiting.looking = loop.create_task(self._answer(waiting))
        # Whoever goes away must not take the answer from the others.
        return (await asyncio.shield(answers))[question]

    async def _answer(self, waiting: _Round[Question, Answer]) -> None:
        try:
            while (answers := waiting.answers) is not None:
                asked, waiting.asked, waiting.answers = waiting.asked, set(), None
                try:
                    answers.set_result(await database_sync_to_async(self._look)(asked))
                except Exception as error:  # noqa: BLE001 - it is theirs who asked
                    answers.set_exception(error)
                    answers.exception()  # known to be seen, even if all have gone
                await asyncio.sleep(GATHER)
        finally:
            waiting.looking = None
