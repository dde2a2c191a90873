"""Hop VMs at random with faults at random; write build/bounce.json, or bounce-xen.json; answer 0 if nothing was lost.

``python -m tests.bounce N [SEED]``; with ``LAB=xen`` in the environment on the Xen lab.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bounce.chronicle import around, told_by
from tests.bounce.faults import Faults
from tests.bounce.grounds import GROUNDS, Ground
from xenweb.lab.ports import free_port
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Kind, Stage, StageError

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 4
INTACT = "intact"
DECISIONS = {"remove_source_copy", "remove_target_copy", "remove_half_built", "resume_source", "correct_source"}
"""What a person may safely choose: the hosts have proven it, and prove it again right before."""

NOTHING = (
    "lost_vms",
    "double_run",
    "false_successes",
    "unexplained_states",
    "lost_writes",
    "calls_made_twice",
    "trouble_with_the_lab",
)
"""Of these there must be none."""

ENDED = {"done", "failed", "cancelled"}


class Bounce:
    """One run: who is where, what was asked, what came of it."""

    def __init__(self, stage: Stage, ground: Ground, dice: random.Random) -> None:
        self.stage, self.ground, self.dice = stage, ground, dice
        self.hosts = {host["name"]: host["id"] for host in rest(stage, "GET", "/hosts")["items"]}
        self.accepted = self.refused = self.decided = self.hopeless = 0

    def run(self, moves: int) -> None:
        """Ask for moves until so many were accepted and enough were done; never more than a few at a time.

        Which moves end well is left to the dice: a run of bad luck goes on, so that it shows something, too.
        """
        deadline = time.monotonic() + 60 + moves * self.ground.seconds_a_move
        while time.monotonic() < deadline and (self.accepted < moves or not self._has_shown_enough(moves)):
            try:
                active = self._active()
                self._decide(active)
                if len(active) < AT_ONCE:
                    self._ask()
            except (StageError, OSError):
                self.refused += 1
                time.sleep(0.05)
            else:
                time.sleep(0.2)

    def _has_shown_enough(self, moves: int) -> bool:
        try:
            return len(self._all("migrations?state=done")) >= least_done(moves)
        except (StageError, OSError):
            return False

    def _active(self) -> list[dict[str, Any]]:
        return list(rest(self.stage, "GET", "/migrations?active=true")["items"])

    def _ask(self) -> None:
        vm, target = self.dice.choice(sorted(self.ground.first)), self.dice.choice(sorted(self.hosts))
        uuid = self.ground.uuids[vm]
        options: dict[str, Any] = {}
        speed = self.dice.choice(self.ground.speeds)
        if speed is not None:
            options["bandwidth_limit"] = speed
        wish = {"vm": uuid, "target": str(self.hosts[target]), "options": options}
        rest(self.stage, "POST", "/migrations", wish)
        self.accepted += 1

    def _decide(self, active: list[dict[str, Any]]) -> None:
        """Be the person whom a move asks: a copy that was left standing is never removed unasked."""
        for move in active:
            kinds = {offer["kind"] for offer in move["offers"]} & DECISIONS
            open_choices = [each for each in move["choices"] if each["applied_at"] is None and not each["refusal"]]
            if kinds and not open_choices:
                rest(self.stage, "POST", f"/migrations/{move['id']}/choices", {"kind": min(kinds)})
                self.decided += 1

    def settle(self) -> None:
        """Wait until every move has ended, or the time for it is over."""
        deadline = time.monotonic() + self.ground.settles_within
        while time.monotonic() < deadline:
            try:
                active = self._active()
                if not active:
                    return
                self._decide(active)
                self._give_up_what_does_not_converge(active)
            except (StageError, OSError):
                pass
            time.sleep(0.5)

    def _give_up_what_does_not_converge(self, active: list[dict[str, Any]]) -> None:
        """Be the person who reads that a VM changes faster than its move may copy: such a move has no end."""
        for move in active:
            if move["progress"]["converging"] is False and not move["cancel_requested"]:
                rest(self.stage, "POST", f"/migrations/{move['id']}/cancel", {})
                self.hopeless += 1

    def _all(self, what: str) -> list[dict[str, Any]]:
        """Read everything there is of one kind, page by page: what an answer did not tell us counts, too."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = rest(self.stage, "GET", f"/{what}{'&' if '?' in what else '?'}limit=200{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def report(self, faults: Faults, seed: int) -> dict[str, Any]:
        """Compare what the product says with what the guests and the hypervisors say."""
        moves = self._all("migrations")
        states = Counter(move["state"] for move in moves)
        lost, twice, wrong = self._places(moves)
        unexplained = [
            f"{move['id']}: {move['state']} {move['failure_code'] or ''}"
            for move in moves
            if move["state"] not in ENDED or (move["state"] == "failed" and not move["failure_sentence"])
        ]
        report = {
            "seed": seed,
            "moves": len(moves),
            "states": dict(states),
            "failures": dict(Counter(move["failure_code"] for move in moves if move["state"] == "failed")),
            "refused_requests": self.refused,
            "decided_by_hand": self.decided,
            "given_up_as_hopeless": self.hopeless,
            "faults": dict(sorted(faults.done.items())),
            "fault_count": sum(faults.done.values()),
            "lost_vms": lost,
            "double_run": twice,
            "false_successes": wrong,
            "unexplained_states": unexplained,
            "lost_writes": self.ground.lost_writes(),
            "calls_made_twice": self._calls_made_twice(),
            "audit_chain": self._chain(),
            "trouble_with_the_lab": [*faults.broken, *self.ground.ailing()],
        }
        if any(report[key] for key in NOTHING):
            entries = [*told_by(moves), *faults.chronicle.entries()]
            report["what_happened_around_it"] = around(entries, self._moments(moves))
        return report

    def _moments(self, moves: list[dict[str, Any]]) -> list[datetime]:
        """Name the moments to look at: the first wrong beat of each guest, else the last move that was asked for."""
        first = [beats[0].at for name in self.ground.first if (beats := self.ground.wrong_beats(name))]
        asked = [datetime.fromisoformat(move["requested_at"]) for move in moves]
        return first or [max(asked, default=datetime.now(UTC))]

    def _places(self, moves: list[dict[str, Any]]) -> tuple[list[str], list[str], list[str]]:
        lost, twice, wrong = [], [], []
        for name in self.ground.first:
            hosts, beats = self.ground.running_on(name), self.ground.wrong_beats(name)
            if not hosts or not self.ground.is_heard(name):
                lost.append(f"{name}: runs on {hosts or 'no host'}, its last beat was {self.ground.last_beat(name)}")
            if len(hosts) > 1 or beats:
                twice.append(f"{name}: runs on {hosts}; {beats[:3]}")
            said = self._said_place(name, moves)
            if hosts and hosts != [said]:
                wrong.append(f"{name}: the moves lead to {said}, it runs on {hosts}")
        return lost, twice, wrong

    def _said_place(self, vm: str, moves: list[dict[str, Any]]) -> str:
        """Follow the moves that were called done, in their order, from the first host on."""
        place = self.ground.first[vm]
        for move in sorted((each for each in moves if each["vm_name"] == vm), key=lambda each: each["requested_at"]):
            if move["state"] == "done":
                place = move["target_name"]
        return place

    def _calls_made_twice(self) -> list[str]:
        calls = Counter(record["subject_id"] for record in self._all("audit?action=migration_start"))
        return [migration for migration, count in calls.items() if count > 1]

    def _chain(self) -> str:
        try:
            return INTACT if "holds" in self.stage.manage("audit_verify") else "it says nothing"
        except StageError as error:
            return str(error)


def least_done(moves: int) -> int:
    """Answer how many of so many moves must have been done, so that the run shows something."""
    return -(-moves // 2)


def is_clean(report: dict[str, Any], moves: int) -> bool:
    """Say whether as many moves were made as asked for, and nothing was lost, doubled, invented or left open.

    A run in which hardly anything moved, or hardly anything broke, shows nothing.
    """
    shows = report["states"].get("done", 0) >= least_done(moves) and report["fault_count"] >= moves / 10
    made = report["moves"] >= moves and report["audit_chain"] == INTACT
    return shows and made and not any(report[key] for key in NOTHING)


def bounce(moves: int, seed: int, kind: Kind) -> dict[str, Any]:
    """Run it on a stage of its own; answer the report."""
    folder = Path(tempfile.mkdtemp(prefix="xo-", dir="/tmp"))
    stage = Stage(data=folder / "d", lab=folder / "l", port=free_port(), workers=4, kind=kind)
    dice = random.Random(seed)
    print(f"bounce: logs lie in {folder}, and stay there unless all is well", flush=True)
    try:
        stage.start()
        ground = GROUNDS[kind](stage)
        run = Bounce(stage, ground, dice)
        faults = Faults(stage, ground, random.Random(seed + 1), ground.calm)
        ground.watch()
        faults.start()
        run.run(moves)
        faults.stop()
        run.settle()
        report = run.report(faults, seed)
        ground.end()
    finally:
        stage.stop()
    if is_clean(report, moves):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        report["logs"] = str(folder)
    return report


def written(kind: Kind) -> Path:
    """Answer where the report of a lab is written: no lab's run takes the place of another's."""
    return ROOT / "build" / ("bounce.json" if kind == "qemu" else f"bounce-{kind}.json")


def main() -> int:
    """Run, write, print, judge."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before the report"))
    moves = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    kind: Kind = "xen" if os.environ.get("LAB") == "xen" else "qemu"
    print(f"bounce: {moves} moves, seed {seed}, {kind} lab", flush=True)
    began = time.monotonic()
    report = {**bounce(moves, seed, kind), "seconds": round(time.monotonic() - began)}
    (ROOT / "build").mkdir(exist_ok=True)
    written(kind).write_text(json.dumps(report, indent=2) + "\n")
    for key, value in report.items():
        print(f"  {key:<22} {'' if key == 'what_happened_around_it' else value}".rstrip())
        if key == "what_happened_around_it":
            print("\n".join(f"    {line}" for line in value))
    clean = is_clean(report, moves)
    print("bounce: nothing lost, doubled, invented or left open" if clean else "bounce: FAILED", flush=True)
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
