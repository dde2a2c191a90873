"""Keep two simulated pools running beside an installation, and say how their hosts are put on a board."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

READY_WITHIN = 30.0
USER = "root"
POOL = "green"
LABEL = "xcp"
"""How the names of its hosts and VMs begin on a board where others are called alike."""


class PoolsError(RuntimeError):
    """The simulated pools did not come up; the sentence says why."""


@dataclass(frozen=True, slots=True)
class SimulatedPools:
    """The process, and the file in which it said where its hosts are."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    secret: str

    def hosts(self, pool: str = POOL) -> Iterator[dict[str, str]]:
        """Describe the hosts of one pool as they are put on a board: each trusts the certificates of all of them."""
        about = json.loads((self.folder / "ready.json").read_text())
        members = [each for each in about["hosts"].values() if each["pool"] == pool]
        pins = ",".join(sorted(each["sha256"] for each in members))
        for each in members:
            uri = f"xapi://{USER}@{each['address']}:{about['port']}/{each['uuid']}?sha256={pins}"
            yield {"uri": uri, "credential": self.secret}

    def stop(self) -> None:
        """End the pools; nothing of them is kept."""
        self.process.kill()
        self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()


def start(folder: Path, label: str) -> SimulatedPools:
    """Start the pools with their names marked by ``label``; raise PoolsError if they do not come up."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = secrets.token_urlsafe(18)
    users = folder / "users.json"
    users.touch(mode=0o600)
    users.write_text(json.dumps({USER: [secret, "pool-admin"]}))
    for stale in ("ready.json", "control.sock"):
        (folder / stale).unlink(missing_ok=True)
    number = os.getpid()
    prefix = f"127.{200 + number % 50}.{number // 50 % 250}"
    process = subprocess.Popen(
        [sys.executable, "-m", "xenweb.lab.xapi", str(folder), prefix, label],
        stdin=subprocess.PIPE,  # closed when we end, and then the pools end too
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log").open("wb"),
        cwd=Path(__file__).resolve().parents[3],
    )
    deadline = time.monotonic() + READY_WITHIN
    while not (folder / "control.sock").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            msg = f"The simulated XAPI pools did not come up; see {folder / 'log'}."
            raise PoolsError(msg)
        time.sleep(0.05)
    return SimulatedPools(process, folder, secret)
