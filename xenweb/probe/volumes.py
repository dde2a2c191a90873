"""Logical volumes of this host: say what they are, activate those of one VM, deactivate them once nobody has them.

Two hosts may have a plain volume active at once, as a move needs it. A snapshot may not be: each host would write
its own copy of what the other does not know of, and both would be spoiled.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from .commands import CommandError, Commands
from .remedies import RemedyRefusedError

COLUMNS: Final = "vg_uuid,vg_name,lv_name,lv_uuid,lv_size,lv_layout,lv_role,lv_tags"
CHANGE_WITHIN: Final = 30.0
CLOSED_WITHIN: Final = 10.0
"""Seconds in which Xen lets go of a device whose guest has left."""

LOOK_EVERY: Final = 0.1
PLAIN: Final = frozenset({"linear", "striped"})
"""Layouts that may be active on two hosts at once."""

_NAME = re.compile(r"[A-Za-z0-9+_][A-Za-z0-9+_.-]{0,126}")


@dataclass(frozen=True)
class Volume:
    """One logical volume as its group tells of it; ``uuid`` is the name that it bears in the kernel."""

    group: str
    name: str
    uuid: str
    size: int
    layout: frozenset[str]
    role: frozenset[str]
    tags: frozenset[str]

    @property
    def path(self) -> str:
        """Answer where it stands while it is active."""
        return f"/dev/{self.group}/{self.name}"

    @property
    def words(self) -> str:
        """Answer what LVM's tools are told of it."""
        return f"{self.group}/{self.name}"

    @property
    def hindrance(self) -> str:
        """Say why it may not be active on two hosts at once; empty if it may."""
        if "snapshot" in self.role or "origin" in self.role:
            return f"{self.words} has a snapshot, which would be spoiled as soon as a second host activates it."
        if not self.layout <= PLAIN:
            return f"{self.words} is {' '.join(sorted(self.layout))}: only plain volumes may be active on two hosts."
        return ""


def named_by(path: str) -> tuple[str, str] | None:
    """Read the group and the name of the volume that a path names; None if it names none."""
    parts = path.split("/")
    found: tuple[str, str] | None = None
    if len(parts) == 4 and parts[:2] == ["", "dev"] and parts[2] != "mapper":  # noqa: PLR2004 - /dev/GROUP/NAME
        found = parts[2], parts[3]
    elif len(parts) == 4 and parts[:3] == ["", "dev", "mapper"]:  # noqa: PLR2004 - /dev/mapper/GROUP-NAME
        group, dash, name = re.sub(r"(?<!-)-(?!-)", "/", parts[3], count=1).partition("/")
        found = (group.replace("--", "-"), name.replace("--", "-")) if dash else None
    if found is None or not all(_NAME.fullmatch(each) for each in found):
        return None
    return found


