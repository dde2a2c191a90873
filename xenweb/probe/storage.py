"""What the storage of this host is: block storage on a SAN, NFS, OCFS2 or its own disks; libvirt cannot tell.

Only looked at, never changed. What was seen is kept: a caller never waits for a tool, and no tool is run while a
guest stands still for its hand-over.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .commands import CommandError, Commands

LOOK_AGAIN_AFTER: Final = 30.0
"""Seconds for which what was seen is told again, unless something was changed here: LVM's tools read every disk."""

FIRST_LOOK_WITHIN: Final = 2.0
MOST_VOLUMES: Final = 3000
"""Volumes that fit into one message."""

SAN: Final = frozenset({"iscsi", "fc", "fcoe"})
LOCAL: Final = frozenset({"sata", "ata", "ide", "sas", "usb", "mmc", "spi", "virtio", "nvme"})
SERVED: Final = frozenset({"nfs", "nfs4"})
LOCAL_FILES: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "jfs"})
GROUP_COLUMNS: Final = "vg_uuid,vg_name,vg_size,vg_free"
VOLUME_COLUMNS: Final = "vg_name,lv_name,lv_size,lv_layout"
BLOCK_COLUMNS: Final = "PATH,TYPE,TRAN,FSTYPE,UUID"
STATFS: Final = ("stat", "--file-system", "--format", "%S %b %a")
STATFS_WITHIN: Final = 2.0
_OCTAL = re.compile(r"\\([0-7]{3})")
_SESSION = re.compile(r"session\d+")

Told = dict[str, Any]


