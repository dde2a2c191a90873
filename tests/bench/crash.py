"""From the death of whoever drives a move until the board tells the truth again; and from a cancel to its proof."""

import signal
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import libvirt

from tests.bench.figures import Figures, percentile
from tests.bench.overhead import elsewhere, wait_for_board
from tests.bounce.witness import running_on
from tests.stage_processes import send
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage

GUEST = "web-2"
UUID = next(guest.uuid for guest in GUESTS if guest.name == GUEST)
MIB = 1024 * 1024
SPEED = 16 * MIB
TIMES = 10
WITHIN = 60.0
LOOK_EVERY = 0.02
ENDED = frozenset({"done", "failed", "cancelled"})
IN_COPY = frozenset({"preparing", "pre_copy", "stop_and_copy", "cancelling"})


@dataclass
class Trial:
    """One move of one guest, asked for by REST and looked at beside it."""

    stage: Stage
    lab: Lab
    source: str = ""
    target: str = ""
    id: str = ""

    def ask(self) -> None:
        """Ask for the move."""
        self.source, self.target = elsewhere(self.lab)
        host = named(rest(self.stage, "GET", "/hosts")["items"], self.target)
        wish = {"vm": UUID, "target": str(host["id"]), "options": {"bandwidth_limit": SPEED}}
        self.id = rest(self.stage, "POST", "/migrations", wish)["id"]

    def move(self) -> dict[str, Any]:
        """Read the move as the board shows it."""
        return dict(rest(self.stage, "GET", f"/migrations/{self.id}"))

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for something to be true of the move."""
        deadline = time.monotonic() + WITHIN
        while not condition(move := self.move()):
            assert time.monotonic() < deadline, f"{self.id} is {move['state']}, and what was waited for did not come"
            time.sleep(LOOK_EVERY)
        return move

    def is_copying(self) -> bool:
        """Ask the source's daemon whether it works on the move."""
        try:
            with closing(libvirt.open(self.lab.uri(self.source))) as connection:
                return bool(connection.lookupByUUIDString(UUID).jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE)
        except libvirt.libvirtError:
            return False

    def is_true(self, move: dict[str, Any], since: float) -> bool:
        """Say whether an outcome is stored, or progress since a moment, and the hypervisors say the same."""
        if move["state"] in ENDED:
            return running_on(self.lab, UUID) == [self.target if move["state"] == "done" else self.source]
        is_live = datetime.fromisoformat(move["as_of"]).timestamp() > since
        return is_live and move["state"] in IN_COPY and self.is_copying()


def _share(least: float) -> Callable[[Trial], None]:
    def wait(trial: Trial) -> None:
        trial.until(lambda move: move["state"] != "pre_copy" or move["progress"]["total"]["value"] >= least)

    return wait


def _taken_up(trial: Trial) -> None:
    trial.until(lambda move: move["state"] != "queued")


def _intended(trial: Trial) -> None:
    trial.until(lambda move: move["started_at"] is not None or move["state"] in ENDED)


def _copying(trial: Trial) -> None:
    trial.until(lambda move: move["state"] in {"pre_copy", *ENDED})


def _paused(trial: Trial) -> None:
    _copying(trial)
    rest(trial.stage, "POST", f"/migrations/{trial.id}/choices", {"kind": "pause"})
    trial.until(lambda move: move["state"] in {"stop_and_copy", "verifying", *ENDED})


def _arrived(trial: Trial) -> None:
    _copying(trial)
    deadline = time.monotonic() + WITHIN
    while trial.target not in running_on(trial.lab, UUID) and time.monotonic() < deadline:
        pass


def _late(trial: Trial) -> None:
    _copying(trial)
    _share(0.8)(trial)


PHASES: dict[str, Callable[[Trial], None]] = {
    "checking": _taken_up,
    "preparing": _intended,
    "early in the copy": _copying,
    "late in the copy": _late,
    "while it stands still": _paused,
    "after the switch-over": _arrived,
}


def crash_to_truth(stage: Stage, lab: Lab, reach: Callable[[Trial], None]) -> float:
    """Kill every worker, parent and horse together, in one phase; answer the seconds until the truth is shown."""
    trial = Trial(stage, lab)
    wait_for_board(stage, lab)
    trial.ask()
    reach(trial)
    killed, since = time.monotonic(), time.time()
    assert send(stage, "work", signal.SIGKILL), "there was no worker to kill"
    trial.until(lambda move: trial.is_true(move, since))
    seconds = time.monotonic() - killed
    trial.until(lambda move: move["state"] in ENDED)
    return seconds


def cancelled(stage: Stage, lab: Lab) -> tuple[float, float]:
    """Give a running move up; answer the ms until it is shown as being given up, and the s until it is proven."""
    trial = Trial(stage, lab)
    wait_for_board(stage, lab)
    trial.ask()
    _copying(trial)
    asked = time.monotonic()
    rest(stage, "POST", f"/migrations/{trial.id}/cancel", {})
    trial.until(lambda move: move["state"] in {"cancelling", "verifying", *ENDED})
    acknowledged = (time.monotonic() - asked) * 1000
    ended = trial.until(lambda move: move["state"] in ENDED)
    proven = time.monotonic() - asked
    place = trial.source if ended["state"] == "cancelled" else trial.target
    assert running_on(lab, UUID) == [place], ended["state"]
    return acknowledged, proven


def measure(stage: Stage, lab: Lab, figures: Figures) -> None:
    """Kill at six phases, ten times each, in turns; then give ten moves up."""
    by_phase: dict[str, list[float]] = {phase: [] for phase in PHASES}
    for _ in range(TIMES):
        for phase, reach in PHASES.items():
            by_phase[phase].append(crash_to_truth(stage, lab, reach))
    samples = [seconds for each in by_phase.values() for seconds in each]
    worst = ", ".join(f"{phase} {max(each):.1f}" for phase, each in by_phase.items())
    figures.add(
        "crash_to_truth_p95_s",
        percentile(samples, 0.95),
        samples,
        bound=5,
        what=f"kill -9 of worker and horse until the board is true again, s; the longest by phase: {worst}",
    )
    answers = [cancelled(stage, lab) for _ in range(TIMES)]
    figures.add(
        "cancel_acknowledged_p95_ms",
        percentile([each[0] for each in answers], 0.95),
        [each[0] for each in answers],
        bound=1000,
        what="cancel asked for until the move is shown as being given up, ms",
    )
    figures.add(
        "cancel_proven_p95_s",
        percentile([each[1] for each in answers], 0.95),
        [each[1] for each in answers],
        what="cancel asked for until both hosts prove where the VM stayed, s",
    )
