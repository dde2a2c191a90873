"""A host whose tools are played: volume groups, logical volumes and what has them open, as LVM would tell it.

What is written to a volume lies in a plain file, and a classic snapshot keeps what the origin had when it was
taken: the fake copies at once what the kernel copies on write.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xenweb.probe.commands import CommandError, Commands

EXTENT = 4 * 1024 * 1024


@dataclass
class PlayedVolume:
    """One logical volume; ``file`` holds what it holds."""

    group: str
    name: str
    size: int
    file: Path
    layout: str = "linear"
    origin: str = ""
    tags: set[str] = field(default_factory=set)
    active: bool = False
    opened: int = 0

    @property
    def uuid(self) -> str:
        return f"{self.name:_<6.6}-abcd-{len(self.name):04}"


class PlayedHost(Commands):
    """One host's tools, over volumes that several hosts may share; what each has active is its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.volumes: dict[str, PlayedVolume] = {}
        self.free = {"sr1": 1024 * EXTENT}
        self.calls: list[str] = []
        self.failing: dict[str, str] = {}
        self.blocks: list[dict[str, Any]] = []
        self.physical = [{"pv_name": "/dev/sdb", "vg_uuid": "VG-sr1"}]
        self.replies: dict[str, str] = {}

    def add(self, name: str, data: bytes, *, active: bool = False, layout: str = "linear") -> PlayedVolume:
        file = self.folder / f"sr1-{name}"
        size = -(-len(data) // EXTENT) * EXTENT
        file.write_bytes(data.ljust(size, b"\0"))
        made = PlayedVolume("sr1", name, size, file, layout=layout, active=active)
        self.volumes[f"sr1/{name}"] = made
        return made

    def kind(self, path: str) -> str:
        """What stands at a path of this host."""
        for each in self.volumes.values():
            if each.active and path in {f"/dev/{each.group}/{each.name}", f"/dev/mapper/{each.group}-{each.name}"}:
                return "block"
        return self.replies.get(f"kind {path}", "missing")

    def place(self, path: str) -> str:
        """Where what is read and written at a device's path lies."""
        for each in self.volumes.values():
            if path == f"/dev/{each.group}/{each.name}":
                if not each.active:
                    raise FileNotFoundError(path)
                return str(each.file)
        return path

    def has(self, tool: str) -> bool:
        return tool != "no"

    def changes(self) -> list[str]:
        """What was told to change something, without the questions."""
        return [
            each for each in self.calls if each.split()[0] in {"lvchange", "lvcreate", "lvremove", "cp", "rm", "xl"}
        ]

    def run(self, *words: str, within: float = 0) -> str:
        self.calls.append(" ".join(words))
        for part, sentence in self.failing.items():
            if part in " ".join(words):
                raise CommandError(f"{words[0]} failed: {sentence}")
        played = getattr(self, f"_{words[0]}", None)
        if played is None:
            return self.replies.get(words[0], "")
        return str(played(list(words[1:])))

    def _lsblk(self, _words: list[str]) -> str:
        return json.dumps({"blockdevices": self.blocks})

    def _report(self, kind: str, rows: list[dict[str, str]]) -> str:
        return json.dumps({"report": [{kind: rows}]})

    def _pvs(self, _words: list[str]) -> str:
        return self._report("pv", self.physical)

    def _vgs(self, _words: list[str]) -> str:
        rows = [
            {"vg_uuid": f"VG-{name}", "vg_name": name, "vg_size": str(2048 * EXTENT), "vg_free": str(free)}
            for name, free in self.free.items()
        ]
        return self._report("vg", rows)

    def _lvs(self, words: list[str]) -> str:
        asked = words[-1] if "/" in words[-1] else ""
        if asked and asked not in self.volumes:
            raise CommandError(f"lvs failed: Failed to find logical volume {asked!r}")
        rows = [self._row(each) for key, each in self.volumes.items() if asked in {"", key}]
        return self._report("lv", rows)

    def _row(self, each: PlayedVolume) -> dict[str, str]:
        is_origin = any(other.origin == each.name for other in self.volumes.values())
        role = "public,snapshot,thicksnapshot" if each.origin else "public,origin" if is_origin else "public"
        return {
            "vg_uuid": f"VG-{each.group}",
            "vg_name": each.group,
            "lv_name": each.name,
            "lv_uuid": each.uuid,
            "lv_size": str(each.size),
            "lv_layout": each.layout,
            "lv_role": role,
            "lv_tags": ",".join(sorted(each.tags)),
            "origin": each.origin,
        }

    def _dmsetup(self, _words: list[str]) -> str:
        return "".join(
            f"LVM-VG{each.group}{each.uuid.replace('-', '')}|{each.opened}\n"
            for each in self.volumes.values()
            if each.active
        )

    def _lvchange(self, words: list[str]) -> str:
        volume = self.volumes[words[-1]]
        if "--activate" in words:
            volume.active = words[words.index("--activate") + 1] == "y"
        if "--addtag" in words:
            volume.tags.add(words[words.index("--addtag") + 1])
        return ""

    def _lvcreate(self, words: list[str]) -> str:
        name, size = words[words.index("--name") + 1], int(words[words.index("--size") + 1].removesuffix("b"))
        if size % 512:
            raise CommandError(f"lvcreate failed: Size is not a multiple of 512. Invalid argument for --size: {size}b")
        size = -(-size // EXTENT) * EXTENT
        if size > self.free["sr1"]:
            raise CommandError("lvcreate failed: insufficient free space")
        self.free["sr1"] -= size
        tags = {words[at + 1] for at, word in enumerate(words) if word == "--addtag"}
        file = self.folder / f"sr1-{name}"
        made = PlayedVolume("sr1", name, size, file, tags=tags, active=True)
        if "--snapshot" in words:
            origin = self.volumes[words[-1]]
            made.origin, made.size = origin.name, origin.size
            shutil.copyfile(origin.file, file)
        else:
            file.write_bytes(b"\0" * size)
        self.volumes[f"sr1/{name}"] = made
        return ""

    def _lvremove(self, words: list[str]) -> str:
        gone = self.volumes.pop(words[-1])
        self.free["sr1"] += gone.size
        gone.file.unlink()
        return ""
