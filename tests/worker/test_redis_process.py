"""The Redis that an installation starts for itself."""

import subprocess
import tempfile
from pathlib import Path

from xenweb.worker.redis_process import command, wait_ready


def test_our_redis_answers_on_its_socket_and_keeps_its_command_line() -> None:
    with tempfile.TemporaryDirectory(prefix="xr-", dir="/tmp") as name:
        folder, socket = Path(name), Path(name) / "redis.sock"
        process = subprocess.Popen(command(folder, socket), stdout=subprocess.DEVNULL)
        try:
            wait_ready(socket, process)
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
            assert words[1:-1] == [word.encode() for word in command(folder, socket)[1:]]
        finally:
            process.terminate()
            process.wait(10)
