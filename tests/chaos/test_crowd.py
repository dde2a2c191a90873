"""Two thousand browsers come back at the same moment, each of another person."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench.figures import percentile
from tests.chaos.postgres import Postgres
from tests.chaos.scene import until
from xenweb.lab.smoke import Listener, rest, session_cookies
from xenweb.lab.stage import Stage, StageError, passing_stage

pytestmark = [pytest.mark.timeout(180), pytest.mark.alone]
ROOT = Path(__file__).resolve().parents[2]
SOCKETS = 2000
BACK_WITHIN = 5.0
AT_ONCE, AS_OUR_PAGE = (0.0, 0.0), (0.4, 1.4)
"""Seconds that each waits before it comes back; the second is what frontend/src/realtime/feed.ts does."""


@pytest.fixture
def stage(database: Postgres | None) -> Iterator[Stage]:
    """A whole installation over simulated hosts, which need no processor while something is measured."""
    url = "" if database is None else database.database("crowd")
    with passing_stage("k", workers=1, simulated_because="a crowd", database_url=url) as stage:
        yield stage


@dataclass
class Visitor(threading.Thread):
    """Somebody who reads the board by REST all the while."""

    stage: Stage
    waited: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Prepare the thread."""
        super().__init__(daemon=True)

    def __hash__(self) -> int:
        """Threads are told apart by identity."""
        return id(self)

    def run(self) -> None:
        """Read and read again."""
        while not self.over.wait(0.1):
            began = time.monotonic()
            try:
                rest(self.stage, "GET", "/board")
            except (StageError, OSError) as error:
                self.refused.append(str(error))
            self.waited.append(time.monotonic() - began)


def run(stage: Stage, *words: str, said: str = "") -> str:
    """Run a part of the test as a process of its own, in the stage's environment."""
    command = [sys.executable, "-m", *words]
    ran = subprocess.run(
        command, cwd=ROOT, env=stage.environment, input=said, stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    return ran.stdout


def missed(stage: Stage) -> tuple[int, int]:
    """Let something happen that everybody is told; answer where the feed stood before, and the last of it."""
    listener = Listener(stage, session_cookies(stage))
    listener.start()
    assert listener.listening.wait(10)

    def told() -> list[int]:
        return [each["sequence"] for each in listener.frames if each.get("event", {}).get("type") == "host_changed"]

    until(lambda: len(told()) >= 4, 30, "news of the hosts")
    return int(listener.frames[0]["sequence"]), told()[-1]


@pytest.mark.fault("F45")
def test_f45_two_thousand_sockets_at_once_have_all_they_missed_within_seconds(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    cookies = json.loads(run(stage, "tests.chaos.people", str(SOCKETS)))
    since, last = missed(stage)
    for pause in (AT_ONCE, AS_OUR_PAGE):
        visitor = Visitor(stage)
        visitor.start()
        wish = {"host": "127.0.0.1", "port": stage.port, "cookies": cookies, "since": since, "until": last}
        said = json.loads(run(stage, "tests.chaos.crowd", said=json.dumps({**wish, "pause": pause, "within": 60})))
        visitor.over.set()
        visitor.join(20)
        slowest = percentile(said["back"], 0.95)
        word = (
            f"{SOCKETS} sockets after a pause of {pause[0]} to {pause[1]} s: since the loss 95 % were back after "
            f"{slowest:.1f} s, all after {said['back'][-1]:.1f} s; REST answered within {max(visitor.waited):.1f} s"
        )
        record_property("oracle", word)
        assert (said["failures"], visitor.refused) == ([], [])
        assert len(said["back"]) == SOCKETS
        assert slowest <= BACK_WITHIN, word
