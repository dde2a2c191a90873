"""Puts the product's probe on the lab's hosts, as its installer does on hosts with systemd, which these have not.

Files that the lab's own scripts read stand for the units: a loop starts the probe again when it ends, and
``/lab/daemon`` gives the host's libvirt what ``/etc/default/libvirtd`` sets.
"""

import json
from collections.abc import Callable
from typing import Any, Final

from xenweb.probe.configuration import PORT
from xenweb.probe.packing import packed
from xenweb.probe.recipe import PROGRAM

LOG: Final = "/var/log/xenweb-probe.log"
DAEMON: Final = f"^/usr/bin/python3 -I {PROGRAM} daemon"
"""Finds the probe's own process among all of a host, and not the loop around it, which has its name, too."""

LOOP: Final = f"while :; do {PROGRAM} daemon; sleep 1; done"
START: Final = f"setsid -f sh -c '{LOOP}' </dev/null >>{LOG} 2>&1"
END: Final = f"pkill -9 -f '{PROGRAM} [d]aemon' || true"
"""Written so that it is not found itself; relays of moves under way are not among those that it ends."""

USED: Final = f"grep -qzx 'LIBXL_SAVE_HELPER={PROGRAM}' /proc/$(cat /run/libvirtd.pid)/environ && echo used || true"
RESTART: Final = ("/bin/sh", "-c", "/lab/daemon kill; /lab/daemon start")

Run = Callable[[str, str], str]
"""Runs a command on a machine: machine, command, what it printed."""

Put = Callable[[str, str, bytes, int], None]
"""Writes a file on a machine: machine, path, content, mode."""


def install(put: Put, run: Run, host: str, key: str, **more: Any) -> None:
    """Put a probe that holds ``key`` on a host, or another key in its hand; libvirt uses it from its next start on.

    ``more`` are further words of its configuration. Raises LabError when the probe does not understand the host.
    """
    config = {"port": PORT, "address": "", "restart": RESTART, **more}
    put(host, PROGRAM, packed(), 0o755)
    put(host, "/etc/xenweb-probe/config.json", json.dumps(config).encode(), 0o600)
    put(host, "/etc/xenweb-probe/key", key.encode(), 0o600)
    put(host, "/etc/default/libvirtd", f"LIBXL_SAVE_HELPER={PROGRAM}\n".encode(), 0o644)
    run(host, f"{PROGRAM} check")
    begin_anew(run, host)


def is_used(run: Run, host: str) -> bool:
    """Say whether the libvirt that runs on a host starts the probe already."""
    return run(host, USED).strip() == "used"


def begin_anew(run: Run, host: str) -> None:
    """End the probe of a host, if there is one, and start it; moves under way go on with the relays that they have."""
    # In two commands: what starts it has its name in its own words, and would be ended with it.
    run(host, END)
    run(host, START)
