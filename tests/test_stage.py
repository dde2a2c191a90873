"""A stage that cannot be ended in order leaves nothing behind either."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from xenweb.lab import stage as module
from xenweb.lab.stage import Stage
from xenweb.processes import session_members

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen(["sleep", "60"], start_new_session=True).pid, flush=True)
time.sleep(60)
"""


def test_what_a_hanging_supervisor_has_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_WITHIN", 0.3)
    stage = Stage(data=tmp_path / "d", lab=tmp_path / "l", port=1)
    words = [sys.executable, "-c", STUBBORN]
    stage._up = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    assert stage._up.stdout is not None
    child = int(stage._up.stdout.readline())
    assert session_members([child]) == [child]
    stage.stop()
    deadline = time.monotonic() + 5
    while session_members([child, stage._up.pid]):
        assert time.monotonic() < deadline, "something of it goes on"
        time.sleep(0.02)
    stage._up.stdout.close()
