"""The target's daemon dies when its copy runs already, and before it could say so: libvirt lets the source go on.

What keeps the VM from running twice then is its lease, and nothing else.
"""

import os
import random
import signal
import time
from contextlib import closing

import libvirt
import pytest

from tests.bounce.witness import running_on
from tests.chaos.scene import ENDED, UUIDS, Scene, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

VM = "ldap-1"
"""Without a disk no lock of QEMU's own helps either."""

HITS, TRIES = 2, 20
LATEST_KILL_S = 0.006


def kill_daemon_when_it_runs(scene: Scene, target: str, delay: float) -> None:
    """Kill the target's daemon as soon as it tells that its copy runs, or a few milliseconds later."""
    [daemon] = scene.daemon_of(target)
    deadline = time.monotonic() + 30
    with closing(libvirt.open(scene.lab.uri(target))) as connection:
        while not _runs(connection):
            assert time.monotonic() < deadline, f"{VM} never ran on {target}"
            time.sleep(0.0003)
    time.sleep(delay)
    os.kill(daemon, signal.SIGKILL)


def _runs(connection: libvirt.virConnect) -> bool:
    try:
        return bool(connection.lookupByUUIDString(UUIDS[VM]).state()[0] == libvirt.VIR_DOMAIN_RUNNING)
    except libvirt.libvirtError:
        return False


def hand_over(scene: Scene, delay: float) -> tuple[bool, str]:
    """Move the VM and kill the daemon; answer whether the source was left standing, and how the move ended."""
    source, target = scene.where(VM), scene.elsewhere(VM)
    migration = scene.ask(VM, target, bandwidth_limit=None)
    kill_daemon_when_it_runs(scene, target, delay)
    scene.lab.daemon(target, "kill")  # it is dead: the lab learns it
    time.sleep(0.5)
    scene.lab.daemon(target, "start")

    def is_decided() -> bool:
        seen = scene.move(migration)
        return seen["state"] in ENDED or bool(seen["offers"])

    until(is_decided, 60, "an end, or an offer")
    seen = scene.move(migration)
    is_hit = seen["state"] not in ENDED
    if is_hit:
        assert [offer["kind"] for offer in seen["offers"]] == ["remove_source_copy"], seen
        assert running_on(scene.lab, UUIDS[VM]) == [target]
        scene.choose(migration, "remove_source_copy")
    ended = scene.until_ended(migration)
    assert not is_hit or ended["state"] == "done"
    home, other = (target, source) if ended["state"] == "done" else (source, target)
    scene.expect_on(home, VM)
    until(lambda: not scene.qemu_of(other, VM), 15, f"nothing left on {other}")
    scene.expect_one_call_and_outcome(migration, ended["state"])
    return is_hit, ended["state"]


@pytest.mark.fault("F56")
def test_f56_the_targets_daemon_dies_in_the_hand_over_and_the_vm_runs_once(scene: Scene) -> None:
    dice, ends = random.Random(56), []
    while sum(is_hit for is_hit, _ in ends) < HITS and len(ends) < TRIES:
        ends.append(hand_over(scene, dice.uniform(0, LATEST_KILL_S)))
        scene.settle()
    hits = sum(is_hit for is_hit, _ in ends)
    scene.hear(f"{len(ends)} daemons killed, {hits} before they had answered: each time one copy stood still")
    assert hits >= HITS, f"the moment was never met: {ends}"
