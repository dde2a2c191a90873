"""One disk of a guard: a snapshot of it, and a copy that stands by itself.

A classic snapshot of LVM lives only as long as one host alone has its origin active: so it is copied off to a
plain volume and removed before a move may begin. OCFS2 shares the blocks of two files, which is a copy at once.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from .commands import CommandError, Commands
from .remedies import RemedyRefusedError
from .storage import mounted
from .volumes import CHANGE_WITHIN, Volume, Volumes, named_by

CHUNK: Final = 4 * 1024 * 1024
FLUSH_EVERY: Final = 16 * CHUNK
"""Bytes after which what was copied is flushed, so that dom0's memory does not fill with it."""

LEAST_ROOM: Final = 64 * 1024 * 1024
ROOM_SHARE: Final = 5
"""A snapshot has room for one part in so many of its origin's changes, and for ``LEAST_ROOM`` at least."""

LONGEST_NAME: Final = 120
WHOLE: Final = "xenweb.guard.whole"
REFLINK: Final = ("cp", "--reflink=always", "--preserve=mode,ownership", "--")
REFLINK_WITHIN: Final = 60.0

Told = Callable[[int], None]
GoOn = Callable[[], None]
"""Raises to stop a copy."""


class Disk(Protocol):
    """What can be done about one disk of a guard."""

    size: int

    def prepare(self) -> None:
        """Make all that can be made while the guest runs."""

    def take(self) -> None:
        """Take the snapshot; the guest stands still meanwhile."""

    def copy(self, told: Told, go_on: GoOn) -> None:
        """Copy the snapshot off."""

    def finish(self) -> None:
        """Remove the snapshot, and note that the copy is whole."""

    def stands(self) -> str:
        """Say what there is: none, part or whole."""

    def remove(self) -> None:
        """Remove all of it."""

    def restore(self, told: Told, go_on: GoOn) -> None:
        """Lay the copy over the disk."""


def move_bytes(source: str, target: str, size: int, told: Told, go_on: GoOn) -> None:
    """Copy ``size`` bytes of a device to another that is there already; raises OSError, or what ``go_on`` raises."""
    with open(source, "rb", buffering=0) as reading, open(target, "r+b", buffering=0) as writing:  # noqa: PTH123
        done = 0
        while done < size:
            data = reading.read(min(CHUNK, size - done))
            if not data:
                raise OSError(f"{source} ended after {done} of {size} bytes")
            view = memoryview(data)
            while view:
                view = view[writing.write(view) :]
            done += len(data)
            told(len(data))
            if done % FLUSH_EVERY == 0:
                os.fdatasync(writing.fileno())
                for each in (reading, writing):
                    os.posix_fadvise(each.fileno(), 0, done, os.POSIX_FADV_DONTNEED)
            go_on()
        os.fsync(writing.fileno())


