"""Runs commands on the lab's machines over ssh, with a key made for this lab alone.

All commands for a machine share one connection: making one takes the emulated CPU a second or two.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError
from xenweb.lab.processes import SYSTEM_PATH
from xenweb.lab.xen.layout import LabLayout

CONNECT_PATIENCE: Final = 30
COMMAND_PATIENCE: Final = 120.0
SSH_FAILED: Final = 255


def make_key(layout: LabLayout) -> None:
    """Make the lab's key anew."""
    for path in (layout.key, layout.key.with_suffix(".pub"), layout.known_machines):
        path.unlink(missing_ok=True)
    words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(layout.key))
    subprocess.run(words, check=True, capture_output=True, env={"PATH": SYSTEM_PATH})


def public_key(layout: LabLayout) -> str:
    """Return the lab's public key without its kind and comment."""
    return layout.key.with_suffix(".pub").read_text().split()[1]


def ssh_words(layout: LabLayout, machine: str, port: int) -> tuple[str, ...]:
    """Return the ssh command that a command for the machine is appended to, as one word."""
    options = {
        "IdentityFile": layout.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": layout.known_machines,
        "HostKeyAlias": machine,
        "StrictHostKeyChecking": "accept-new",
        "BatchMode": "yes",
        "ConnectTimeout": CONNECT_PATIENCE,
        "ControlMaster": "auto",
        "ControlPath": layout.machine(machine).shell,
        "ControlPersist": 600,
        "ServerAliveInterval": 10,
        "LogLevel": "ERROR",
    }
    named = (word for name, value in options.items() for word in ("-o", f"{name}={value}"))
    return ("ssh", "-F", "none", "-p", str(port), *named, "root@127.0.0.1")


def run(words: Sequence[str], command: str, content: bytes = b"", patience: float = COMMAND_PATIENCE) -> str:
    """Run a shell ``command`` through the ssh command ``words``, with ``content`` on its standard input.

    Returns what it printed. Raises LabError with its last words when it fails, or when the machine does not answer.
    """
    try:
        done = subprocess.run(
            (*words, command), check=False, input=content, capture_output=True, timeout=patience,
            env={"PATH": SYSTEM_PATH},
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        msg = f"{command!r} does not end within {patience:.0f} s."
        raise LabError(msg) from error
    if done.returncode:
        said = (done.stderr + done.stdout).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        what = "The machine cannot be reached" if done.returncode == SSH_FAILED else f"{command!r} failed"
        msg = f"{what}: {said[-1]}"
        raise LabError(msg)
    return done.stdout.decode(errors="replace")


def hang_up(layout: LabLayout, machine: str) -> None:
    """End the connection that the commands for a machine share, if there is one."""
    door: Path = layout.machine(machine).shell
    if door.exists():
        words = ("ssh", "-F", "none", "-o", f"ControlPath={door}", "-O", "exit", "root@127.0.0.1")
        subprocess.run(words, check=False, capture_output=True, env={"PATH": SYSTEM_PATH})
        door.unlink(missing_ok=True)
