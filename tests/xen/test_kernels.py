"""A kernel is taken out of what Debian ships, or it is said that it is packed in another way."""

import lzma
import struct

import pytest

from xenweb.lab.errors import LabError
from xenweb.lab.xen.kernels import unpacked

PLAIN = b"\x7fELF" + b"kernel" * 1000


def shipped(packed: bytes) -> bytes:
    """A kernel's file: three sectors of set-up code, some code of its own, what is packed, and its length."""
    head = bytearray(3 * 512)
    head[0x1F1] = 2
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 100, len(packed) + 4)
    return bytes(head) + b"\x90" * 100 + packed + struct.pack("<I", len(PLAIN)) + b"\0" * 64


def test_a_kernel_is_what_was_packed() -> None:
    assert unpacked(shipped(lzma.compress(PLAIN))) == PLAIN


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"MZ" * 400,
        shipped(b"not packed"),
        shipped(lzma.compress(b"no program")),
        shipped(lzma.compress(PLAIN))[:1600],
    ],
)
def test_what_is_packed_in_another_way_is_refused_in_a_sentence(odd: bytes) -> None:
    with pytest.raises(LabError, match="not packed as the lab expects"):
        unpacked(odd)
