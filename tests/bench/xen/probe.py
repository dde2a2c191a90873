"""What the probe costs a move: the same guest to and fro, with the relay in the save helper's place and without.

Both hosts have their libvirt started anew before each pair of moves, one pair with the relay and the next without,
so that whatever else changes on the machine meanwhile meets both alike.
"""

import statistics
import time
from contextlib import closing

import libvirt

from tests.bench.figures import Figures
from xenweb.lab.stage import passing_stage
from xenweb.lab.xen.guests import GuestSpec
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.layout import HOSTS
from xenweb.probe.recipe import PROGRAM

GUEST = GuestSpec("mover", "xen-1", memory=192, span=16, rate=4)
PAIRS = 8
BOUND = 1.02
FLAGS = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER


def measure(figures: Figures) -> None:
    """Make the moves on a stage of their own, and add the figure."""
    with passing_stage("p", workers=1, kind="xen", xen_guests=(GUEST,)) as stage:
        lab = Lab(stage.lab, (GUEST,))
        _move_to_and_fro(lab)  # the first move of a host takes longer
        took: dict[bool, list[float]] = {True: [], False: []}
        for number in range(PAIRS):
            for is_on in (True, False) if number % 2 else (False, True):
                _switch(lab, is_on=is_on)
                took[is_on] += _move_to_and_fro(lab)
                print(f"probe {'on ' if is_on else 'off'} {took[is_on][-2]:.2f} s {took[is_on][-1]:.2f} s", flush=True)
    ratios = [on / off for on, off in zip(took[True], took[False], strict=True)]
    value = statistics.median(took[True]) / statistics.median(took[False])
    figures.add("probe_total_ratio", value, ratios, bound=BOUND, what="time of a move with the probe, to one without")
    for name, is_on in (("probe_on_s", True), ("probe_off_s", False)):
        figures.add(name, statistics.median(took[is_on]), took[is_on], what="seconds of one move, middle of all")


def _switch(lab: Lab, *, is_on: bool) -> None:
    word = f"LIBXL_SAVE_HELPER={PROGRAM}\n" if is_on else ""
    for host in HOSTS:
        lab.put(host.name, "/etc/default/libvirtd", word.encode())
        lab.daemon(host.name, "kill")
        lab.daemon(host.name, "start")


def _move_to_and_fro(lab: Lab) -> list[float]:
    return [_moved(lab) for _ in HOSTS]


def _moved(lab: Lab) -> float:
    """Move the guest to the other host by libvirt alone; answer how many seconds the call took."""
    [source] = lab.where(GUEST.name)
    target = next(host for host in lab.hosts if host.name != source)
    with closing(libvirt.open(lab.uri(source))) as connection:
        guest = connection.lookupByName(GUEST.name)
        began = time.monotonic()
        guest.migrateToURI3(f"xen+tcp://{target.migration_address}/system", {}, FLAGS)
        took = time.monotonic() - began
    while set(lab.where(GUEST.name)) != {target.name}:
        time.sleep(0.2)
    return took
