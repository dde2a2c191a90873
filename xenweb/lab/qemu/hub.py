"""The one process that is a lab, run as ``python -m xenweb.lab.qemu.hub FOLDER`` inside the lab's namespaces.

It is pid 1 of a pid namespace: ending it ends every daemon and guest, and its network goes with it. It builds the
network (one bridge, one cable to each host), starts the hosts, and takes commands on a socket: one JSON object in,
one out.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.folders import MARK, hold
from xenweb.lab.processes import end_namespaces
from xenweb.lab.qemu.host import call, limit_rate
from xenweb.lab.qemu.layout import HOSTS, HostSpec, LabLayout, host_spec
from xenweb.lab.qemu.namespaces import HOST, environment, python_module

LARGEST_CONSOLE: Final = 16 * 1024 * 1024  # eight hours of beats
LONGEST_REQUEST: Final = 4096
NAMESPACE_PATIENCE: Final = 5.0
END_PATIENCE: Final = 5.0
RATE: Final = re.compile(r"off|[1-9][0-9]{0,6}[kmg]bit")


class Cabinet:
    """The hosts of the lab, each behind a cable."""

    def __init__(self, layout: LabLayout) -> None:
        self.layout = layout
        self.hosts: dict[str, subprocess.Popen[str]] = {}
        self.rates: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.held = hold(layout.folder)

    def build_network(self) -> None:
        """Put up the bridge every cable ends in; it has no way out of the lab."""
        call("ip", "link", "set", "lo", "up")
        call("ip", "link", "add", "lab", "type", "bridge")
        call("ip", "link", "set", "lab", "up")

    def power(self, spec: HostSpec, wish: str) -> None:
        """Switch a host on, or cut its power; neither does anything twice."""
        process = self.hosts.get(spec.name)
        if wish == "off" and process:
            end_namespaces(process.pid)
            process.wait(END_PATIENCE)
            del self.hosts[spec.name]
        elif wish == "on" and not process:
            self._start(spec)

    def _start(self, spec: HostSpec) -> None:
        folder = self.layout.host(spec.name)
        shutil.rmtree(folder.run, ignore_errors=True)
        folder.run.mkdir(mode=0o700)
        command = python_module("xenweb.lab.qemu.host", str(self.layout.folder), spec.name)
        with folder.log.open("a") as log:
            process = subprocess.Popen(
                (*HOST, *command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
                cwd=folder.path,
            )
        self.hosts[spec.name] = process
        try:
            _wait_for_own_network(process.pid)
            self._plug(spec, process.pid)
            self.order(spec, "attach")
        except (LabError, OSError, subprocess.CalledProcessError):
            self.power(spec, "off")
            raise
        self.link(spec, self.links.get(spec.name, "up"))
        self.rate(spec, self.rates.get(spec.name, "off"))

    def _plug(self, spec: HostSpec, pid: int) -> None:
        cable = _cable(spec)
        # A cable of a host that lost its power may still be about to vanish.
        subprocess.run(("ip", "link", "del", cable), check=False, capture_output=True)
        theirs = ("name", "eth0", "address", spec.card, "netns", str(pid))
        call("ip", "link", "add", cable, "type", "veth", "peer", *theirs)
        call("ip", "link", "set", cable, "master", "lab", "up")

    def order(self, spec: HostSpec, order: str) -> str:
        """Give an order to a host's first process; return what it says beyond ok, raise LabError if it failed."""
        process = self.hosts.get(spec.name)
        if not process or not process.stdin or not process.stdout:
            msg = f"{spec.name} has no power."
            raise LabError(msg)
        try:
            process.stdin.write(order + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().strip()
        except BrokenPipeError:
            answer = ""
        if answer.split(" ")[0] != "ok":
            msg = f"{spec.name} could not obey {order!r}: {answer or 'it has gone'}."
            raise LabError(msg)
        return answer.removeprefix("ok").strip()

    def link(self, spec: HostSpec, wish: str) -> None:
        """Plug a host's cable in (``up``) or pull it (``down``); only the data network is behind it."""
        if spec.name in self.hosts:
            call("ip", "link", "set", _cable(spec), wish)
        self.links[spec.name] = wish

    def rate(self, spec: HostSpec, rate: str) -> None:
        """Limit a host's cable in both directions, or take the limit ``off``."""
        if spec.name in self.hosts:
            limit_rate(_cable(spec), rate)
            self.order(spec, f"rate {rate}")
        self.rates[spec.name] = rate

    def status(self) -> dict[str, dict[str, str]]:
        """Say of each host how its power, daemon, link and rate are."""
        return {
            spec.name: {
                "power": "on" if spec.name in self.hosts else "off",
                "daemon": self.order(spec, "daemon status") if spec.name in self.hosts else "stopped",
                "link": self.links.get(spec.name, "up"),
                "rate": self.rates.get(spec.name, "off"),
            }
            for spec in HOSTS
        }

    def has_a_home(self) -> bool:
        """Return whether our folder is still there: without it nobody could find us to end us."""
        try:
            same = os.path.samestat(os.fstat(self.held), self.layout.folder.stat())
        except FileNotFoundError:
            return False
        return same and (self.layout.folder / MARK).exists()

    def look_around(self) -> None:
        """Forget hosts that ended by themselves, and keep consoles from filling the disk."""
        for name, process in list(self.hosts.items()):
            if process.poll() is not None:
                del self.hosts[name]
        for console in self.layout.consoles.glob("*.log"):
            with contextlib.suppress(OSError):  # somebody may have removed it
                if console.stat().st_size > LARGEST_CONSOLE:
                    os.truncate(console, 0)  # QEMU appends, so it goes on at the new end


def _cable(spec: HostSpec) -> str:
    return f"to-{spec.name}"


def _wait_for_own_network(pid: int) -> None:
    ours = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + NAMESPACE_PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/ns/net").readlink() != ours:
                return
        time.sleep(0.005)
    msg = "A host got no namespaces of its own."
    raise LabError(msg)


def answer(cabinet: Cabinet, request: dict[str, object]) -> dict[str, object]:
    """Carry out one command and return its answer: ``ok``, and ``error`` or ``hosts``."""
    try:
        if request.get("command") == "status":
            return {"ok": True, "hosts": cabinet.status()}
        spec, wish = host_spec(str(request.get("host"))), str(request.get("wish"))
        match request.get("command"), wish:
            case "power", "on" | "off":
                cabinet.power(spec, wish)
            case "link", "up" | "down":
                cabinet.link(spec, wish)
            case "rate", _ if RATE.fullmatch(wish):
                cabinet.rate(spec, wish)
            case "processor", "small" | "full":
                cabinet.order(spec, f"processor {wish}")
            case "daemon", "kill" | "start":
                cabinet.order(spec, f"daemon {wish}")
            case command, _:
                return {"ok": False, "error": f"The lab does not know how to {command} {wish!r}."}
    except LabError as error:
        return {"ok": False, "error": str(error)}
    except (OSError, subprocess.SubprocessError) as error:
        return {"ok": False, "error": f"{request}: {error}"}
    return {"ok": True}


def serve(cabinet: Cabinet) -> None:
    """Take commands until we are ended or our folder is gone; one at a time, in their order."""
    path = cabinet.layout.control
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        path.chmod(0o600)
        door.listen(16)
        door.settimeout(1.0)
        while cabinet.has_a_home():
            cabinet.look_around()
            try:
                visitor, _ = door.accept()
            except TimeoutError:
                continue
            with visitor, contextlib.suppress(OSError, ValueError):
                visitor.settimeout(2.0)
                with visitor.makefile("rw") as talk:
                    request = json.loads(talk.readline(LONGEST_REQUEST))
                    if isinstance(request, dict):
                        talk.write(json.dumps(answer(cabinet, request)) + "\n")


def main(folder: str) -> None:
    """Be the lab in ``folder``."""
    # pid 1 gets no default action for a signal, so asking politely needs a handler.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    cabinet = Cabinet(LabLayout(Path(folder)))
    cabinet.build_network()
    for spec in HOSTS:
        cabinet.power(spec, "on")
    serve(cabinet)


if __name__ == "__main__":
    main(*sys.argv[1:])
