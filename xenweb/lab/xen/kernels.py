"""Takes a Linux kernel out of the file that Debian ships: a program that unpacks itself when it is started.

Xen's domain builder unpacks it anew at each start of a guest, and an emulated CPU takes six seconds for that.
The layout of the file is that of Documentation/arch/x86/boot.rst in Linux.
"""

import lzma
import struct
from typing import Final

from xenweb.lab.errors import LabError

SECTOR: Final = 512
MAGIC_AT: Final = 0x202
MAGIC: Final = b"HdrS"
SECTORS_AT: Final = 0x1F1
PAYLOAD_AT: Final = 0x248
ELF: Final = b"\x7fELF"


def unpacked(kernel: bytes) -> bytes:
    """Return the ELF file that a bzImage packed with xz holds; raise LabError for anything else."""
    packed = _payload(kernel) if kernel[MAGIC_AT : MAGIC_AT + len(MAGIC)] == MAGIC else b""
    reader = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        plain = reader.decompress(packed)
    except lzma.LZMAError:
        plain = b""
    if not reader.eof or not plain.startswith(ELF):
        msg = "Debian's kernel is not packed as the lab expects it: with xz, in a bzImage."
        raise LabError(msg)
    return plain


def _payload(kernel: bytes) -> bytes:
    start, length = struct.unpack_from("<II", kernel.ljust(PAYLOAD_AT + 8, b"\0"), PAYLOAD_AT)
    start += (kernel[SECTORS_AT] + 1) * SECTOR
    return kernel[start : start + length]
