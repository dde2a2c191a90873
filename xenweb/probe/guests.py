"""What Xen itself says of the guests of this host: the truth that libvirt's word is held against.

Xen's own Python binding (it comes with xen-utils) answers within a millisecond; where it is missing, ``xl list``.
"""

import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

SUSPENDED: Final = 2
"""Xen's reason of a shutdown that was a suspension."""

ASK_FOR: Final = 5.0
"""Seconds that ``xl`` may take."""

_ROW = re.compile(
    r"^(?P<name>.*?)\s+(?P<number>\d+)\s+\d+\s+(?P<cpus>\d+)\s+(?P<flags>[rbpscd-]{6})\s+(?P<time>\d+\.\d+)"
    r"\s+(?P<uuid>[0-9a-f-]{36})\s+(?P<reason>\S+)"
)


class XenError(Exception):
    """Xen did not do, or say, what it was asked."""


@dataclass(frozen=True)
class Guest:
    """One guest as Xen has it at this moment. ``cpu_time`` is in ns; ``reason`` is that of its shutdown."""

    number: int
    uuid: str
    running: bool
    paused: bool
    shutdown: bool
    dying: bool
    crashed: bool
    reason: int | None
    cpus: int
    cpu_time: int
    hvm: bool | None = None

    @property
    def is_suspended(self) -> bool:
        """Say whether it was stopped for a move, or a save, and not let go on."""
        return self.shutdown and not self.dying and self.reason == SUSPENDED

    @property
    def never_ran(self) -> bool:
        """Say whether it is a copy that stands still and has not used a CPU since it was made."""
        return self.paused and not self.shutdown and self.cpu_time == 0

    def as_json(self) -> dict[str, object]:
        """Answer what is told of it."""
        return asdict(self)


MOST: Final = 4096
PLACES: Final = ("lib/python*", "lib/python*/*-packages")


def _binding() -> Callable[[int, int], list[dict[str, Any]]] | None:
    """Find Xen's own binding; None where there is none that works."""
    installed = [str(each) for place in PLACES for each in sorted(Path("/usr/lib").glob(f"xen*/{place}"))]
    for place in ("", *installed):
        if place and place not in sys.path:
            sys.path.append(place)
        try:
            from xen.lowlevel import xc  # type: ignore[import-not-found,unused-ignore]

            ask = xc.xc().domain_getinfo
        except Exception:  # noqa: BLE001, S112 - it may be of another Xen, or of another Python
            continue
        return cast("Callable[[int, int], list[dict[str, Any]]]", ask)
    return None


class Xen:
    """The Xen of this host, asked and told through its own tools."""

    def __init__(self, xl: str = "xl", *, use_binding: bool = True) -> None:
        self.xl = xl
        self._ask = _binding() if use_binding else None

    def guests(self) -> list[Guest]:
        """Answer every guest, Xen's own domain left out; raises XenError."""
        return self._asked(1, MOST)

    def guest(self, number: int) -> Guest | None:
        """Answer one guest by its number; None if there is none. Raises XenError."""
        return next((each for each in self._asked(number, 1) if each.number == number), None)

    def _asked(self, first: int, most: int) -> list[Guest]:
        """Ask for so many guests from a number on."""
        if self._ask is None:
            return read_list(self.run("list", "-v"))
        try:
            return [_guest(each) for each in self._ask(first, most)]
        except Exception as error:
            raise XenError(f"Xen does not say which guests it has: {error}") from error

    def run(self, *words: str) -> str:
        """Run ``xl`` with these words; answer what it prints, or raise XenError."""
        try:
            done = subprocess.run([self.xl, *words], capture_output=True, text=True, timeout=ASK_FOR, check=False)
        except (OSError, subprocess.SubprocessError) as error:
            raise XenError(f"xl {words[0]} could not be run: {error}") from error
        if done.returncode != 0:
            raise XenError(f"xl {words[0]} failed: {done.stderr.strip()[:300]}")
        return done.stdout

    def of(self, vm: str) -> list[Guest]:
        """Answer every copy of one VM that this host has, by UUID."""
        return [each for each in self.guests() if each.uuid == vm]


def _guest(said: dict[str, Any]) -> Guest:
    is_shut = bool(said["shutdown"])
    return Guest(
        number=int(said["domid"]),
        uuid=str(uuid.UUID(bytes=bytes(said["handle"]))),
        running=bool(said["running"] or said["blocked"]),
        paused=bool(said["paused"]),
        shutdown=is_shut,
        dying=bool(said["dying"]),
        crashed=bool(said["crashed"]),
        reason=int(said["shutdown_reason"]) if is_shut else None,
        cpus=int(said["online_vcpus"]),
        cpu_time=int(said["cpu_time"]),
        hvm=bool(said["hvm"]) if "hvm" in said else None,
    )


def read_list(text: str) -> list[Guest]:
    """Read what ``xl list -v`` prints; raise XenError if it has another form."""
    lines = text.splitlines()
    if not lines or "UUID" not in lines[0]:
        raise XenError("xl list prints a form that is not known here.")
    found = []
    for line in lines[1:]:
        row = _ROW.match(line)
        if row is None:
            raise XenError("xl list prints a form that is not known here.")
        if row["number"] == "0":
            continue
        flags = row["flags"]
        found.append(
            Guest(
                number=int(row["number"]),
                uuid=row["uuid"],
                running="r" in flags or "b" in flags,
                paused="p" in flags,
                shutdown="s" in flags,
                dying="d" in flags,
                crashed="c" in flags,
                reason=int(row["reason"]) if row["reason"].isdigit() else None,
                cpus=int(row["cpus"]),
                cpu_time=round(float(row["time"]) * 1_000_000_000),
            )
        )
    return found


def waited(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Wait until a condition holds; say whether it came to hold in time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= until:
            return False
        time.sleep(every)
    return True
