"""The socket of the board: it tells, and takes nothing."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from xenweb.realtime.events import FRAME, HelloFrame
from xenweb.web import feed
from xenweb.web.doorbell import doorbell
from xenweb.web.origins import origin_is_ours
from xenweb.web.presence import Credentials, actors_of, bearer_of
from xenweb.web.together import Together

if TYPE_CHECKING:
    from xenweb.accounts.policy import Actor

log = logging.getLogger(__name__)

SIGNED_OUT = 4401
NOT_ALLOWED = 4403
TOO_BIG = 1009
TOO_MANY = 1008
TOO_SLOW = 1013
BROKEN = 1011

LARGEST_FRAME = 16 * 1024
MOST_FRAMES_A_SECOND = 20
FRESH_FOR = 0.3
"""Seconds for which an actor, once read, is still believed."""
GATHER = 0.03
"""Seconds in which events gather after a delivery, so that a flood becomes few frames."""
SEND_WITHIN = 20.0
LARGEST_SEQUENCE = 2**63 - 1
LONGEST_SEQUENCE = len(str(LARGEST_SEQUENCE))

# A ring wakes every socket, and a restart brings all of them back at once: what each
# of them must read from the database is read for all of them together.
PRESENT = Together(actors_of)
GREETED = Together(feed.greetings)
READ = Together(feed.batches)


class BoardConsumer(AsyncWebsocketConsumer):
    """One open board. All state is per connection and set in connect."""

    # No channel of its own: one ear hears the doorbell for the whole process.
    channel_layer_alias = ""

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one message on the loop: only Together has connections to the database, and cares for them."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        """Let in only our own pages and people with a role, then begin to tell."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}
        encrypted = self.scope.get("scheme") == "wss"
        if not origin_is_ours(headers.get("origin", ""), headers.get("host", ""), encrypted=encrypted):
            await self.close()
            return
        cookies = self.scope["cookies"]
        self.credentials = Credentials(
            cookies.get(settings.SESSION_COOKIE_NAME, ""), bearer_of(headers.get("authorization", ""))
        )
        self.actor: Actor | None = None
        self.checked_at = 0.0
        self.received: deque[float] = deque(maxlen=MOST_FRAMES_A_SECOND)
        self.teller: asyncio.Task[None] | None = None
        await self.accept()
        if await self._present():
            self.teller = asyncio.create_task(self._tell())

    async def disconnect(self, code: int) -> None:
        """Stop telling."""
        del code
        teller = getattr(self, "teller", None)
        if teller is not None:
            teller.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await teller

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take nothing from a client; one that sends much is closed."""
        size = len(text_data.encode()) if text_data is not None else len(bytes_data or b"")
        if size > LARGEST_FRAME:
            await self.close(TOO_BIG)
            return
        now = time.monotonic()
        if len(self.received) == MOST_FRAMES_A_SECOND and now - self.received[0] < 1.0:
            await self.close(TOO_MANY)
            return
        self.received.append(now)

    async def _present(self) -> bool:
        """Look who is there; close and answer False once nobody may be told anything."""
        asked_at = time.monotonic()
        actor = await PRESENT.ask(self.credentials)
        self.checked_at = asked_at
        if actor is None:
            await self.close(SIGNED_OUT)
            return False
        if not actor.roles:
            await self.close(NOT_ALLOWED)
            return False
        if self.actor is not None and actor != self.actor:
            await self._resync("What you may see has changed.")
        self.actor = actor
        return True

    async def _tell(self) -> None:
        try:
            with doorbell().bell() as bell:
                await self._greet()
                while await self._deliver():
                    await bell.wait()
                    bell.clear()
        except TimeoutError:
            await self.close(TOO_SLOW)
        except Exception:
            # An open socket that tells nothing would look like a board at rest.
            log.exception("a feed ended")
            await self.close(BROKEN)

    async def _greet(self) -> None:
        since = _since(self.scope["query_string"])
        greeting = await GREETED.ask(since)
        self.read = self.sent = greeting.newest if since is None or not greeting.known else since
        await self._send(FRAME.dump_json(HelloFrame(sequence=self.sent)).decode())
        if not greeting.known:
            await self._resync("The feed no longer reaches back to where you were.")

    async def _deliver(self) -> bool:
        """Send everything there is to send; answer False once the socket is closed."""
        more = True
        while more:
            stale = time.monotonic() - self.checked_at > FRESH_FOR
            if stale and not await self._present():
                return False
            if self.actor is None:
                return False
            batch = await READ.ask(self.read)
            step = feed.step(self.actor, batch, self.read, self.sent)
            if step is None:
                await self._resync("Events that were missed are no longer kept.")
                continue
            await self._take(step)
            more = step.more
            if step.frames:
                await asyncio.sleep(GATHER)
        return True

    async def _resync(self, reason: str) -> None:
        await self._take(feed.resync(reason, (await GREETED.ask(None)).newest))

    async def _take(self, step: feed.Step) -> None:
        for text in step.texts:
            await self._send(text)
        self.read, self.sent = step.read, step.sent

    async def _send(self, text: str) -> None:
        """Write one frame. Nothing queues here: a slow reader slows only its own feed."""
        async with asyncio.timeout(SEND_WITHIN):
            await self.send(text_data=text)


def _since(query: bytes) -> int | None:
    text = parse_qs(query.decode("latin-1")).get("since", [""])[-1]
    if not (text.isascii() and text.isdigit()) or len(text) > LONGEST_SEQUENCE:
        return None
    return min(int(text), LARGEST_SEQUENCE)
