"""The memory of one guest at one moment, in a file from which libvirt lets it go on.

``xl`` can save a guest of libvirt's and leave it standing, which libvirt itself cannot. But a guest that ``xl``
restores is unknown to libvirt ever after. The stream within is libxl's own in both cases, only the head before it
differs: so ``xl``'s is taken off, and libvirt's put in its place.
"""

import os
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from .commands import Commands
from .remedies import RemedyRefusedError

SAVED_WITHIN: Final = 900.0
SPARE: Final = 64 * 1024 * 1024
CHUNK: Final = 4 * 1024 * 1024
FLUSH_EVERY: Final = 16 * CHUNK

# tools/xl/xl.h of Xen 4.5 and later: magic, byte order, mandatory and optional flags, length of optional data.
XL_MAGIC: Final = b"Xen saved domain, xl format\n \0 \r"
XL_HEAD: Final = struct.Struct("=32sIIII")
XL_ORDER: Final = 0x01020304
XL_FLAGS: Final = 0b11
"""All that is known to be mandatory: a description in JSON, and the second version of the stream."""

XL_SECOND_STREAM: Final = 0b10
STREAM_MAGIC: Final = b"LibxlFmt"

# src/libxl/libxl_conf.h of libvirt: magic, version of the stream, length of the description with its NUL, padding.
LIBVIRT_HEAD: Final = struct.Struct("=16sII40x")
LIBVIRT_MAGIC: Final = b"libvirt-xml\n \0 \r"
LIBVIRT_STREAM: Final = 2


@dataclass(frozen=True)
class Memory:
    """Where the memory of a guard is kept."""

    folder: Path
    guard: str

    @property
    def kept(self) -> Path:
        """Answer where it lies when it is whole."""
        return self.folder / self.guard

    @property
    def saved(self) -> Path:
        """Answer where ``xl`` writes it to."""
        return self.folder / f"{self.guard}.xl"

    @property
    def unfinished(self) -> Path:
        """Answer where it lies until it is whole."""
        return self.folder / f"{self.guard}.part"

    def hindrance(self, size: int) -> str:
        """Say why so many bytes of memory cannot be kept here; empty if they can. They lie here twice for a while."""
        place = next(each for each in (self.folder, *self.folder.parents) if each.is_dir())
        free = shutil.disk_usage(place).free
        needed = 2 * size + SPARE
        return "" if free >= needed else f"{place} has {free} bytes free for its memory, and {needed} are needed"

    def save(self, commands: Commands, xl: str, number: int) -> None:
        """Save a guest and leave it paused, so that its memory and its disks can be of one moment."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        commands.run(xl, "save", "-p", str(number), str(self.saved), within=SAVED_WITHIN)

    def finish(self, description: str, told: Callable[[int], None], go_on: Callable[[], None]) -> None:
        """Make of what ``xl`` has saved what libvirt reads; raise RemedyRefusedError if it has another form."""
        text = description.encode() + b"\0"
        with self.saved.open("rb") as reading, self.unfinished.open("wb") as writing:
            self.unfinished.chmod(0o600)
            beginning = _past_head(reading)
            writing.write(LIBVIRT_HEAD.pack(LIBVIRT_MAGIC, LIBVIRT_STREAM, len(text)) + text + beginning)
            done = 0
            while data := reading.read(CHUNK):
                writing.write(data)
                done += len(data)
                told(len(data))
                if done % FLUSH_EVERY == 0:
                    os.fdatasync(writing.fileno())
                go_on()
            writing.flush()
            os.fsync(writing.fileno())
        self.unfinished.replace(self.kept)
        self.saved.unlink()

    def stands(self) -> bool:
        """Say whether it is kept, and whole."""
        return self.kept.exists()

    def remove(self) -> None:
        """Remove all of it."""
        for each in (self.saved, self.unfinished, self.kept):
            each.unlink(missing_ok=True)


def _past_head(reading: BinaryIO) -> bytes:
    """Read what ``xl`` wrote before the stream, and answer how the stream begins."""
    head = reading.read(XL_HEAD.size)
    if len(head) == XL_HEAD.size:
        magic, order, mandatory, _optional, length = XL_HEAD.unpack(head)
        is_known = (magic, order) == (XL_MAGIC, XL_ORDER) and not mandatory & ~XL_FLAGS
        if is_known and mandatory & XL_SECOND_STREAM:
            reading.seek(length, os.SEEK_CUR)
            beginning = reading.read(len(STREAM_MAGIC))
            if beginning == STREAM_MAGIC:
                return beginning
    raise RemedyRefusedError("xl has saved the memory in a form that is not known here.")
