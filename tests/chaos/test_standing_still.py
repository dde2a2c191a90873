"""A process that is stopped inside a transaction: what it holds up, for how long, and what it finds when it wakes."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from tests.chaos.postgres import Postgres
from xenweb.livemigration.transitions import LEASE

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]
WORD_WITHIN = 30.0


@pytest.fixture(scope="module")
def url(database: Postgres | None) -> str:
    """A database on PostgreSQL of these tests' own."""
    if database is None:
        pytest.skip("this machine has no PostgreSQL")
    return database.database("standing_still")


class Company:
    """Processes of ours over one database; all are ended at the end."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._all: list[subprocess.Popen[str]] = []
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "xenweb.settings",
            "XENWEB_DATA": str(folder),
            "XENWEB_SIMULATED": "1",
            "DATABASE_URL": url,
            "REDIS_URL": f"unix://{folder / 'nobody.sock'}",
        }
        migrate = [sys.executable, "manage.py", "migrate", "-v0", "--no-input"]
        subprocess.run(migrate, check=True, cwd=ROOT, env=self._environment, timeout=60)
        self.said(self.start("put"), "written")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start one process in a role."""
        command = [sys.executable, "-m", "tests.chaos.stopping", *words]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._all.append(process)
        return process

    @staticmethod
    def next_word(process: subprocess.Popen[str]) -> str:
        """Wait for the next word that a process says."""
        stream: IO[str] | None = process.stdout
        assert stream is not None
        assert select.select([stream], [], [], WORD_WITHIN)[0], f"no word from {process.args!r}"
        return stream.readline().strip()

    def said(self, process: subprocess.Popen[str], *words: str) -> None:
        """Expect the next words of a process."""
        for word in words:
            assert self.next_word(process) == word

    def end(self) -> None:
        """End every process."""
        for process in self._all:
            with suppress(ProcessLookupError):
                process.kill()
            process.communicate()


@pytest.fixture
def company(url: str, tmp_path: Path) -> Iterator[Company]:
    """Processes over PostgreSQL."""
    company = Company(tmp_path, url)
    yield company
    company.end()


@pytest.mark.fault("F9", oracle="two processes on PostgreSQL: one writes while the other stands still with the lock")
def test_who_stands_still_with_the_writers_turn_loses_it_within_a_lease(company: Company) -> None:
    holder = company.start("hold")
    company.said(holder, "held")
    began = time.monotonic()
    company.said(company.start("put"), "written")
    waited = time.monotonic() - began
    assert waited < LEASE.total_seconds() + 2, waited  # the process itself needs a moment to come up
    holder.send_signal(signal.SIGCONT)
    company.said(holder, "lost", "written")


@pytest.mark.fault("F9", oracle="the rows: one outcome, by the process that took over; the woken one wrote nothing")
@pytest.mark.parametrize("state", ["preparing", "pre_copy", "verifying"])
def test_a_driver_that_stood_still_in_any_transaction_wakes_to_a_lost_lease(company: Company, state: str) -> None:
    migration = company.next_word(company.start("ask", str(company.folder)))
    driver = company.start("stop_in", state, migration)
    company.said(driver, "held")
    company.said(company.start("put"), "written")
    company.said(company.start("adopt", migration), "adopted")
    told = company.next_word(company.start("tell", migration))
    driver.send_signal(signal.SIGCONT)
    assert company.next_word(driver).startswith("ended")
    assert driver.wait(20) == 0
    assert company.next_word(company.start("tell", migration)) == told
    # Before the intent was stored nothing had begun; after it, the move went on without us.
    assert told == ("failed once" if state == "preparing" else "done once")


def test_on_sqlite_only_the_end_of_who_stands_still_frees_the_writers(tmp_path: Path) -> None:
    company = Company(tmp_path, f"sqlite:///{tmp_path / 'db.sqlite3'}")
    try:
        holder = company.start("hold")
        company.said(holder, "held")
        writer = company.start("put")
        time.sleep(3)
        assert writer.poll() is None  # it waits; nothing ends the other's transaction
        holder.kill()
        company.said(writer, "written")
    finally:
        company.end()
