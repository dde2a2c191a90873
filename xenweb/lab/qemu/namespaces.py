"""How the lab's processes get namespaces of their own, with nothing but util-linux."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from xenweb.lab.processes import SYSTEM_PATH

# One user namespace in which we are root, so that links, mounts and host names can be made without being root.
LAB: Final = (
    "unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--",
)  # fmt: skip
# One host inside it: its own name, network, processes and mounts.
HOST: Final = (
    "unshare", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--",
)  # fmt: skip
# libvirtd serves a session, and not the machine, only to somebody who is not root.
ORDINARY_ID: Final = 1000
ORDINARY_USER: Final = ("unshare", "--user", f"--map-user={ORDINARY_ID}", f"--map-group={ORDINARY_ID}", "--")


def python_module(module: str, *arguments: str) -> Sequence[str]:
    """Return the command that runs one of our modules with this interpreter."""
    return (sys.executable, "-m", module, *arguments)


def environment() -> dict[str, str]:
    """Return the environment of the lab's processes: nothing of the caller's but where our code lies."""
    root = Path(__file__).resolve().parents[3]
    return {"PATH": SYSTEM_PATH, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"} | {
        name: os.environ[name] for name in ("TMPDIR",) if name in os.environ
    }