@dataclass
class VolumeDisk:
    """A logical volume, its snapshot and the copy of that; ``place`` says where a device's path is opened."""

    volumes: Volumes
    volume: Volume
    guard: str
    place: Callable[[str], str] = str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.volume.size

    @property
    def room(self) -> int:
        """Answer how much the snapshot may take of changes: all of them need a little more than the disk itself."""
        wanted = min(self.size + self.size // 20, max(LEAST_ROOM, self.size // ROOM_SHARE))
        return -(-wanted // CHUNK) * CHUNK

    def _beside(self, mark: str) -> str:
        return f"{self.volume.name[: LONGEST_NAME - 16]}.{mark}-{self.guard}"

    @property
    def copy_name(self) -> str:
        """Name the copy that stays."""
        return self._beside("xwg")

    @property
    def snapshot_name(self) -> str:
        """Name the snapshot that goes."""
        return self._beside("xws")

    def _run(self, *words: str) -> None:
        self.volumes.commands.run(*words, within=CHANGE_WITHIN)

    def _known(self, name: str) -> Volume | None:
        return self.volumes.of(f"/dev/{self.volume.group}/{name}")

    def _device(self, name: str) -> str:
        path = f"/dev/{self.volume.group}/{name}"
        if self.volumes.kind(path) != "block":
            raise RemedyRefusedError(f"No block device stands at {path}.")
        return self.place(path)

    def prepare(self) -> None:
        """Make the plain volume that the copy goes to."""
        words = ("--yes", "--wipesignatures", "n", "--zero", "n", "--addtag", f"xenweb.guard.{self.guard}")
        name = ("--name", self.copy_name, "--size", f"{self.size}b")
        self._run("lvcreate", *words, *name, self.volume.group)

    def take(self) -> None:
        """Take the snapshot."""
        words = ("--yes", "--snapshot", "--addtag", f"xenweb.guard.{self.guard}")
        name = ("--name", self.snapshot_name, "--size", f"{self.room}b")
        self._run("lvcreate", *words, *name, self.volume.words)

    def copy(self, told: Told, go_on: GoOn) -> None:
        """Copy the snapshot to the plain volume."""
        move_bytes(self._device(self.snapshot_name), self._device(self.copy_name), self.size, told, go_on)

    def finish(self) -> None:
        """Remove the snapshot; only then is the copy noted as whole, and nothing of it stays active."""
        self._run("lvremove", "--yes", f"{self.volume.group}/{self.snapshot_name}")
        if self._known(self.snapshot_name) is not None:
            raise RemedyRefusedError(f"{self.snapshot_name} was removed, and is still there.")
        self._run("lvchange", "--activate", "n", f"{self.volume.group}/{self.copy_name}")
        self._run("lvchange", "--addtag", WHOLE, f"{self.volume.group}/{self.copy_name}")

    def stands(self) -> str:
        """Say what there is of it."""
        copy = self._known(self.copy_name)
        if self._known(self.snapshot_name) is not None:
            return "part"
        return "none" if copy is None else "whole" if WHOLE in copy.tags else "part"

    def remove(self) -> None:
        """Remove the snapshot first, which slows the guest down, then the copy."""
        for name in (self.snapshot_name, self.copy_name):
            if self._known(name) is not None:
                self._run("lvremove", "--yes", f"{self.volume.group}/{name}")

    def restore(self, told: Told, go_on: GoOn) -> None:
        """Lay the copy over the volume, which nothing may have open; what was inactive is so again afterwards."""
        opened = self.volumes.opened()
        if opened.get(self.volume.uuid, 0) > 0:
            raise RemedyRefusedError(f"{self.volume.words} is open on this host: nothing is laid over it.")
        copy = f"{self.volume.group}/{self.copy_name}"
        begun = [copy] if self.volume.uuid in opened else [copy, self.volume.words]
        try:
            for words in begun:
                self._run("lvchange", "--activate", "y", words)
            move_bytes(self._device(self.copy_name), self._device(self.volume.name), self.size, told, go_on)
        finally:
            for words in begun:
                with suppress(CommandError):
                    self._run("lvchange", "--activate", "n", words)


@dataclass
class FileDisk:
    """A file on OCFS2, and another that shares its blocks."""

    commands: Commands
    path: str
    guard: str
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = Path(self.path).stat().st_size

    @property
    def kept(self) -> str:
        """Answer where the copy lies."""
        return f"{self.path}.xwg-{self.guard}"

    @property
    def unfinished(self) -> str:
        """Answer where a file lies until it is whole."""
        return f"{self.path}.xws-{self.guard}"

    def _reflinked(self, source: str, target: str) -> None:
        self.commands.run(*REFLINK, source, self.unfinished, within=REFLINK_WITHIN)
        os.replace(self.unfinished, target)  # noqa: PTH105 - at once, or not at all

    def prepare(self) -> None:
        """Make nothing: it needs no room before it is written to."""

    def take(self) -> None:
        """Share the file's blocks."""
        self._reflinked(self.path, self.kept)

    def copy(self, told: Told, go_on: GoOn) -> None:
        """Copy nothing: it stands by itself already."""
        go_on()
        told(self.size)

    def finish(self) -> None:
        """Prove that it is there."""
        if self.stands() != "whole":
            raise RemedyRefusedError(f"{self.kept} was made, and is not there.")

    def stands(self) -> str:
        """Say what there is of it."""
        if Path(self.unfinished).exists():
            return "part"
        return "whole" if Path(self.kept).exists() else "none"

    def remove(self) -> None:
        """Remove it."""
        for each in (self.unfinished, self.kept):
            Path(each).unlink(missing_ok=True)

    def restore(self, told: Told, go_on: GoOn) -> None:
        """Put a file that shares the guard's blocks in the disk's place, at once."""
        go_on()
        self._reflinked(self.kept, self.path)
        told(self.size)


def disk_at(volumes: Volumes, path: str, guard: str, mounts: Path, place: Callable[[str], str] = str) -> Disk:
    """Answer how a guard is made of the disk at a path; raise RemedyRefusedError, saying why, if none can be."""
    if named_by(path) is not None:
        volume = volumes.of(path)
        if volume is None:
            raise RemedyRefusedError(f"No logical volume of this host is at {path}.")
        if not volume.layout <= {"linear", "striped"}:
            raise RemedyRefusedError(
                f"{volume.words} is {' '.join(sorted(volume.layout))}: its pool belongs to one host, and a guard "
                "taken there could not be kept through a move."
            )
        if "snapshot" in volume.role:
            raise RemedyRefusedError(f"{volume.words} is a snapshot itself.")
        return VolumeDisk(volumes, volume, guard, place)
    kind = file_system_of(path, mounts)
    if kind != "ocfs2":
        raise RemedyRefusedError(
            f"{path} is a file on {kind or 'a file system that is not known'}: only OCFS2 can share the blocks of "
            "a file, and a copy of it in full would keep the VM standing still all the while."
        )
    if not Path(path).is_file():
        raise RemedyRefusedError(f"No file is at {path} on this host.")
    return FileDisk(volumes.commands, path, guard)


def file_system_of(path: str, mounts: Path) -> str:
    """Name the kind of the file system that a path lies in."""
    real = os.path.realpath(path)
    best = (0, "")
    for point, _, kind, _ in mounted(mounts):
        within = point if point.endswith("/") else f"{point}/"
        if real.startswith(within) and len(within) >= best[0]:
            best = (len(within), kind)
    return best[1]
