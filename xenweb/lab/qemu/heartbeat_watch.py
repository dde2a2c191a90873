"""Listens to a guest's heartbeat as it happens, so that a pause is felt and not computed."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from xenweb.lab.qemu.heartbeat import Arrival, parse

LOOK_EVERY: Final = 0.002


class HeartbeatWatch:
    """Follow one guest's console in a thread, from now on; use it as a context manager.

    The console carries no times, so each beat is stamped when it is seen, at most 2 ms after it was written.
    """

    def __init__(self, console: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._arrivals: list[Arrival] = []
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._offset = console.stat().st_size if console.exists() else 0
        self._rest = ""
        self._thread = threading.Thread(target=self._follow, name=f"heartbeat {console.stem}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def arrivals(self) -> list[Arrival]:
        """Return the beats seen so far."""
        with self._news:
            return list(self._arrivals)

    def wait_for(self, count: int, timeout: float) -> bool:
        """Wait until ``count`` more beats have come; return whether they did within ``timeout`` seconds."""
        with self._news:
            wanted = len(self._arrivals) + count
            return self._news.wait_for(lambda: len(self._arrivals) >= wanted, timeout)

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            if self._console.exists():
                self._take_news()

    def _take_news(self) -> None:
        size = self._console.stat().st_size
        if size < self._offset:  # the lab shortened a console that had grown too long
            self._offset, self._rest = 0, ""
        if size == self._offset:
            return
        with self._console.open("rb") as file:
            file.seek(self._offset)
            news = file.read()
        now = self._clock()
        self._offset += len(news)
        *lines, self._rest = (self._rest + news.decode("ascii", errors="replace")).split("\n")
        seen = [Arrival(beat, now) for line in lines if (beat := parse(line + "\n"))]
        if seen:
            with self._news:
                self._arrivals += seen
                self._news.notify_all()
