"""What stands on a host that a guest needs: its disks at their paths, the bridges of its networks."""

import os
import re
import stat
from pathlib import Path
from typing import Final

SYS: Final = Path("/sys")
MOUNTS: Final = Path("/proc/self/mountinfo")
_OCTAL = re.compile(r"\\([0-7]{3})")


def path_seen(path: str, system: Path = SYS, mounts: Path = MOUNTS) -> dict[str, object]:
    """Say what stands at a path: its kind, its size, and a name that is the same on every host that has it.

    ``identity`` is empty where nothing there bears one: then nothing is proven by it.
    """
    if not path.startswith("/"):
        return {"kind": "missing", "size": None, "identity": ""}
    try:
        found = os.stat(path)  # noqa: PTH116 - a path that is read as it was told, and nothing else of it
    except (OSError, ValueError):
        return {"kind": "missing", "size": None, "identity": ""}
    if stat.S_ISBLK(found.st_mode):
        number = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
        return {"kind": "block", **_device(system / "dev" / "block" / number)}
    if stat.S_ISREG(found.st_mode):
        return {"kind": "file", "size": found.st_size, "identity": _file(path, mounts)}
    return {"kind": "other", "size": None, "identity": ""}


def _device(folder: Path) -> dict[str, object]:
    sectors = _line(folder / "size")
    identity = next(
        (said for name in ("dm/uuid", "device/wwid", "wwid", "md/uuid") if (said := _line(folder / name))), ""
    )
    return {"size": int(sectors) * 512 if sectors.isdigit() else None, "identity": identity}


def _line(place: Path) -> str:
    try:
        return place.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _file(path: str, mounts: Path) -> str:
    """Name a file by what its file system is mounted from, and its place there; only a served one has such a name."""
    real = str(Path(path).resolve())
    best: tuple[int, str] = (0, "")
    for line in _line(mounts).splitlines():
        words = line.split(" ")
        if "-" not in words:
            continue
        middle = words.index("-")
        root, point = _plain(words[3]), _plain(words[4])
        kind, source = words[middle + 1], _plain(words[middle + 2])
        within = point if point.endswith("/") else f"{point}/"
        if real.startswith(within) and len(within) >= best[0]:
            is_served = kind in {"nfs", "nfs4", "cifs", "ceph", "fuse.glusterfs"} and ":" in source
            inner = f"{root.rstrip('/')}/{real[len(within) :]}"
            best = (len(within), f"{kind.removesuffix('4')}:{source}:{inner}" if is_served else "")
    return best[1]


def _plain(said: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), said)


def bridges(system: Path = SYS) -> list[str]:
    """Name the bridges of this host, Open vSwitch's among them as far as they have a device."""
    try:
        devices = sorted((system / "class" / "net").iterdir())
    except OSError:
        return []
    return [each.name for each in devices if (each / "bridge").is_dir() or _line(each / "uevent").endswith("=ovs")]
