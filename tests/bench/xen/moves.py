"""Moves on the Xen lab by REST, one after the other, each waited for."""

import time
from typing import Any

from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage, StageError

MOVE_WITHIN = 180.0
SETTLE_WITHIN = 60.0
ENDED = frozenset({"done", "failed", "cancelled"})


def moved(stage: Stage, name: str) -> dict[str, Any]:
    """Move a guest to the other host; answer the move, proven."""
    vm = _settled(stage, name)
    [target] = [host["id"] for host in rest(stage, "GET", "/hosts")["items"] if host["id"] != vm["resident_on"]]
    move = _asked(stage, {"vm": str(vm["id"]), "target": str(target), "options": {"guard": False}})
    deadline = time.monotonic() + MOVE_WITHIN
    while move["state"] not in ENDED and time.monotonic() < deadline:
        time.sleep(0.2)
        move = rest(stage, "GET", f"/migrations/{move['id']}")
    assert move["state"] == "done", f"{name}: {move['state']} {move['failure_sentence']}"
    return dict(move)


def _asked(stage: Stage, wish: dict[str, Any]) -> dict[str, Any]:
    """Ask for a move, again while the board does not know yet that hosts answer and what storage they reach."""
    deadline = time.monotonic() + SETTLE_WITHIN
    while True:
        try:
            return dict(rest(stage, "POST", "/migrations", wish))
        except StageError as error:
            if "not_placeable" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


def _settled(stage: Stage, name: str) -> dict[str, Any]:
    """Wait until the board shows that a guest runs and does not move."""
    deadline = time.monotonic() + SETTLE_WITHIN
    while time.monotonic() < deadline:
        vm = named(rest(stage, "GET", "/vms")["items"], name)
        if vm["migration"] is None and vm["state"] == "running" and vm["resident_on"]:
            return vm
        time.sleep(0.2)
    msg = f"the board does not settle for {name}"
    raise AssertionError(msg)
