"""What Xen's save helper says on its standard output, frame by frame.

A frame is a length (u16) and that many bytes: a kind (u16) and its arguments, in the machine's own order of
bytes; a text is its length with the closing NUL (u32) and its bytes. Source: libxl_save_helper.c and
libxl_save_msgs_gen.pl of Xen 4.17. It is private to Xen: what is not understood is passed on and not read.
"""

import re
import struct
from typing import Final, NamedTuple

LOG: Final = 1
PROGRESS: Final = 2
SUSPEND: Final = 3
RESULTS: Final = 9
COMPLETE: Final = 10
KINDS: Final = range(1, 11)

_HEAD: Final = struct.Struct("=H")
_TEXT: Final = struct.Struct("=I")
_COUNTS: Final = struct.Struct("=QQ")
_LEVELS: Final = struct.Struct("=II")
_COMPLETE: Final = struct.Struct("=ii")
_PASS = re.compile(r"Frames iteration (\d{1,6})( of \d+)?")


class NotUnderstoodError(Exception):
    """The helper speaks otherwise than the Xen that this probe is made for."""


class Frame(NamedTuple):
    """One whole frame as it came, its head included."""

    kind: int
    raw: bytes

    @property
    def body(self) -> bytes:
        """Answer the arguments alone."""
        return self.raw[4:]


class Cutter:
    """Cuts a stream of bytes into whole frames; what is not whole yet is kept."""

    def __init__(self) -> None:
        self.kept = b""

    def feed(self, data: bytes) -> list[Frame]:
        """Answer the frames that are whole by now; raise NotUnderstoodError at the first that cannot be one.

        What led to the error stays in ``kept`` from its first byte on.
        """
        buffer, at = self.kept + data, 0
        found: list[Frame] = []
        while len(buffer) - at >= _HEAD.size:
            (length,) = _HEAD.unpack_from(buffer, at)
            if length < _HEAD.size:
                self.kept = buffer[at:]
                raise NotUnderstoodError(found)
            if len(buffer) - at < _HEAD.size + length:
                break
            (kind,) = _HEAD.unpack_from(buffer, at + _HEAD.size)
            if kind not in KINDS:
                self.kept = buffer[at:]
                raise NotUnderstoodError(found)
            found.append(Frame(kind, buffer[at : at + _HEAD.size + length]))
            at += _HEAD.size + length
        self.kept = buffer[at:]
        return found


def _text(body: bytes, at: int) -> tuple[str, int]:
    try:
        (length,) = _TEXT.unpack_from(body, at)
    except struct.error as error:
        raise NotUnderstoodError from error
    end = at + _TEXT.size + length
    if length < 1 or end > len(body) or body[end - 1] != 0:
        raise NotUnderstoodError
    return body[at + _TEXT.size : end - 1].decode("utf-8", "replace"), end


def progress(body: bytes) -> tuple[str, int, int]:
    """Read a progress frame: what is done, how much of it, of how much (pages)."""
    _, at = _text(body, 0)
    what, at = _text(body, at)
    if len(body) - at != _COUNTS.size:
        raise NotUnderstoodError
    done, total = _COUNTS.unpack_from(body, at)
    return what, done, total


def counts(body: bytes) -> tuple[int, int]:
    """Read only the two counts of a progress frame whose texts are known already."""
    done, total = _COUNTS.unpack_from(body, len(body) - _COUNTS.size)
    return done, total


def pass_label(what: str) -> int | None:
    """Read the number of a pass out of what a progress frame is about; None if it is about no pass."""
    found = _PASS.fullmatch(what)
    return int(found[1]) if found else None


def level(body: bytes) -> int:
    """Read how grave a log frame is."""
    if len(body) < _LEVELS.size:
        raise NotUnderstoodError
    return int(_LEVELS.unpack_from(body, 0)[0])


def log(body: bytes) -> str:
    """Read what a log frame says."""
    _, at = _text(body, _LEVELS.size)
    said, _ = _text(body, at)
    return said


def completed(body: bytes) -> int:
    """Read what the helper's work came to: 0 is success."""
    if len(body) != _COMPLETE.size:
        raise NotUnderstoodError
    value, _ = _COMPLETE.unpack(body)
    return int(value)


def reply(value: int) -> bytes:
    """Write an answer to a frame that asks for one."""
    return struct.pack("=i", value)


def progress_of(label: int, done: int, total: int) -> bytes:
    """Write what a helper says of a pass, as :func:`progress` reads it."""
    what = b"Frames iteration %d\0" % label
    body = _TEXT.pack(1) + b"\0" + _TEXT.pack(len(what)) + what + _COUNTS.pack(done, total)
    return _HEAD.pack(_HEAD.size + len(body)) + _HEAD.pack(PROGRESS) + body
