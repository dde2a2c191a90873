"""What xenweb adds to a move: the same guest, by xenweb and by virsh, in turns."""

import statistics
import subprocess
import time
from datetime import datetime

from tests.bench.figures import Figures, percentile
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import named, rest
from xenweb.lab.stage import Stage

GUEST = "web-2"
BANDWIDTH_MIB = 8
PAIRS = 10
RESIDENCES = ("host-a", "host-b")
SETTLE = 1.0
ENDED = {"done", "failed", "cancelled"}


def elsewhere(lab: Lab) -> tuple[str, str]:
    """Answer where the guest is, and where it goes next."""
    source = lab.where(GUEST)
    assert source is not None
    return source, next(host for host in RESIDENCES if host != source)


def by_virsh(lab: Lab) -> float:
    """Move the guest with virsh; answer the seconds that the command took."""
    source, target = elsewhere(lab)
    words = ["virsh", "-c", lab.uri(source), "migrate", "--live", "--p2p", "--persistent", "--undefinesource"]
    words += ["--abort-on-error", "--bandwidth", str(BANDWIDTH_MIB)]
    address = lab.host(target).migration_address
    words += [GUEST, lab.uri(target), "--migrateuri", f"tcp://{address}", "--listen-address", address]
    began = time.monotonic()
    subprocess.run(words, check=True, capture_output=True)
    return time.monotonic() - began


def by_xenweb(stage: Stage, lab: Lab) -> tuple[float, float]:
    """Move the guest by REST; answer the seconds until it was proven, and those until the call."""
    _, target = elsewhere(lab)
    vm = named(rest(stage, "GET", "/vms")["items"], GUEST)
    host = named(rest(stage, "GET", "/hosts")["items"], target)
    options = {"bandwidth_limit": BANDWIDTH_MIB * 1024 * 1024}
    clicked = time.time()
    move = rest(stage, "POST", "/migrations", {"vm": str(vm["id"]), "target": str(host["id"]), "options": options})
    while move["state"] not in ENDED:
        time.sleep(0.25)  # the row keeps the moments; asking often would only load the machine
        move = rest(stage, "GET", f"/migrations/{move['id']}")
    assert move["state"] == "done", move["failure_sentence"]
    ended = datetime.fromisoformat(move["ended_at"]).timestamp()
    called = datetime.fromisoformat(move["started_at"]).timestamp()
    return ended - clicked, called - clicked


def measure(stage: Stage, lab: Lab, figures: Figures) -> None:
    """Move to and fro, by both in turns, and compare."""
    ours: list[float] = []
    virsh: list[float] = []
    calls: list[float] = []
    for turn in range(PAIRS):
        # ABBA: a drift of the machine's load touches both alike.
        for is_ours in (True, False) if turn % 2 == 0 else (False, True):
            if is_ours:
                total, call = by_xenweb(stage, lab)
                ours.append(total)
                calls.append(call * 1000)
            else:
                virsh.append(by_virsh(lab))
            wait_for_board(stage, lab)
    ratios = [a / b for a, b in zip(ours, virsh, strict=True)]
    figures.add(
        "move_total_ratio_vs_virsh",
        statistics.median(ours) / statistics.median(virsh),
        ratios,
        bound=1.05,
        what="click to proven, over the run time of virsh migrate --live --p2p (medians)",
    )
    figures.add("move_total_s", statistics.median(ours), ours, what="click to proven on both hosts, s")
    figures.add("virsh_total_s", statistics.median(virsh), virsh, what="virsh migrate, s")
    figures.add(
        "click_to_call_p95_ms",
        percentile(calls, 0.95),
        calls,
        what="POST sent until the intent of the call is stored, right before the call, ms",
    )


def wait_for_board(stage: Stage, lab: Lab) -> None:
    """Wait until the board knows where the guest is; the next move is judged by it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        where = lab.where(GUEST)
        vm = named(rest(stage, "GET", "/vms")["items"], GUEST)
        hosts = {host["id"]: host["name"] for host in rest(stage, "GET", "/hosts")["items"]}
        if hosts.get(vm["resident_on"]) == where and vm["migration"] is None and vm["state"] == "running":
            time.sleep(SETTLE)
            return
        time.sleep(0.05)
    msg = "the board does not follow the hypervisors"
    raise AssertionError(msg)
