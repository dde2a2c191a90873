"""How far forecasts of real moves are off: each is stored before its call, and judged by what libvirt measured.

Guests of their own, from idle to nearly too busy, on a lab whose links have different speeds. Each guest
is first moved twice so that there is something to learn from; those moves are reported apart, as are the
first ones after the links were changed. Then come the judged ones, in random order from a printed seed.
Every move counts: one that a forecast said would never end, and that did, is off by the whole.
"""

import random
import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from tests.bench.figures import Figures, percentile
from xenweb.core.quantities import MIB
from xenweb.lab.qemu.guests import GuestSpec
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage, passing_stage

SEED = 20_260_731
GUESTS = (
    GuestSpec("idle-48", "host-a", "idle", memory=96, fill=48),
    GuestSpec("idle-100", "host-b", "idle, much data", memory=128, fill=100),
    GuestSpec("calm-24", "host-c", "changes little", memory=64, fill=24, span=4, rate=20),
    GuestSpec("calm-64", "host-a", "changes little", memory=128, fill=64, span=8, rate=128),
    GuestSpec("slow-96", "host-b", "changes slowly over much", memory=128, fill=80, span=16, rate=256),
    GuestSpec("wide-48", "host-c", "changes all over", memory=128, fill=16, span=48, rate=768),
    GuestSpec("busy-32", "host-a", "busy", memory=128, fill=48, span=32, rate=512),
    GuestSpec("busy-16", "host-b", "busy", memory=128, fill=32, span=16, rate=512),
    GuestSpec("fast-24", "host-c", "changes fast", memory=128, fill=24, span=24, rate=1024),
    GuestSpec("fast-8", "host-a", "changes fast in a small set", memory=128, fill=40, span=8, rate=1024),
    GuestSpec("hot-2", "host-b", "changes very fast in a tiny set", memory=128, fill=64, span=2, rate=2048),
    GuestSpec("hot-1", "host-c", "changes very fast in a tiny set", memory=64, fill=40, span=1, rate=1024),
)
KNOBS = {guest.name: guest for guest in GUESTS}
LINKS = (
    {"host-a": "240mbit", "host-b": "160mbit", "host-c": "120mbit"},
    {"host-a": "120mbit", "host-b": "240mbit", "host-c": "200mbit"},
)
PAIRS = (("host-a", "host-b"), ("host-b", "host-c"), ("host-a", "host-c"))
LIMITS_MIB = (None, None, 6, 9, 12)
"""The copy speed limits with which each guest's judged moves are asked for, MiB/s."""

P90_BOUND = 0.12
"""The best that was published for KVM: Nathan, Bellur and Kulkarni, SoCC 2015."""

MOVE_WITHIN = 120.0
SETTLE = 0.3
ENDED = frozenset({"done", "failed", "cancelled"})
PARTS = ("start", "first_pass", "later_passes", "pause", "finish")

Kind = Literal["cold", "learning", "new_link", "judged"]


@dataclass(frozen=True)
class Wish:
    """One move that is to be made; what it leaves open is drawn when its turn comes."""

    kind: Kind
    guest: str | None = None
    between: tuple[str, str] | None = None
    limit_mib: int | None = None


