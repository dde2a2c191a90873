"""A real PostgreSQL for one run: a cluster in a folder of its own, on the loopback address, never the machine's."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from xenweb.lab.ports import free_port

READY_WITHIN = 30.0
INSTALLED = Path("/usr/lib/postgresql")
USER = "postgres"
"""PostgreSQL refuses to run as root: then it runs as the user that its package brings."""


def binaries() -> Path | None:
    """Find the newest PostgreSQL of the machine; None if there is none."""
    found = [each for each in INSTALLED.glob("*/bin") if (each / "postgres").exists()]
    return max(found, key=lambda each: float(each.parent.name), default=None)


class Postgres:
    """One cluster with one empty database."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="xp-", dir="/tmp"))
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._who: dict[str, Any] = {}
        if os.getuid() == 0:
            shutil.chown(self._folder, USER)
            self._who = {"user": USER, "group": USER, "extra_groups": []}

    @property
    def version(self) -> str:
        """Name it for a person."""
        return f"PostgreSQL {self._programs.parent.name}"

    @property
    def url(self) -> str:
        """Answer what DATABASE_URL must say."""
        return f"postgres://xenweb@127.0.0.1:{self._port}/xenweb"

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), *words]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, timeout=60, **self._who)

    def create(self) -> None:
        """Make the cluster, start it, and make the database."""
        self._run("initdb", "-D", "data", "-U", "xenweb", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.start()
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "xenweb", "xenweb")

    def database(self, name: str) -> str:
        """Make another empty database; answer what DATABASE_URL must say."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "xenweb", name)
        return f"postgres://xenweb@127.0.0.1:{self._port}/{name}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [str(self._programs / "postgres"), "-D", str(self._folder / "data"), "-p", str(self._port)]
        words += ["-k", str(self._folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **self._who
            )
        deadline = time.monotonic() + READY_WITHIN
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.1)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self) -> None:
        """End it at once, as a crash would: every connection is cut, nothing is finished."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def set_read_only(self, *, is_read_only: bool) -> None:
        """Let it take no writes, as if its disk were full, or take them again."""
        address = ("-h", "127.0.0.1", "-p", str(self._port), "-U", "xenweb")
        wish = f"ALTER SYSTEM SET default_transaction_read_only = {'on' if is_read_only else 'off'}"
        self._run("psql", *address, "-qc", wish, "-c", "SELECT pg_reload_conf()", "xenweb")

    def remove(self) -> None:
        """End it and leave nothing."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
