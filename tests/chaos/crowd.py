"""Many browsers that come back at once; ``python -m tests.chaos.crowd`` reads from its standard input where to.

A process of its own, and as little work per socket as can be: what is measured is the server. Each
comes back as our page does: after the same random pause, asking for all since the last event it had.
"""

import asyncio
import base64
import json
import os
import random
import sys
import time
from dataclasses import dataclass, field

TEXT, CLOSE = 1, 8
SHORT, LONG = 126, 127


@dataclass
class Wish:
    """Where to come back to: each of the cookies is one browser, ``since`` what it has, ``until`` what it lacks."""

    host: str
    port: int
    cookies: list[str]
    since: int
    until: int
    pause: tuple[float, float]
    within: float


@dataclass(eq=False)
class Browser(asyncio.Protocol):
    """One socket; ``back`` is done once it has all that it missed, with the seconds since it began to connect."""

    wish: Wish
    cookie: str
    back: "asyncio.Future[float]"
    began: float = 0.0
    greeted: float = 0.0
    last: int = 0
    heard: bytearray = field(default_factory=bytearray)
    is_open: bool = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket, in the words of a browser."""
        assert isinstance(transport, asyncio.Transport)
        origin = f"{self.wish.host}:{self.wish.port}"
        words = (
            f"GET /ws/board?since={self.wish.since} HTTP/1.1",
            f"Host: {origin}",
            f"Origin: http://{origin}",
            f"Cookie: {self.cookie}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "\r\n",
        )
        transport.write("\r\n".join(words).encode())

    def data_received(self, data: bytes) -> None:
        """Take the answer, then frame by frame."""
        self.heard += data
        if not self.is_open:
            head, blank, rest = bytes(self.heard).partition(b"\r\n\r\n")
            if not blank:
                return
            if b" 101 " not in head[:20]:
                self._fail(head[:100].decode(errors="replace"))
                return
            self.is_open, self.heard = True, bytearray(rest)
        while (frame := self._frame()) is not None:
            self._take(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        heard = self.heard
        if len(heard) < 2:
            return None
        length, begins = heard[1] & 0x7F, 2
        if length in {SHORT, LONG}:
            width = 2 if length == SHORT else 8
            length, begins = int.from_bytes(heard[2 : 2 + width]), 2 + width
        if len(heard) < begins + length:
            return None
        code, body = heard[0] & 0x0F, bytes(heard[begins : begins + length])
        del heard[: begins + length]
        return code, body

    def _take(self, code: int, body: bytes) -> None:
        if code == CLOSE:
            self._fail(f"closed with {int.from_bytes(body[:2])}")
        if code != TEXT or self.back.done():
            return
        frame = json.loads(body)
        if frame["kind"] == "hello":
            self.greeted, self.last = time.monotonic() - self.began, frame["sequence"]
        elif frame["kind"] == "event" and frame["previous"] == self.last:
            self.last = frame["sequence"]
        else:
            self._fail(f"a gap, or a resync: {frame}")
        if self.last >= self.wish.until and not self.back.done():
            self.back.set_result(time.monotonic() - self.began)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so, if it was not back yet."""
        self._fail(f"lost: {exc}")

    def _fail(self, why: str) -> None:
        if not self.back.done():
            self.back.set_exception(RuntimeError(why))


async def come_back(wish: Wish, cookie: str) -> tuple[float, float, float]:
    """Pause, connect, wait for all that was missed; answer the seconds of each: greeted, back, back since the loss."""
    loop = asyncio.get_running_loop()
    lost = time.monotonic()
    await asyncio.sleep(random.uniform(*wish.pause))
    browser = Browser(wish, cookie, loop.create_future(), began=time.monotonic())
    await loop.create_connection(lambda: browser, wish.host, wish.port)
    took = await asyncio.wait_for(browser.back, wish.within)
    return browser.greeted, took, time.monotonic() - lost


async def all_come_back(wish: Wish) -> dict[str, list[float] | list[str]]:
    """Let all come back; answer the sorted seconds, and what went wrong."""
    ended = await asyncio.gather(*(come_back(wish, cookie) for cookie in wish.cookies), return_exceptions=True)
    good = [each for each in ended if isinstance(each, tuple)]
    said: dict[str, list[float] | list[str]] = {
        name: sorted(round(each[place], 3) for each in good) for place, name in enumerate(("greeted", "took", "back"))
    }
    said["failures"] = [repr(each) for each in ended if isinstance(each, BaseException)]
    return said


if __name__ == "__main__":
    said = json.load(sys.stdin)
    print(json.dumps(asyncio.run(all_come_back(Wish(**said)))))