@dataclass
class Sample:
    """One move: its conditions, what was said before the call, and what was measured. Times are ms."""

    kind: Kind
    guest: str
    source: str
    target: str
    links: dict[str, str]
    limit_mib: int | None
    migration: dict[str, Any] = field(repr=False)

    @property
    def forecast(self) -> dict[str, Any]:
        """Answer what was stored before the call."""
        return dict(self.migration["forecast"])

    @property
    def total(self) -> float:
        """Answer what libvirt measured."""
        assert self.migration["total_ms"]["provenance"] == "measured"
        return float(self.migration["total_ms"]["value"])

    @property
    def error(self) -> float:
        """Say how far the likely total was off, as a share of the measured one."""
        said = self.forecast["total"]
        return 1.0 if said is None else abs(said["likely_ms"] - self.total) / self.total

    @property
    def is_hit(self) -> bool:
        """Say whether the total fell into the interval."""
        said = self.forecast["total"]
        return said is not None and said["low_ms"] <= self.total <= said["high_ms"]

    @property
    def came(self) -> dict[str, float]:
        """Say where the time went: the last pass that an event tells of begins when the VM stands still.

        Empty where fewer than two passes are known: a lost event leaves nothing to part the time by.
        """
        starts = [each["started_ms"] for each in self.migration["passes"]]
        if len(starts) < 2:
            return {}
        pause = float(self.migration["downtime_ms"]["value"])
        values = (starts[0], starts[1] - starts[0], starts[-1] - starts[1], pause, self.total - starts[-1] - pause)
        return dict(zip(PARTS, values, strict=True))

    @property
    def off(self) -> dict[str, float]:
        """Say for each part how much too long (or, negative, too short) it was forecast."""
        said = self.forecast["parts"]
        return {} if said is None else {part: said[f"{part}_ms"] - came for part, came in self.came.items()}

    @property
    def proof(self) -> float:
        """Say how long it took, besides what libvirt measured, to make the call and prove where the VM is."""
        began, ended = (datetime.fromisoformat(self.migration[name]) for name in ("started_at", "ended_at"))
        return (ended - began).total_seconds() * 1000 - self.total

    @property
    def row(self) -> dict[str, Any]:
        """Answer the raw sample for the file."""
        knobs = KNOBS[self.guest]
        return {
            "kind": self.kind,
            "guest": self.guest,
            "memory_mib": knobs.memory,
            "fill_mib": knobs.fill,
            "working_set_mib": knobs.span,
            "dirty_pages_per_s": knobs.rate,
            "source": self.source,
            "target": self.target,
            "link": [self.links[self.source], self.links[self.target]],
            "limit_mib_per_s": self.limit_mib,
            "forecast": self.forecast,
            "total_ms": self.total,
            "passes": len(self.migration["passes"]),
            "error": round(self.error, 4),
            "hit": self.is_hit,
            "came_ms": self.came,
            "off_ms": self.off,
            "proof_ms": self.proof,
        }

    @property
    def line(self) -> str:
        """Say one move in one line."""
        said = self.forecast["total"]
        words = "never" if said is None else f"{said['low_ms']}..{said['likely_ms']}..{said['high_ms']}"
        way = f"{self.source[-1]}>{self.target[-1]} limit {self.limit_mib or '-':>2}"
        miss = "" if self.is_hit else "  not in the interval"
        what = f"{self.kind:<9}{self.guest:<9}{way}"
        return f"{what}  said {words:>19} came {self.total:>6.0f} ms  off {self.error:.3f}{miss}"


class Mover:
    """Makes the moves, one after the other, and remembers what came of each."""

    def __init__(self, stage: Stage, draw: random.Random) -> None:
        self.stage, self.draw = stage, draw
        self.lab = Lab(stage.lab, GUESTS)
        self.hosts = {host["name"]: host["id"] for host in rest(stage, "GET", "/hosts")["items"]}
        self.names = {host: name for name, host in self.hosts.items()}
        self.links: dict[str, str] = {}
        self.samples: list[Sample] = []

    def set_links(self, links: dict[str, str]) -> None:
        """Give every host's link its speed."""
        for host, rate in links.items():
            self.lab.rate(host, rate)
        self.links = links

    def make(self, wish: Wish) -> None:
        """Move a guest to another host and wait for the proof."""
        vm, target = self._drawn(wish)
        limit = None if wish.limit_mib is None else wish.limit_mib * MIB
        body = {"vm": str(vm["id"]), "target": str(self.hosts[target]), "options": {"bandwidth_limit": limit}}
        move = rest(self.stage, "POST", "/migrations", body)
        deadline = time.monotonic() + MOVE_WITHIN
        while move["state"] not in ENDED and time.monotonic() < deadline:
            time.sleep(0.1)
            move = rest(self.stage, "GET", f"/migrations/{move['id']}")
        assert move["state"] == "done", f"{vm['name']}: {move['state']} {move['failure_sentence']}"
        source = self.names[vm["resident_on"]]
        self.samples.append(Sample(wish.kind, vm["name"], source, target, self.links, wish.limit_mib, move))
        print(self.samples[-1].line, flush=True)

    def _drawn(self, wish: Wish) -> tuple[dict[str, Any], str]:
        """Settle which guest goes where; the small host may have no room for one more."""
        vms = self._settled()
        ends = wish.between or tuple(self.hosts)
        chances = [
            (vm, target)
            for vm in sorted(vms, key=lambda each: str(each["name"]))
            if wish.guest in {None, vm["name"]} and self.names[vm["resident_on"]] in ends
            for target in self._places(vm)
            if target in ends
        ]
        return self.draw.choice(chances)

    def _places(self, vm: dict[str, Any]) -> list[str]:
        """List the hosts that can take a guest."""
        verdicts = rest(self.stage, "GET", f"/vms/{vm['id']}/verdicts")["verdicts"]
        can = [self.names[each["host"]] for each in verdicts if each["answer"] != "cannot_go"]
        return sorted(set(can) - {self.names[vm["resident_on"]]})

    def _settled(self) -> list[dict[str, Any]]:
        """Wait until the board shows all guests running, and nothing under way."""
        time.sleep(SETTLE)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            vms: list[dict[str, Any]] = rest(self.stage, "GET", "/vms")["items"]
            if all(vm["migration"] is None and vm["state"] == "running" and vm["resident_on"] for vm in vms):
                return vms
            time.sleep(0.1)
        msg = "the board does not settle"
        raise AssertionError(msg)


