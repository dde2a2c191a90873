"""Talks to a running lab, and knows which process it is."""

import contextlib
import json
import os
import socket
import time
from dataclasses import dataclass
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.processes import end_namespaces, remember, remembered
from xenweb.lab.qemu.layout import LabLayout

PATIENCE: Final = 15.0
END_PATIENCE: Final = 5.0


@dataclass(frozen=True, slots=True)
class HostCondition:
    """How a host is: ``power`` on or off, ``daemon`` running or stopped, ``link`` up or down, ``rate`` or off."""

    power: str
    daemon: str
    link: str
    rate: str


OFF: Final = HostCondition(power="off", daemon="stopped", link="up", rate="off")


def ask(layout: LabLayout, command: str, host: str = "", wish: str = "") -> dict[str, dict[str, str]]:
    """Send one command to the lab and return what it says of its hosts; raise LabError with its reason."""
    request = {"command": command, "host": host, "wish": wish}
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(PATIENCE)
            door.connect(str(layout.control))
            with door.makefile("rw") as talk:
                talk.write(json.dumps(request) + "\n")
                talk.flush()
                answer = json.loads(talk.readline())
    except (OSError, ValueError) as error:
        msg = f"No lab answers in {layout.folder}: start it with `lab up`."
        raise LabError(msg) from error
    if not answer["ok"]:
        raise LabError(str(answer["error"]))
    hosts: dict[str, dict[str, str]] = answer.get("hosts", {})
    return hosts


def conditions(layout: LabLayout) -> dict[str, HostCondition]:
    """Return how every host is; raise LabError when no lab answers."""
    return {name: HostCondition(**said) for name, said in ask(layout, "status").items()}


def remember_process(layout: LabLayout, pid: int) -> None:
    """Write down which process the lab is."""
    remember(layout.process, pid)


def running_process(layout: LabLayout) -> int | None:
    """Return the pid of the lab's process if it is still that very process."""
    return remembered(layout.process)


def end_process(layout: LabLayout) -> bool:
    """End the lab's process and everything in its namespaces, wait until all is gone; return whether there was one."""
    pid = running_process(layout)
    if pid is None:
        return False
    end_namespaces(pid)
    deadline = time.monotonic() + END_PATIENCE
    while running_process(layout) is not None:
        if time.monotonic() > deadline:
            msg = f"The lab's process {pid} does not end."
            raise LabError(msg)
        time.sleep(0.01)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # when it was our own child
    return True
