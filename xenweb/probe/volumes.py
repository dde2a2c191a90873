"""The volume groups that a host sees, and its logical volumes: switched on where a guest comes, off where it left.

A group that two hosts see bears one UUID. Whoever switches a volume on while a classic snapshot of it exists
spoils that snapshot on both hosts, and is told nothing by LVM: it is refused here.
"""

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

FRESH_FOR: Final = 20.0
"""Seconds for which the list of groups is not asked for anew: it takes processes, and seldom changes."""

ASK_FOR: Final = 20.0
GROUP_FIELDS: Final = "vg_name,vg_uuid,vg_size,vg_free"
VOLUME_FIELDS: Final = "vg_name,lv_name,lv_path,lv_uuid,lv_active,origin,lv_attr"
SNAPSHOT_ORIGINS: Final = "oO"
DEVICE_OPEN: Final = 5
"""Where an lv_attr says that a volume is open."""


class VolumeRefusedError(Exception):
    """It is not done, and why."""


@dataclass(frozen=True)
class Volume:
    """One logical volume as LVM lists it on this host."""

    group: str
    name: str
    path: str
    active: bool
    is_origin: bool
    is_snapshot: bool
    is_open: bool


class Volumes:
    """LVM of this host, asked through its own tools."""

    def __init__(self, tools: Mapping[str, str] | None = None) -> None:
        self._tools = tools or {}
        self._lock = threading.Lock()
        self._groups: list[dict[str, object]] = []
        self._at = float("-inf")

    def _run(self, tool: str, *words: str) -> str:
        try:
            done = subprocess.run(
                [self._tools.get(tool, tool), *words], capture_output=True, text=True, timeout=ASK_FOR, check=False
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise VolumeRefusedError(f"{tool} could not be run: {error}") from error
        if done.returncode != 0:
            raise VolumeRefusedError(f"{tool} failed: {done.stderr.strip()[:300]}")
        return done.stdout

    def _report(self, tool: str, kind: str, fields: str) -> list[dict[str, str]]:
        said = self._run(tool, "--reportformat", "json", "--units", "b", "--nosuffix", "-o", fields)
        try:
            rows = json.loads(said)["report"][0][kind]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise VolumeRefusedError(f"{tool} answers in a form that is not known here.") from error
        return [{str(key): str(value) for key, value in row.items()} for row in rows]

    def groups(self) -> list[dict[str, object]]:
        """Answer each volume group: its name, its UUID, its size and what is free, in bytes; none without LVM."""
        with self._lock:
            if time.monotonic() - self._at > FRESH_FOR:
                try:
                    rows = self._report("vgs", "vg", GROUP_FIELDS)
                except VolumeRefusedError:
                    rows = []
                self._groups = [
                    {"name": row["vg_name"], "uuid": row["vg_uuid"], **_sizes(row)}
                    for row in rows
                    if row.get("vg_uuid")
                ]
                self._at = time.monotonic()
            return list(self._groups)

    def volume(self, path: str) -> Volume | None:
        """Find the logical volume at a path; None if it is none that this host sees."""
        for row in self._report("lvs", "lv", VOLUME_FIELDS):
            if path in {row["lv_path"], f"/dev/{row['vg_name']}/{row['lv_name']}"}:
                attributes = row["lv_attr"]
                return Volume(
                    group=row["vg_name"],
                    name=row["lv_name"],
                    path=path,
                    active=row["lv_active"] not in {"", "inactive"},
                    is_origin=attributes[:1] in SNAPSHOT_ORIGINS and bool(attributes),
                    is_snapshot=bool(row["origin"]),
                    is_open=attributes[DEVICE_OPEN : DEVICE_OPEN + 1] == "o",
                )
        return None

    def may_be_switched_on(self, path: str) -> bool:
        """Say whether a path that is not there would be, once its volume is switched on."""
        try:
            found = self.volume(path)
        except VolumeRefusedError:
            return False
        return found is not None and not found.is_origin and not found.is_snapshot

    def switch_on(self, path: str) -> None:
        """Switch a volume on; raise VolumeRefusedError if it is none, or a snapshot hangs on it."""
        found = self._known(path)
        if found.is_origin or found.is_snapshot:
            raise VolumeRefusedError(f"{path} has a snapshot, or is one: switched on here too, it would be spoiled.")
        if not found.active:
            self._run("lvchange", "-ay", f"{found.group}/{found.name}")
            self._run("udevadm", "settle", "--timeout=10")

    def switch_off(self, path: str) -> None:
        """Switch a volume off that nobody here uses; one that is off already stays off."""
        found = self._known(path)
        if found.is_open:
            raise VolumeRefusedError(f"{path} is in use on this host.")
        if found.active:
            self._run("lvchange", "-an", f"{found.group}/{found.name}")

    def _known(self, path: str) -> Volume:
        found = self.volume(path)
        if found is None:
            raise VolumeRefusedError(f"{path} is no logical volume that this host sees.")
        return found


def _sizes(row: dict[str, str]) -> dict[str, object]:
    return {
        name: int(row[key]) if row[key].isdigit() else None for name, key in (("size", "vg_size"), ("free", "vg_free"))
    }