def shuffled(draw: random.Random, wishes: Iterable[Wish]) -> list[Wish]:
    """Put wishes into random order."""
    order = list(wishes)
    draw.shuffle(order)
    return order


def programme(draw: random.Random) -> tuple[list[Wish], list[Wish]]:
    """Lay out all moves: one list for each setting of the links."""
    cold = shuffled(draw, (Wish("cold", guest.name) for guest in GUESTS))
    again = shuffled(draw, (Wish("learning", guest.name) for guest in GUESTS))
    judged = shuffled(draw, (Wish("judged", guest.name, limit_mib=limit) for guest in GUESTS for limit in LIMITS_MIB))
    new_link = [Wish("new_link", between=pair) for pair in PAIRS]
    half = len(judged) // 2
    return [*cold, *again, *judged[:half]], [*new_link, *judged[half:]]


def measure(figures: Figures) -> None:
    """Make all moves on a stage of their own, and add the figures."""
    print(f"forecast: seed {SEED}", flush=True)
    draw = random.Random(SEED)
    with passing_stage("f", workers=1, guests=GUESTS) as stage:
        mover = Mover(stage, draw)
        for links, wishes in zip(LINKS, programme(draw), strict=True):
            mover.set_links(links)
            for wish in wishes:
                mover.make(wish)
    add(figures, mover.samples)


def add(figures: Figures, samples: list[Sample]) -> None:
    """Make figures of the samples, and say where the error of the judged ones comes from."""
    by_kind = {
        kind: [each for each in samples if each.kind == kind] for kind in ("cold", "learning", "new_link", "judged")
    }
    judged = by_kind["judged"]
    errors = [each.error for each in judged]
    hits = [float(each.is_hit) for each in judged]
    figures.add(
        "forecast_qemu_p90_error",
        percentile(errors, 0.9),
        errors,
        bound=P90_BOUND,
        what="likely total, forecast before the call, off by this share of the measured one: 9 in 10 moves",
    )
    figures.add("forecast_qemu_median_error", statistics.median(errors), errors, what="the same, of half the moves")
    figures.add("forecast_qemu_interval_hit_share", sum(hits) / len(hits), hits, what="totals within their interval")
    for key, kind, what in (
        ("forecast_qemu_cold_p90_error", "cold", "first move of a VM, not judged above"),
        ("forecast_qemu_second_p90_error", "learning", "second move of a VM, not judged above"),
        ("forecast_qemu_new_link_p90_error", "new_link", "first moves after the links were changed, not judged above"),
    ):
        apart = [each.error for each in by_kind[kind]]
        figures.add(key, percentile(apart, 0.9), apart, what=what)
    for part in PARTS:
        shares = [abs(each.off[part]) / each.total for each in judged if each.off]
        figures.add(
            f"forecast_qemu_off_{part}_p90",
            percentile(shares, 0.9),
            shares,
            what=f"of which {part.replace('_', ' ')}: off by this share of the whole move",
        )
    proofs = [each.proof for each in judged]
    figures.add(
        "forecast_qemu_proof_ms", statistics.median(proofs), proofs, what="making the call and proving, not forecast"
    )
    figures.keep("forecast", [each.row for each in samples])
