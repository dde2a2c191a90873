"""The simulated pools as a process of their own, and the way to hurt them."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xenweb.drivers.contract import Endpoint
from xenweb.drivers.registry import check_address

USERS = {
    "root": ["lab-only", "pool-admin"],
    "mover": ["lab-only", "vm-power-admin"],
    "reader": ["lab-only", "read-only"],
}
PASSWORD = "lab-only"
READY_WITHIN = 60.0


@dataclass(frozen=True)
class Pools:
    """Where the pools are; it may be sent to another process."""

    folder: Path
    about: dict[str, Any]

    def do(self, deed: str, **more: Any) -> Any:
        """Do one thing through the control door."""
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(20)
            door.connect(str(self.folder / "control.sock"))
            door.sendall(json.dumps({"do": deed, **more}).encode() + b"\n")
            said = json.loads(door.makefile().readline())
        assert "ok" in said, said
        return said["ok"]

    @property
    def port(self) -> int:
        return int(self.about["port"])

    def address(self, host: str) -> str:
        return str(self.about["hosts"][host]["address"])

    def uuid(self, host: str) -> str:
        return str(self.about["hosts"][host]["uuid"])

    def pins(self, pool: str) -> str:
        return ",".join(each["sha256"] for each in self.about["hosts"].values() if each["pool"] == pool)

    def endpoint(self, host: str, number: int = 0, *, user: str = "root", pins: str | None = None) -> Endpoint:
        """Answer how the driver reaches a host."""
        pins = self.pins(self.about["hosts"][host]["pool"]) if pins is None else pins
        query = f"?sha256={pins}" if pins else ""
        uri = f"xapi://{user}@{self.address(host)}:{self.port}/{self.uuid(host)}{query}"
        return Endpoint(number, host, check_address("xapi", uri), secret=PASSWORD)


@contextmanager
def pools_running(
    folder: Path, prefix: str, users: dict[str, list[str]] = USERS, crowd: tuple[int, int] = (0, 0)
) -> Iterator[Pools]:
    """Lend the pools; they listen at addresses of the loopback network that begin with ``prefix``.

    The first pool has a ``crowd`` of so many hosts and VMs more.
    """
    (folder / "users.json").write_text(json.dumps(users))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "xenweb.lab.xapi", str(folder), prefix, "", *map(str, crowd)],
            stdout=log,
            stderr=log,
            stdin=subprocess.PIPE,
        )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not (folder / "control.sock").exists():
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "the simulated pools did not come up"
            time.sleep(0.02)
        yield Pools(folder, json.loads((folder / "ready.json").read_text()))
    finally:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


def prefix_of_this_process(last: int) -> str:
    """Answer a loopback network of our own, so that runs beside each other do not meet."""
    number = os.getpid()
    return f"127.{20 + number % 200}.{number // 200 % 250}" if last == 0 else f"127.{20 + number % 200}.{250 + last}"
