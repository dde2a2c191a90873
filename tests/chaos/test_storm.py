"""Many browsers come back at the same moment."""

import asyncio
import json
import time

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin

from tests.bench.figures import percentile
from tests.chaos.scene import Scene, until
from xenweb.lab.smoke import rest, session_cookies

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]
SOCKETS = 400


async def _greeted(url: str, origin: str, cookies: str) -> float:
    began = time.monotonic()
    headers = {"Cookie": cookies}
    async with connect(url, origin=Origin(origin), additional_headers=headers, open_timeout=30) as socket:
        hello = json.loads(await socket.recv())
        assert "sequence" in json.dumps(hello)
        return time.monotonic() - began


@pytest.mark.fault("F45")
def test_f45_hundreds_of_sockets_at_once_are_all_greeted(scene: Scene) -> None:
    cookies = session_cookies(scene.stage)
    url = scene.stage.address.replace("http", "ws", 1) + "/ws/board"

    async def storm() -> list[float]:
        return await asyncio.gather(*(_greeted(url, scene.stage.address, cookies) for _ in range(SOCKETS)))

    waited = asyncio.run(storm())
    assert len(waited) == SOCKETS
    assert percentile(waited, 0.95) <= 20
    scene.hear(f"{SOCKETS} sockets: each greeted, the slowest but twenty after {percentile(waited, 0.95):.1f} s")
    assert until(lambda: rest(scene.stage, "GET", "/me"), 5)
