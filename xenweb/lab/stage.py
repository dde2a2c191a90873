"""Bring up a whole installation with a lab below it, and take both down again.

Only processes are started here, each with the environment of the stage; nothing
of it touches the installation of whoever calls.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from xenweb.lab.errors import LabError
from xenweb.lab.ports import free_port
from xenweb.lab.qemu.guests import GUESTS, GuestSpec
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.xapi import beside
from xenweb.lab.xen.guests import GUESTS as XEN_GUESTS
from xenweb.lab.xen.guests import GuestSpec as XenGuestSpec
from xenweb.lab.xen.lab import Lab as XenLab
from xenweb.processes import session_members

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
READY_WITHIN = 60.0
XAPI_POOL = "XAPI (simulated)"
XAPI_POOLS = {"green": XAPI_POOL, "blue": "XAPI, another pool (simulated)"}
END_WITHIN = 30.0


Kind = Literal["qemu", "xen"]


class StageError(RuntimeError):
    """The stage could not be brought up; the sentence says what failed."""


@dataclass
class Stage:
    """One installation in one folder. ``lab`` is the lab's folder; its path must be short.

    ``kind`` is the lab's. Without a ``database_url`` its database is a file in its folder.
    """

    data: Path
    lab: Path
    port: int
    workers: int = 3
    guests: tuple[GuestSpec, ...] = GUESTS
    kind: Kind = "qemu"
    xen_guests: tuple[XenGuestSpec, ...] = XEN_GUESTS
    say: Callable[[str], None] = lambda line: print(line, file=sys.stderr)
    simulated_because: str = ""
    database_url: str = ""
    with_xapi: bool = False
    """Whether two simulated XAPI pools stand beside the hosts, each in a pool of its own."""

    probe_settings: Mapping[str, Any] = field(default_factory=dict)
    """Words of the configuration of a Xen lab's probes, besides those that they need."""

    sign_ins: list[dict[str, str]] = field(default_factory=list)
    token: str = ""
    _up: "subprocess.Popen[bytes] | None" = None
    _lab_is_ours: bool = False
    _plain: tuple[str, ...] = ()
    xapi: "beside.SimulatedPools | None" = None

    @property
    def address(self) -> str:
        """Answer where the board is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """Answer the environment of every process of the stage."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "xenweb.settings",
            "XENWEB_DATA": str(self.data),
            "XENWEB_LAB": str(self.lab),
            "XENWEB_LIBVIRT_SOCKET_FOLDERS": str(self.lab),
            "XENWEB_LIBVIRT_TCP_HOSTS": ",".join(self._plain),
            "XENWEB_SIMULATED": "1" if self.simulated_because else "0",
            "XENWEB_XAPI_LAB": "1" if self.with_xapi else "0",
            "XENWEB_ORIGINS": self.address,
            "DATABASE_URL": self.database_url or f"sqlite:///{self.data / 'db.sqlite3'}",
            "REDIS_URL": f"unix://{self.data / 'redis.sock'}",
        }

    def start(self) -> None:
        """Bring up the installation and the lab side by side, then seed the one with the other.

        A Xen lab comes first: only then is it known at which ports its hosts may be spoken to without protection.
        """
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.manage("migrate", "-v0", "--no-input")
        hosts = self._hosts() if self.kind == "xen" else None
        self._up = subprocess.Popen(
            [sys.executable, str(MANAGE), "up", "--no-migrate", f"--port={self.port}", f"--workers={self.workers}"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        hosts = hosts or self._hosts()
        described = self.data / "hosts.json"
        described.touch(mode=0o600)
        described.write_text(json.dumps(hosts | {"beside": self._xapi_pool()}))
        said = json.loads(self.manage("seed", f"--hosts={described}", "--token"))
        self.sign_ins, self.token = said["sign_ins"], said["token"]
        if said["probe_keys"]:
            XenLab(self.lab).probe_all(said["probe_keys"], **self.probe_settings)
        self._wait_ready()

    def _hosts(self) -> dict[str, Any]:
        if self.simulated_because:
            return self._simulated_hosts()
        lab = XenLab(self.lab, self.xen_guests) if self.kind == "xen" else Lab(self.lab, self.guests)
        self._lab_is_ours = not lab.is_up
        try:
            lab.up(self.say)
        except LabError as error:
            raise StageError(str(error)) from error
        hosts = [
            {"uri": host.uri, "address": host.migration_address, "name": host.name, "probe": host.probe}
            for host in lab.hosts
        ]
        self._plain = tuple(urlsplit(host.uri).netloc for host in lab.hosts if self.kind == "xen")
        return {"driver": "libvirt", "hosts": hosts}

    def _xapi_pool(self) -> list[dict[str, Any]]:
        """Start the simulated XAPI pools, and describe them as they are put on the board."""
        if not self.with_xapi:
            return []
        try:
            self.xapi = beside.start(self.data / "xapi", beside.LABEL)
        except beside.PoolsError as error:
            raise StageError(str(error)) from error
        return [
            {"pool": name, "driver": "xapi", "hosts": list(self.xapi.hosts(pool))} for pool, name in XAPI_POOLS.items()
        ]

    def _simulated_hosts(self) -> dict[str, Any]:
        from xenweb.drivers.simulated_driver.demo import demo_world

        path = self.data / "world.json"
        names = demo_world(path)
        return {"driver": "simulated", "hosts": [{"uri": f"simulated://{path}?host={name}"} for name in names]}

    def manage(self, *words: str) -> str:
        """Run one of our own commands in this installation; answer what it printed."""
        ran = subprocess.run(
            [sys.executable, str(MANAGE), *words], env=self.environment, capture_output=True, text=True, check=False
        )
        if ran.returncode != 0:
            lines = [line for line in (ran.stderr or ran.stdout).splitlines() if line.strip()]
            raise StageError(lines[-1] if lines else f"manage.py {words[0]} failed without a word")
        return ran.stdout

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._answers():
                return
            time.sleep(0.1)
        msg = f"The web process did not become ready; its log: {self.data / 'log' / 'web.log'}"
        raise StageError(msg)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=2) as answer:  # noqa: S310 - our own address
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False

    def stop(self) -> None:
        """End what this stage started, and only that."""
        if self._up is not None and self._up.poll() is None:
            self._up.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._up.wait(END_WITHIN)
            # What it keeps up has sessions of its own, and would stay behind if only it were killed.
            for pid in session_members([self._up.pid, *_children(self._up.pid)]):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                self._up.wait(1)
        if self.xapi is not None:
            self.xapi.stop()
        if self._lab_is_ours:
            with suppress(LabError):
                (XenLab(self.lab) if self.kind == "xen" else Lab(self.lab)).down()


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []  # it has ended


@contextmanager
def passing_stage(mark: str, workers: int, **more: Any) -> Iterator[Stage]:
    """Lend a stage that runs in a temporary folder of a short name; nothing of it is left afterwards.

    ``mark`` tells whose it is in the folder's name; ``more`` are further fields of the stage. Raises StageError.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"x{mark}-", dir="/tmp"))
    stage = Stage(data=folder / "d", lab=folder / "l", port=free_port(), workers=workers, **more)
    try:
        stage.start()
        yield stage
    finally:
        stage.stop()
        shutil.rmtree(folder, ignore_errors=True)
