"""One ear on the doorbell for all sockets of a process.

A subscription for each socket would cost Redis as much as it costs us, and a
socket could not open while Redis is away. A ring that is missed loses nothing: the
bells also ring by themselves, all at once, so that all sockets look together.
"""

import asyncio
import contextlib
import logging
from asyncio import AbstractEventLoop, Event, Task
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from xenweb.realtime.publish import GROUP

log = logging.getLogger(__name__)

LISTEN_AGAIN_AFTER = 1.0
LOOK_EVERY = 2.0
"""Seconds after which the feed is read even if no doorbell rang, and rights are checked."""


class Doorbell:
    """Rings the bells of those who wait, in one event loop."""

    def __init__(self) -> None:
        self._bells: set[Event] = set()
        self._ears: tuple[Task[None], ...] = ()

    @contextlib.contextmanager
    def bell(self) -> Iterator[Event]:
        """Give a bell that is set at each ring, for as long as the context lasts."""
        bell = Event()
        self._bells.add(bell)
        if not self._ears:
            self._ears = (asyncio.create_task(self._listen()), asyncio.create_task(self._ring_now_and_then()))
        try:
            yield bell
        finally:
            self._bells.discard(bell)
            if not self._bells:
                for each in self._ears:
                    each.cancel()
                self._ears = ()

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()

    async def _ring_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._ring()

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once(get_channel_layer())
            except (RedisError, OSError) as error:
                log.warning("the doorbell cannot be heard: %s", error)
                await asyncio.sleep(LISTEN_AGAIN_AFTER)

    async def _listen_once(self, layer: Any) -> None:
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        try:
            # It may have rung while nobody listened.
            self._ring()
            while True:
                await layer.receive(channel)
                self._ring()
        finally:
            with contextlib.suppress(RedisError, OSError):
                await layer.group_discard(GROUP, channel)


_DOORBELLS: WeakKeyDictionary[AbstractEventLoop, Doorbell] = WeakKeyDictionary()


def doorbell() -> Doorbell:
    """Answer the doorbell of the running event loop."""
    return _DOORBELLS.setdefault(asyncio.get_running_loop(), Doorbell())