class Storage:
    """What was last seen of this host's storage."""

    def __init__(
        self,
        commands: Commands,
        is_handing_over: Callable[[], bool],
        system: Path = Path("/sys"),
        mounts: Path = Path("/proc/self/mountinfo"),
    ) -> None:
        self._commands, self._is_handing_over = commands, is_handing_over
        self._system, self._mounts = system, mounts
        self._lock = threading.Lock()
        self._seen: Told | None = None
        self._looked = float("-inf")
        self._is_looking = False
        self._has_looked = threading.Event()

    def told(self) -> Told:
        """Answer what is known by now, ``age`` seconds old, and have it looked at again if that is long ago.

        Only the very first look is waited for, and not for long.
        """
        with self._lock:
            seen, age = self._seen, time.monotonic() - self._looked
            is_due = age > LOOK_AGAIN_AFTER and not self._is_looking and not self._is_handing_over()
            self._is_looking |= is_due
        if is_due:
            threading.Thread(target=self._look_once, daemon=True).start()
            if seen is None and self._has_looked.wait(FIRST_LOOK_WITHIN):
                seen, age = self._seen, 0.0
        return {"known": False} if seen is None else {"known": True, "age": age, **seen}

    def forget(self) -> None:
        """Look again when next asked: something was changed."""
        with self._lock:
            self._looked = float("-inf")

    def _look_once(self) -> None:
        try:
            seen = self.look()
        except CommandError:
            seen = None
        with self._lock:
            self._is_looking = False
            self._looked = time.monotonic()
            self._seen = seen or self._seen
        self._has_looked.set()

    def look(self) -> Told:
        """Look at all of it; raise CommandError if a tool does not answer."""
        devices = self._devices()
        return {
            "groups": self._groups(devices) if self._commands.has("vgs") else [],
            "volumes": self._volumes() if self._commands.has("lvs") else [],
            "mounts": list(self._mounted(devices)),
        }

    def _devices(self) -> dict[str, Told]:
        """Answer every block device by its path, with the transports of the disks that it lies on."""
        found: dict[str, Told] = {}

        def visit(each: Told, above: frozenset[str], disks: frozenset[str]) -> None:
            path = str(each.get("path", ""))
            if not (above or disks):
                disks = frozenset({path})
            if each.get("tran"):
                above |= {self._transport(path, str(each["tran"]))}
            known = found.setdefault(path, {**each, "trans": frozenset(), "disks": frozenset()})
            known["trans"] |= above
            known["disks"] |= disks
            for child in each.get("children") or []:
                visit(child, above, disks)

        for each in self._commands.answer("lsblk", "--json", "--output", BLOCK_COLUMNS).get("blockdevices", []):
            visit(each, frozenset(), frozenset())
        return found

    def _transport(self, path: str, said: str) -> str:
        """Say how a disk is reached; NVMe over a network says so only in its own folder."""
        if said != "nvme":
            return said
        with suppress(OSError):
            way = (self._system / "block" / Path(path).name / "device" / "transport").read_text().strip()
            return "nvme" if way == "pcie" else "fc"
        return said

    def _groups(self, devices: dict[str, Told]) -> list[Told]:
        lying: dict[str, list[str]] = {}
        for row in self._commands.rows("pvs", "pv_name,vg_uuid"):
            lying.setdefault(row["vg_uuid"], []).append(row["pv_name"])
        found = []
        for row in self._commands.rows("vgs", GROUP_COLUMNS):
            below = [
                devices.get(path, devices.get(os.path.realpath(path), {})) for path in lying.get(row["vg_uuid"], [])
            ]
            disks = {disk for each in below for disk in each.get("disks", ())}
            found.append(
                {
                    "uuid": row["vg_uuid"],
                    "name": row["vg_name"],
                    "size": int(row["vg_size"]),
                    "free": int(row["vg_free"]),
                    "kind": block_kind([each.get("trans", frozenset()) for each in below]),
                    "targets": sorted({target for disk in disks if (target := self._target(disk))}),
                }
            )
        return found

    def _target(self, disk: str) -> str:
        """Name the iSCSI target that a disk comes from; empty if it comes from none."""
        place = os.path.realpath(self._system / "block" / Path(disk).name)
        session = next((part for part in place.split("/") if _SESSION.fullmatch(part)), "")
        with suppress(OSError):
            return (self._system / "class" / "iscsi_session" / session / "targetname").read_text().strip()
        return ""

    def _volumes(self) -> list[Told]:
        rows = self._commands.rows("lvs", VOLUME_COLUMNS)
        return [
            {"group": row["vg_name"], "name": row["lv_name"], "size": int(row["lv_size"]), "layout": row["lv_layout"]}
            for row in rows[:MOST_VOLUMES]
        ]

    def _mounted(self, devices: dict[str, Told]) -> Iterator[Told]:
        for point, root, kind, source in mounted(self._mounts):
            if kind in SERVED:
                yield {"path": point, "kind": "nfs", "identity": f"{source}{_below(root)}", **self._room(point)}
            elif kind == "ocfs2":
                yield {"path": point, "kind": "ocfs2", "identity": self._uuid(source, devices), **self._room(point)}
            elif kind in LOCAL_FILES:
                yield {"path": point, "kind": "local_file", "identity": "", "size": None, "free": None}

    def _uuid(self, source: str, devices: dict[str, Told]) -> str:
        said = devices.get(source, devices.get(os.path.realpath(source), {})).get("uuid")
        if said:
            return str(said)
        with suppress(CommandError):
            return self._commands.run("blkid", "--match-tag", "UUID", "--output", "value", source).strip()
        return ""

    def _room(self, point: str) -> Told:
        """Ask how large a file system is; a server that is silent is not waited for."""
        with suppress(CommandError, ValueError):
            block, size, free = map(int, self._commands.run(*STATFS, point, within=STATFS_WITHIN).split())
            return {"size": block * size, "free": block * free}
        return {"size": None, "free": None}


def block_kind(below: list[frozenset[str]]) -> str:
    """Say what a volume group lies on, from the transports of each of its disks; what is not clear is unknown."""
    if below and all(each and each <= SAN for each in below):
        return "san_block"
    if below and all(each and each <= LOCAL for each in below):
        return "local_block"
    return "unknown"


def mounted(mounts: Path) -> Iterator[tuple[str, str, str, str]]:
    """Yield every mount of this host: its point, its root within the file system, its kind and its source."""
    with suppress(OSError):
        for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
            words = line.split(" ")
            if "-" in words[6:]:
                middle = words.index("-", 6)
                yield _plain(words[4]), _plain(words[3]), words[middle + 1], _plain(words[middle + 2])


def _plain(said: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), said)


def _below(root: str) -> str:
    return "" if root == "/" else root
