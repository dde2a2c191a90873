"""What it costs to measure how fast VMs change: the same looks at the same hosts, with it and without, in turns.

Harsher than real use, where each VM is measured once a minute: here its turn comes again at once.
"""

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from unittest import mock

from tests.bench.figures import Figures
from xenweb.core.facts import PowerState
from xenweb.drivers.contract import Endpoint, VmSnapshot
from xenweb.drivers.libvirt_driver import dirty_rates
from xenweb.drivers.libvirt_driver.driver import LibvirtDriver
from xenweb.lab.qemu.guests import BEAT_MS
from xenweb.lab.qemu.heartbeat import is_gap_free, is_undamaged, longest_pause_ms
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage

ROUNDS = 4
LOOKS = 6
LOOK_EVERY = 1.0
LISTENED_TO = ("hot-db", "web-1", "cache-1", "git-1")


@dataclass
class Arm:
    """One way of looking, and what it cost. ``ours`` is CPU ms a look, ``theirs`` CPU ms of all guests a second."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)


def running_time(vms: list[VmSnapshot]) -> float:
    """Sum the CPU time of the VMs that run, in ms."""
    return sum((vm.cpu_time or 0) / 1e6 for vm in vms if vm.state is PowerState.RUNNING)


def looks(driver: LibvirtDriver, endpoints: list[Endpoint], lab: Lab, arm: Arm) -> None:
    """Look at all hosts a few times while the guests are listened to."""

    def look() -> list[VmSnapshot]:
        return [vm for endpoint in endpoints for vm in driver.inventory(endpoint).vms]

    with ExitStack() as stack:
        heartbeats = [stack.enter_context(lab.watch(guest)) for guest in LISTENED_TO]
        used, began = running_time(look()), time.monotonic()
        for _ in range(LOOKS):
            before = time.process_time()
            vms = look()
            time.sleep(LOOK_EVERY)
            # Threads that a look has set to work are part of what it costs.
            arm.ours.append((time.process_time() - before) * 1000)
        arm.theirs.append((running_time(vms) - used) / (time.monotonic() - began))
        for heartbeat in heartbeats:
            arrivals = heartbeat.arrivals()
            said = [arrival.beat for arrival in arrivals]
            assert is_gap_free(said), "a guest lost a beat"
            assert is_undamaged(said), "a guest lost memory"
            arm.pauses.append(longest_pause_ms(arrivals, BEAT_MS) or 0.0)


def measure(stage: Stage, lab: Lab, figures: Figures) -> None:
    """Look with and without measuring, in turns, and compare."""
    del stage
    driver = LibvirtDriver()
    endpoints = [Endpoint(number, host.name, host.uri) for number, host in enumerate(lab.hosts)]
    measuring, plain = Arm(), Arm()
    with mock.patch.object(dirty_rates, "AGAIN_AFTER", 0.0):
        for endpoint in endpoints:
            driver.inventory(endpoint)
        for turn in range(ROUNDS):
            for arm in (measuring, plain) if turn % 2 == 0 else (plain, measuring):
                if arm is measuring:
                    looks(driver, endpoints, lab, arm)
                else:
                    with mock.patch.object(driver._dirty_rates, "next_turn"):
                        looks(driver, endpoints, lab, arm)
        known = [rate for endpoint in endpoints for rate in driver._dirty_rates.of(endpoint.uri)]
    assert known, "nothing was measured"
    more = statistics.median(measuring.ours) - statistics.median(plain.ours)
    figures.add(
        "dirty_rate_look_ms", more, measuring.ours, what="CPU that measuring adds to looking at three hosts, ms"
    )
    figures.add("plain_look_ms", statistics.median(plain.ours), plain.ours, what="CPU of the same looks without, ms")
    figures.add(
        "dirty_rate_guest_cpu_ratio",
        statistics.median(measuring.theirs) / statistics.median(plain.theirs),
        measuring.theirs,
        what="CPU of all guests while some are measured, over without",
    )
    figures.add(
        "dirty_rate_guest_pause_ms",
        max(measuring.pauses) - max(plain.pauses),
        measuring.pauses,
        what="longest pause between two beats of four guests while measured, less without, ms",
    )
