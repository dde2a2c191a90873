"""What the probe costs a move: the same guest to and fro, with the relay in the save helper's place and without.

What libxl starts is a link that leads to the relay for one move and to Xen's own helper for the next, so nothing is
started anew in between. A round is four moves in turns (with, without, without, with; the next round the other way
round): each way once with and once without. Its ratio is that of the two sums, so neither the direction nor a machine
that slowly gets busier or idler tells in it. The moves are libvirt's own, without the product.

Most of what the probe costs is the same whatever the guest's size: it is started, and woken at the moments that matter.
That is told beside the ratio in seconds, those of an emulated CPU, on which to start a shell alone takes 12 ms. The
guest is so large that its move lasts about as long as that of a few GiB between real hosts.
"""

import statistics
import time
from contextlib import closing
from typing import Final

import libvirt

from tests.bench.figures import Figures, percentile
from tests.bench.xen.grounds import passing_lab
from xenweb.lab.xen.guests import GuestSpec
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.layout import HOSTS
from xenweb.probe.recipe import PROGRAM

GUEST: Final = GuestSpec("mover", "xen-1", memory=768, span=16, rate=4)
ROUNDS: Final = 12
BOUND: Final = 1.02
FLAGS: Final = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER
SETTLES_WITHIN: Final = 4.0
"""Seconds before each move, in which the probe does what it does after a move: that must tell in no other move."""

KEY: Final = "7c" * 32
LINK: Final = "/lab/switch/xenweb-probe"
HELPER: Final = "/usr/lib/xen-4.17/bin/libxl-save-helper"
ON_OFF: Final = (True, False, False, True)
"""With the relay or without, in the four moves of a round: each way once with it and once without."""


def measure(figures: Figures) -> None:
    """Make the moves on a lab of their own, and add the figures of all whole rounds."""
    took: dict[bool, list[float]] = {True: [], False: []}
    ratios: list[float] = []
    with passing_lab("p", (GUEST,)) as lab:
        _put_link(lab)
        for is_on in ON_OFF:  # the first moves of a host take longer
            _moved(lab, is_on=is_on)
        try:
            for number in range(ROUNDS):
                _round(lab, number, took, ratios)
        finally:
            if ratios:
                _add(figures, took, ratios)


def _round(lab: Lab, number: int, took: dict[bool, list[float]], ratios: list[float]) -> None:
    order = [is_on == (number % 2 == 0) for is_on in ON_OFF]
    seconds = [_moved(lab, is_on=is_on) for is_on in order]
    for is_on, each in zip(order, seconds, strict=True):
        took[is_on].append(each)
    ratios.append(_sum(seconds, order, is_on=True) / _sum(seconds, order, is_on=False))
    said = ", ".join(f"{'on' if on else 'off'} {each:.2f}" for on, each in zip(order, seconds, strict=True))
    print(f"probe round {number + 1}: {said} s; middle ratio {statistics.median(ratios):.3f}", flush=True)


def _add(figures: Figures, took: dict[bool, list[float]], ratios: list[float]) -> None:
    figures.add(
        "probe_total_ratio",
        statistics.median(ratios),
        ratios,
        bound=BOUND,
        what="time of moves with the probe to those without, in rounds of four: middle of all rounds",
    )
    for name, share in (("low", 0.25), ("high", 0.75)):
        what = f"the same ratio, {'lower' if share < 1 / 2 else 'upper'} quartile of the rounds"
        figures.add(f"probe_total_ratio_{name}", percentile(ratios, share), ratios, what=what)
    costs = [(on - off) / 2 for on, off in zip(_of_rounds(took[True]), _of_rounds(took[False]), strict=True)]
    what = "seconds that a move takes longer, middle of all rounds"
    figures.add("probe_cost_s", statistics.median(costs), costs, what=what)
    for name, is_on in (("probe_on_s", True), ("probe_off_s", False)):
        figures.add(name, statistics.median(took[is_on]), took[is_on], what="seconds of one move, middle of all")


def _of_rounds(seconds: list[float]) -> list[float]:
    """Add up the two moves of each round."""
    return [sum(pair) for pair in zip(seconds[::2], seconds[1::2], strict=True)]


def _sum(seconds: list[float], order: list[bool], *, is_on: bool) -> float:
    return sum(each for each, was_on in zip(seconds, order, strict=True) if was_on is is_on)


def _put_link(lab: Lab) -> None:
    for host in HOSTS:
        lab.probe(host.name, KEY)
        lab.put(host.name, "/etc/default/libvirtd", f"LIBXL_SAVE_HELPER={LINK}\n".encode())
        lab.run(host.name, f"mkdir -p $(dirname {LINK})")
        lab.daemon(host.name, "kill")
        lab.daemon(host.name, "start")


def _moved(lab: Lab, *, is_on: bool) -> float:
    """Move the guest to the other host by libvirt alone; answer how many seconds the call took."""
    for host in HOSTS:
        lab.run(host.name, f"ln -sfn {PROGRAM if is_on else HELPER} {LINK}")
    time.sleep(SETTLES_WITHIN)
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
