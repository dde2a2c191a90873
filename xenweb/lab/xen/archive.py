"""Writes the archives a Linux kernel unpacks into memory at boot: "newc" cpio, and nobody has to be root for it."""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from stat import S_IFCHR, S_IFDIR, S_IFREG
from typing import Final

ALIGNMENT: Final = 4
CONSOLE: Final = (5, 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an archive: its path without a leading slash, its mode with its kind, its bytes, its device."""

    path: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def folder(path: str) -> Entry:
    """Return the entry of a folder."""
    return Entry(path, S_IFDIR | 0o755)


def program(path: str, content: bytes) -> Entry:
    """Return the entry of a file that may be run."""
    return Entry(path, S_IFREG | 0o755, content)


def file(path: str, content: bytes) -> Entry:
    """Return the entry of a file."""
    return Entry(path, S_IFREG | 0o644, content)


def pack(entries: Iterable[Entry]) -> bytes:
    """Return the compressed archive of ``entries`` in their order: the same entries give the same bytes."""
    plain = b"".join(_packed(number, entry) for number, entry in enumerate(entries, start=1))
    plain += _packed(0, Entry("TRAILER!!!", 0))
    return gzip.compress(plain, compresslevel=6, mtime=0)


def _packed(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if entry.mode & S_IFDIR == S_IFDIR else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, *entry.device, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
    return _padded(head) + _padded(entry.content)


def _padded(part: bytes) -> bytes:
    return part + b"\0" * (-len(part) % ALIGNMENT)


def in_order(dependencies: str, wanted: Iterable[str]) -> list[str]:
    """Return the paths of the ``wanted`` modules and of all they need, each after what it needs.

    ``dependencies`` is the text of modules.dep; a name that it does not hold is part of the kernel itself.
    """
    needs: dict[str, list[str]] = {}
    by_name: dict[str, str] = {}
    for line in dependencies.splitlines():
        path, _, needed = line.partition(":")
        needs[path] = needed.split()
        by_name[Path(path).name.split(".")[0].replace("-", "_")] = path
    ordered: list[str] = []
    for name in wanted:
        if found := by_name.get(name.replace("-", "_")):
            # modules.dep names everything needed, the innermost last.
            ordered += [each for each in (*reversed(needs[found]), found) if each not in ordered]
    return ordered


def boot_archive(root: Path, first: bytes, modules: Iterable[str], programs: dict[str, bytes]) -> bytes:
    """Return an archive with busybox, ``modules`` of the kernel in ``root``, ``programs``, and ``first`` as /init."""
    kernel = next((root / "lib" / "modules").iterdir())
    paths = in_order((kernel / "modules.dep").read_text(), modules)
    entries = [folder(name) for name in ("bin", "dev", "proc", "root", "modules")]
    entries.append(Entry("dev/console", S_IFCHR | 0o600, device=CONSOLE))
    entries.append(program("bin/busybox", (root / "bin" / "busybox").read_bytes()))
    entries.append(program("init", first))
    entries += [program(name, content) for name, content in programs.items()]
    entries += [file(f"modules/{Path(path).name}", (kernel / path).read_bytes()) for path in paths]
    entries.append(file("modules/order", "".join(f"{Path(path).name}\n" for path in paths).encode()))
    return pack(entries)
