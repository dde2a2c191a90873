"""Hop VMs at random with faults at random; write build/bounce.json; answer 0 if nothing was lost.

``python -m tests.bounce N [SEED]``
"""

import json
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bounce.faults import Faults
from tests.bounce.witness import Witness, running_on
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.heartbeat import disk_counters
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage, StageError, free_port

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 4
SETTLE_WITHIN = 120.0
ENDED = {"done", "failed", "cancelled"}
MIB = 1024 * 1024
SPEEDS = (None, None, 8 * MIB, 32 * MIB)


class Bounce:
    """One run: who is where, what was asked, what came of it."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        self.stage, self.dice = stage, dice
        self.lab = Lab(stage.lab)
        self.hosts = {host["name"]: host["id"] for host in rest(stage, "GET", "/hosts")["items"]}
        self.asked: list[str] = []
        self.refused = 0
        self.first = {guest.name: guest.host for guest in GUESTS if guest.running}
        self.witness = Witness(self.lab, list(self.first))

    def run(self, moves: int) -> None:
        """Ask for moves until so many were accepted; never more than a few at a time."""
        deadline = time.monotonic() + 60 + moves * 15
        while len(self.asked) < moves and time.monotonic() < deadline:
            try:
                if len(self._active()) < AT_ONCE:
                    self._ask()
            except (StageError, OSError):
                self.refused += 1
            time.sleep(0.2)

    def _active(self) -> list[dict[str, Any]]:
        return list(rest(self.stage, "GET", "/migrations?active=true")["items"])

    def _ask(self) -> None:
        vm, target = self.dice.choice(sorted(self.first)), self.dice.choice(sorted(self.hosts))
        uuid = next(guest.uuid for guest in GUESTS if guest.name == vm)
        options: dict[str, Any] = {}
        speed = self.dice.choice(SPEEDS)
        if speed is not None:
            options["bandwidth_limit"] = speed
        wish = {"vm": uuid, "target": str(self.hosts[target]), "options": options}
        self.asked.append(rest(self.stage, "POST", "/migrations", wish)["id"])

    def settle(self) -> None:
        """Wait until every move has ended, or the time for it is over."""
        deadline = time.monotonic() + SETTLE_WITHIN
        while time.monotonic() < deadline:
            try:
                if not self._active():
                    return
            except (StageError, OSError):
                pass
            time.sleep(0.5)

    def report(self, faults: Faults, seed: int) -> dict[str, Any]:
        """Compare what the product says with what the guests and the hypervisors say."""
        moves = [rest(self.stage, "GET", f"/migrations/{each}") for each in self.asked]
        states: dict[str, int] = {}
        for move in moves:
            states[move["state"]] = states.get(move["state"], 0) + 1
        lost, twice, wrong = self._places(moves)
        unexplained = [
            f"{move['id']}: {move['state']}"
            for move in moves
            if move["state"] not in ENDED or (move["state"] == "failed" and not move["failure_sentence"])
        ]
        return {
            "seed": seed,
            "moves": len(moves),
            "states": states,
            "refused_requests": self.refused,
            "faults": dict(sorted(faults.done.items())),
            "fault_count": sum(faults.done.values()),
            "lost_vms": lost,
            "double_run": twice,
            "false_successes": wrong,
            "unexplained_states": unexplained,
            "lost_writes": self._lost_writes(),
            "audit_chain": self._chain(),
            "trouble_with_the_lab": faults.broken,
        }

    def _places(self, moves: list[dict[str, Any]]) -> tuple[list[str], list[str], list[str]]:
        lost, twice, wrong = [], [], []
        for guest in GUESTS:
            if guest.name not in self.first:
                continue
            hosts, diary = running_on(self.lab, guest.uuid), self.witness.diaries[guest.name]
            before = diary.heard
            time.sleep(0.3)
            if not hosts or diary.heard == before:
                lost.append(f"{guest.name}: runs on {hosts or 'no host'}, {diary.heard - before} beats in 0.3 s")
            if len(hosts) > 1 or diary.faults:
                twice.append(f"{guest.name}: runs on {hosts}; {diary.faults[:3]}")
            said = self._said_place(guest.name, moves)
            if hosts and hosts != [said]:
                wrong.append(f"{guest.name}: the moves lead to {said}, it runs on {hosts}")
        return lost, twice, wrong

    def _said_place(self, vm: str, moves: list[dict[str, Any]]) -> str:
        """Follow the moves that were called done, in their order, from the first host on."""
        place = self.first[vm]
        for move in sorted((each for each in moves if each["vm_name"] == vm), key=lambda each: each["requested_at"]):
            if move["state"] == "done":
                place = move["target_name"]
        return place

    def _lost_writes(self) -> list[str]:
        found = []
        for guest in GUESTS:
            if guest.disk == "shared":
                counters = disk_counters(self.lab.disk(guest.name, guest.host))
                if counters.missing or not counters.newest:
                    found.append(f"{guest.name}: {len(counters.missing)} of {counters.newest} are missing")
        return found

    def _chain(self) -> str:
        return self.stage.manage("audit_verify").strip()


def is_clean(report: dict[str, Any]) -> bool:
    """Say whether nothing was lost, doubled, invented or left open."""
    return not any(
        report[key] for key in ("lost_vms", "double_run", "false_successes", "unexplained_states", "lost_writes")
    )


def bounce(moves: int, seed: int) -> dict[str, Any]:
    """Run it on a stage of its own; answer the report."""
    folder = Path(tempfile.mkdtemp(prefix="xo-", dir="/tmp"))
    stage = Stage(data=folder / "d", lab=folder / "l", port=free_port(), workers=4)
    dice = random.Random(seed)
    try:
        stage.start()
        run = Bounce(stage, dice)
        faults = Faults(stage, run.lab, random.Random(seed + 1), (0.5, 3.0))
        run.witness.start()
        faults.start()
        run.run(moves)
        faults.stop()
        run.settle()
        report = run.report(faults, seed)
        run.witness.stop()
    finally:
        stage.stop()
        if "report" in locals():
            shutil.rmtree(folder, ignore_errors=True)
    return report


def main() -> int:
    """Run, write, print, judge."""
    moves = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    print(f"bounce: {moves} moves, seed {seed}", flush=True)
    began = time.monotonic()
    report = {**bounce(moves, seed), "seconds": round(time.monotonic() - began)}
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "bounce.json").write_text(json.dumps(report, indent=2) + "\n")
    for key, value in report.items():
        print(f"  {key:<22} {value}")
    return 0 if is_clean(report) else 1


if __name__ == "__main__":
    sys.exit(main())
