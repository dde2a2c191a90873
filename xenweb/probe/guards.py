"""A guard: all disks of one VM as they were at one moment, kept until nobody needs the way back.

The guest stands still only while its snapshots are taken. That is done here, on its own host, and not by libvirt
from afar: whoever pauses a guest over the network and is lost would leave it paused. What pauses it here notes so
first, and lets it go on after a while, come what may; a probe that is started anew does the same.

Before it stands still its kernel is asked to write to its disks what it holds for them, and given a moment for it. That
is as much as Xen can ask without an agent: a kernel that does not listen, or needs longer, is paused all the same.
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from .guests import Guest, Xen, XenError, waited
from .memories import SAVED_WITHIN, Memory
from .remedies import RemedyRefusedError, one
from .snapshots import Disk, VolumeDisk, disk_at
from .volumes import Volumes

WRITES_OUT_FOR: Final = 1.0
"""Seconds that a guest gets to write out what it holds, before it is paused."""

PAUSED_AT_MOST: Final = 60.0
STOPPED_WITHIN: Final = 40.0
LOOK_EVERY: Final = 2.0
"""Seconds between two looks whether a VM, whose disks are being written to, is still not here."""

_ID = re.compile(r"[A-Za-z0-9]{4,16}")
FAULTS: Final = (RemedyRefusedError, XenError, OSError)


class StoppedError(RemedyRefusedError):
    """Somebody wants no guard any more."""


@dataclass
class Work:
    """What is being done about one guard, or was last."""

    phase: str
    total: int
    done: int = 0
    pause_ms: int | None = None
    error: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None

    @property
    def is_under_way(self) -> bool:
        """Say whether something is still being done."""
        return self.thread is not None and self.thread.is_alive()

    def told(self, size: int) -> None:
        """Count what was copied."""
        self.done += size


@dataclass(frozen=True)
class State:
    """Memory that is to be kept: of ``size`` bytes, of a guest that libvirt knows by ``description``."""

    description: str
    size: int


class Guards:
    """The guards of this host."""

    def __init__(
        self,
        volumes: Volumes,
        xen: Xen,
        run: Path,
        states: Path,
        *,
        mounts: Path = Path("/proc/self/mountinfo"),
        place: Callable[[str], str] = str,
        processes: Path = Path("/proc"),
    ) -> None:
        self._volumes, self._xen, self._place, self._mounts = volumes, xen, place, mounts
        self._notes, self._states, self._processes = run / "paused", states, processes
        self._lock = threading.Lock()
        self._works: dict[str, Work] = {}

    def recover(self) -> None:
        """Let every guest go on that an earlier daemon had paused for a guard."""
        with suppress(OSError):
            for note in sorted(self._notes.iterdir()):
                with suppress(ValueError, KeyError, *FAULTS):
                    said = json.loads(note.read_text(encoding="utf-8"))
                    self._let_go(int(said["number"]), str(said["uuid"]))
                    if said.get("saving") and self._is_saving(note.name):
                        # The xl of the daemon before goes on, and will pause its guest when it is done.
                        threading.Thread(target=self._let_go_later, args=(note, said), daemon=True).start()
                        continue
                note.unlink(missing_ok=True)

    def _is_saving(self, guard: str) -> bool:
        """Say whether a process of this host still saves the memory of a guard."""
        place = os.fsencode(Memory(self._states, guard).saved)
        for each in self._processes.glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if place in each.read_bytes().split(b"\0"):
                    return True
        return False

    def _let_go_later(self, note: Path, said: dict[str, Any]) -> None:
        waited(lambda: not self._is_saving(note.name), SAVED_WITHIN, every=0.2)
        with suppress(ValueError, KeyError, *FAULTS):
            self._let_go(int(said["number"]), str(said["uuid"]))
            note.unlink(missing_ok=True)

    def foresee(self, paths: Sequence[str], memory: int | None = None) -> dict[str, Any]:
        """Say whether a guard of these disks can be made, and what it takes; ``why`` not, if it cannot.

        With ``memory`` so many bytes of that are to be kept as well.
        """
        needed: dict[str, int] = {}
        try:
            for each in self._disks("XXXXXXXX", paths):
                if isinstance(each, VolumeDisk):
                    if "origin" in each.volume.role:
                        raise RemedyRefusedError(f"{each.volume.words} has a snapshot of somebody else's already.")
                    group = each.volume.group
                    needed[group] = needed.get(group, 0) + each.size + each.room
            free = {
                row["vg_name"]: int(row["vg_free"]) for row in self._volumes.commands.rows("vgs", "vg_name,vg_free")
            }
        except FAULTS as error:
            return {"possible": False, "why": str(error), "needed": 0, "free": 0}
        wanting = [
            f"{name} has {free.get(name, 0)} bytes free, and {size} are needed"
            for name, size in needed.items()
            if free.get(name, 0) < size
        ]
        if memory is not None and (why := Memory(self._states, "XXXXXXXX").hindrance(memory)):
            wanting.append(why)
        room = min((free.get(name, 0) for name in needed), default=0)
        return {"possible": not wanting, "why": "; ".join(wanting), "needed": sum(needed.values()), "free": room}

    def begin(self, guard: str, vm: str, paths: Sequence[str], state: State | None = None) -> None:
        """Begin to make a guard; ``look`` tells how far it is. Nothing is begun twice."""
        with self._lock:
            if self._is_under_way(guard):
                return
            foreseen = self.foresee(paths, None if state is None else state.size)
            if not foreseen["possible"]:
                raise RemedyRefusedError(str(foreseen["why"]))
            guest = one(self._xen, vm)
            if guest.paused or guest.shutdown or guest.dying:
                raise RemedyRefusedError("This VM does not run: only a VM that runs needs a guard before it moves.")
            disks = self._disks(guard, paths)
            if any(each.stands() != "none" for each in disks):
                raise RemedyRefusedError("Something of this guard is there already: remove it first.")
            work = Work("taking", sum(each.size for each in disks))
            self._start(guard, work, lambda: self._make(guard, work, disks, guest, state))

    def look(self, guard: str, paths: Sequence[str], *, with_memory: bool = False) -> dict[str, Any]:
        """Say how far a guard is; what nobody works on is what its disks, and its memory, say it is."""
        work = self._works.get(guard)
        seen = {"done": 0, "total": 0, "pause_ms": None, "error": ""}
        if work is not None:
            seen = {"done": work.done, "total": work.total, "pause_ms": work.pause_ms, "error": work.error}
        if work is not None and (work.is_under_way or work.phase == "rolled_back"):
            return {"phase": work.phase, **seen}
        disks = self._disks(guard, paths)
        seen["total"] = seen["total"] or sum(each.size for each in disks)
        stands = {each.stands() for each in disks}
        phase = "none" if stands <= {"none"} else "whole" if stands == {"whole"} else "broken"
        if phase == "whole" and with_memory and not Memory(self._states, guard).stands():
            phase, seen["error"] = "broken", seen["error"] or "The memory that belongs to these disks is not there."
        return {"phase": phase, **seen}

    def remove(self, guard: str, paths: Sequence[str]) -> None:
        """Stop what is being done about a guard, and remove all of it; raise RemedyRefusedError if it does not go."""
        with self._lock:
            work = self._works.get(guard)
            if work is not None and work.thread is not None:
                work.stop.set()
                work.thread.join(STOPPED_WITHIN)
                if work.is_under_way:
                    raise RemedyRefusedError("What is being done about this guard does not stop.")
            disks = self._disks(guard, paths)
            for each in disks:
                each.remove()
            Memory(self._states, guard).remove()
            if any(each.stands() != "none" for each in disks):
                raise RemedyRefusedError("The guard was removed, and something of it is still there.")
            self._works.pop(guard, None)

    def memory(self, guard: str, vm: str) -> str:
        """Answer where the memory of a guard lies, for libvirt to read; its VM must not be here."""
        kept = Memory(self._states, guard if _ID.fullmatch(guard) else "XXXXXXXX")
        if not kept.stands():
            raise RemedyRefusedError("The memory of this guard is not there.")
        if self._xen.of(vm):
            raise RemedyRefusedError("Xen has this VM here already.")
        return str(kept.kept)

    def roll_back(self, guard: str, vm: str, paths: Sequence[str]) -> None:
        """Begin to lay a guard over the disks of a VM that Xen does not have on this host."""
        with self._lock:
            if self._is_under_way(guard):
                return
            disks = self._disks(guard, paths)
            if any(each.stands() != "whole" for each in disks):
                raise RemedyRefusedError("This guard is not whole: nothing is laid over the disks.")
            if self._xen.of(vm):
                raise RemedyRefusedError("Xen has this VM here: nothing is laid over its disks.")
            work = Work("rolling_back", sum(each.size for each in disks))
            self._start(guard, work, lambda: self._restore(work, disks, vm))

    def _disks(self, guard: str, paths: Sequence[str]) -> list[Disk]:
        if not _ID.fullmatch(guard) or not paths:
            raise RemedyRefusedError("This is no guard of any disks.")
        return [disk_at(self._volumes, path, guard, self._mounts, self._place) for path in paths]

    def _is_under_way(self, guard: str) -> bool:
        if any(work.is_under_way for name, work in self._works.items() if name != guard):
            raise RemedyRefusedError("Another guard is worked on at this host: one at a time changes a volume group.")
        return guard in self._works and self._works[guard].is_under_way

    def _start(self, guard: str, work: Work, do: Callable[[], None]) -> None:
        work.thread = threading.Thread(target=do, name=f"guard-{guard}", daemon=True)
        self._works[guard] = work
        work.thread.start()

    def _make(self, guard: str, work: Work, disks: list[Disk], guest: Guest, state: State | None) -> None:
        memory = Memory(self._states, guard)

        def go_on() -> None:
            if work.stop.is_set():
                raise StoppedError("It was given up.")

        try:
            for each in disks:
                go_on()
                each.prepare()
            self._write_out(guest, work)
            go_on()
            work.pause_ms = self._taken(guard, disks, guest, state)
            work.phase = "copying"
            for each in disks:
                each.copy(work.told, go_on)
            for each in disks:
                each.finish()
            if state is not None:
                work.total += memory.saved.stat().st_size
                memory.finish(state.description, work.told, go_on)
            work.phase = "whole"
        except FAULTS as error:
            work.error, work.phase = str(error), "clearing"
            for each in disks:
                with suppress(*FAULTS):
                    each.remove()
            with suppress(*FAULTS):
                memory.remove()

    def _write_out(self, guest: Guest, work: Work) -> None:
        """Ask the guest's kernel to write out what it holds; that it does not is no failure."""
        with suppress(*FAULTS):
            self._xen.run("sysrq", str(guest.number), "s")
            work.stop.wait(WRITES_OUT_FOR)

    def _taken(self, guard: str, disks: list[Disk], guest: Guest, state: State | None) -> int:
        """Take all snapshots while the guest stands still; answer for how many ms it did."""
        note = self._notes / guard
        self._notes.mkdir(mode=0o700, parents=True, exist_ok=True)
        said = {"number": guest.number, "uuid": guest.uuid, "saving": state is not None}
        note.write_text(json.dumps(said), encoding="utf-8")
        limit = PAUSED_AT_MOST if state is None else SAVED_WITHIN
        alarm = threading.Timer(limit, self._let_go_quietly, (guest,))
        alarm.daemon = True
        began = time.monotonic()
        alarm.start()
        try:
            if state is None:
                self._xen.run("pause", str(guest.number))
            else:
                Memory(self._states, guard).save(self._volumes.commands, self._xen.xl, guest.number)
            for each in disks:
                each.take()
            if not alarm.is_alive():
                raise RemedyRefusedError("Taking the snapshots took too long: the guest was let go on meanwhile.")
        finally:
            # Should Xen not take it now, the alarm and the note are still there to let it go on.
            self._let_go(guest.number, guest.uuid)
            alarm.cancel()
            note.unlink(missing_ok=True)
        return round((time.monotonic() - began) * 1000)

    def _let_go(self, number: int, uuid: str) -> None:
        if any(each.number == number and each.paused for each in self._xen.of(uuid)):
            self._xen.run("unpause", str(number))

    def _let_go_quietly(self, guest: Guest) -> None:
        with suppress(*FAULTS):
            self._let_go(guest.number, guest.uuid)

    def _restore(self, work: Work, disks: list[Disk], vm: str) -> None:
        looked = time.monotonic()

        def go_on() -> None:
            nonlocal looked
            if work.stop.is_set():
                raise StoppedError(
                    "It was given up half-way: the disks are neither as they were nor as they were kept."
                )
            if time.monotonic() - looked > LOOK_EVERY:
                looked = time.monotonic()
                if self._xen.of(vm):
                    raise RemedyRefusedError("The VM was started on this host meanwhile.")

        try:
            for each in disks:
                each.restore(work.told, go_on)
            work.phase = "rolled_back"
        except FAULTS as error:
            work.error = str(error)
            work.phase = "broken_off"