def kind_at(path: str) -> str:
    """Say what stands at a path: nothing, a block device, a file, or something else."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path that is read as it was told
    except OSError:
        return "missing"
    return "block" if stat.S_ISBLK(mode) else "file" if stat.S_ISREG(mode) else "other"


class Volumes:
    """The logical volumes of this host."""

    def __init__(self, commands: Commands, kind: Callable[[str], str] = kind_at) -> None:
        self.commands, self.kind = commands, kind

    def of(self, path: str) -> Volume | None:
        """Answer the volume that a path names, active or not; None if there is none.

        Raises CommandError where LVM does not say: that one is gone is never read from a tool that failed.
        """
        named = named_by(path)
        return None if named is None else self.all().get(named)

    def all(self) -> dict[tuple[str, str], Volume]:
        """Answer every volume that this host knows of, by its group and its name."""
        volumes = [read(row) for row in self.commands.rows("lvs", COLUMNS)]
        return {(each.group, each.name): each for each in volumes}

    def opened(self) -> dict[str, int]:
        """Answer how often each volume that is active here is open, by its name in the kernel."""
        words = ("--columns", "--noheadings", "--separator", "|", "--options", "uuid,open")
        found = {}
        for line in self.commands.run("dmsetup", "info", *words).splitlines():
            name, bar, count = line.strip().partition("|")
            if bar and count.strip().isdigit():
                found[name] = int(count)
        return found

    def seen(self, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Say of each path that names a volume what that is; the others are left out."""
        found: dict[str, dict[str, Any]] = {}
        opened, known = self.opened(), self.all()
        for path in paths:
            volume = known.get(named_by(path) or ("", ""))
            if volume is not None:
                found[path] = {
                    "identity": volume.uuid,
                    "size": volume.size,
                    "active": volume.uuid in opened,
                    "open": opened.get(volume.uuid, 0),
                    "hindrance": volume.hindrance,
                    "stands": self.kind(path),
                }
        return found

    def activate(self, paths: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Activate the volumes at some paths, all or none; answer what stands there then.

        Raises RemedyRefusedError unless each is a plain volume without a snapshot, and a block device afterwards.
        """
        wanted = [(path, self._activatable(path)) for path in paths]
        before, begun = self.opened(), []
        try:
            for path, volume in wanted:
                if volume.uuid not in before:
                    begun.append(volume)
                    self.commands.run("lvchange", "--activate", "y", volume.words, within=CHANGE_WITHIN)
                self._prove_active(path, volume)
        except (CommandError, RemedyRefusedError):
            for volume in begun:
                with suppress(CommandError):
                    self.commands.run("lvchange", "--activate", "n", volume.words, within=CHANGE_WITHIN)
            raise
        return self.seen([path for path, _ in wanted])

    def _activatable(self, path: str) -> Volume:
        if self.kind(path) not in {"missing", "block"}:
            raise RemedyRefusedError(
                f"What stands at {path} is no block device. If it is a plain file, something wrote there while the "
                "volume was not active: look at it, then remove it by hand."
            )
        volume = self.of(path)
        if volume is None:
            raise RemedyRefusedError(f"No logical volume of this host is at {path}.")
        if volume.hindrance:
            raise RemedyRefusedError(volume.hindrance)
        return volume

    def _prove_active(self, path: str, volume: Volume) -> None:
        if volume.uuid not in self.opened() or self.kind(path) != "block":
            raise RemedyRefusedError(f"{volume.words} was activated, and no block device stands at {path}.")

    def deactivate(self, paths: Iterable[str], is_here: Callable[[], bool]) -> None:
        """Deactivate the volumes at some paths, once nothing here has them open.

        ``is_here`` says whether Xen has the VM on this host: then nothing is done. Raises RemedyRefusedError.
        """
        for path in paths:
            volume = self.of(path)
            if volume is None or volume.uuid not in self.opened():
                continue
            if is_here():
                raise RemedyRefusedError("Xen has the VM on this host: its volumes stay active.")
            self._wait_until_closed(volume)
            self.commands.run("lvchange", "--activate", "n", volume.words, within=CHANGE_WITHIN)
            if volume.uuid in self.opened():
                raise RemedyRefusedError(f"{volume.words} was deactivated, and the kernel still has it.")

    def _wait_until_closed(self, volume: Volume) -> None:
        until = time.monotonic() + CLOSED_WITHIN
        while (count := self.opened().get(volume.uuid, 0)) > 0:
            if time.monotonic() >= until:
                raise RemedyRefusedError(f"{volume.words} is open here ({count} times): it stays active.")
            time.sleep(LOOK_EVERY)


def read(row: dict[str, str]) -> Volume:
    """Read one row of ``lvs``."""
    return Volume(
        group=row["vg_name"],
        name=row["lv_name"],
        uuid=f"LVM-{row['vg_uuid']}{row['lv_uuid']}".replace("-", "").replace("LVM", "LVM-", 1),
        size=int(row["lv_size"]),
        layout=frozenset(filter(None, row["lv_layout"].split(","))),
        role=frozenset(filter(None, row["lv_role"].split(","))),
        tags=frozenset(filter(None, row["lv_tags"].split(","))),
    )
