"""Quantities with a unit in their name, so that bytes and pages never meet unnoticed."""

from typing import NewType

Bytes = NewType("Bytes", int)
BytesPerSecond = NewType("BytesPerSecond", float)
Pages = NewType("Pages", int)
Milliseconds = NewType("Milliseconds", int)

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


def human_size(size: int) -> str:
    """Say a size in bytes as people read it, such as ``1.5 GiB``."""
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if abs(size) >= factor:
            number = f"{size / factor:.1f}"
            return f"{number.removesuffix('.0')} {unit}"
    return f"{size} bytes"
