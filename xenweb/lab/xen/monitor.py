"""Gives orders to a machine's QEMU over QMP: one connection for each order, one JSON object a line."""

import json
import socket
from pathlib import Path
from typing import IO, Final

from xenweb.lab.errors import LabError

PATIENCE: Final = 10.0


def order(door: Path, execute: str, **arguments: str | bool) -> None:
    """Carry out one order; raise LabError with QEMU's reason when it is refused or nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE)
            line.connect(str(door))
            with line.makefile("rw") as talk:
                _answer(talk)  # the greeting
                for words in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                    talk.write(json.dumps(words) + "\n")
                    talk.flush()
                    _answer(talk)
    except (OSError, ValueError) as error:
        msg = f"QEMU does not answer at {door}: {error}."
        raise LabError(msg) from error


def _answer(talk: IO[str]) -> None:
    """Read up to the next answer, past events; raise LabError when it is a refusal."""
    while True:
        said = json.loads(talk.readline())
        if "error" in said:
            msg = f"QEMU refuses: {said['error'].get('desc', said['error'])}"
            raise LabError(msg)
        if "return" in said or "QMP" in said:
            return
