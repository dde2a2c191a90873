"""How far forecasts of real moves on Xen are off: each is stored before its call, and judged by what was measured.

Guests of their own, from idle to busy. Each is first moved twice so that there is something to learn from; those moves
are reported apart. Then come the judged ones, in random order from a printed seed. Every move counts: one that a
forecast said would never end, and that did, is off by the whole.

The guests are so large that most of a move is its copying: of one that lasts 6 s, what nobody can foretell on a shared
machine is a third. Their hosts need 9 GiB of free memory here.
"""

import random
import statistics
import time
from typing import Any

from tests.bench.figures import Figures, percentile
from tests.bench.xen.moves import moved
from xenweb.lab.stage import Stage, passing_stage
from xenweb.lab.xen.guests import GuestSpec

SEED = 20_261_127
GUESTS = (
    GuestSpec("calm-320", "xen-1", memory=320, span=2, rate=0),
    GuestSpec("slow-320", "xen-2", memory=320, span=16, rate=2),
    GuestSpec("busy-384", "xen-1", memory=384, span=24, rate=8),
    GuestSpec("hot-384", "xen-2", memory=384, span=4, rate=24),
    GuestSpec("wide-448", "xen-1", memory=448, span=64, rate=8),
)
LEARNING = 2
JUDGED = 6
WITHIN = 660.0
"""Seconds after which no further move is judged; the order is random, so those that are left out are any."""

P90_BOUND = 0.19
"""The best that was published for Xen."""


def measure(figures: Figures) -> None:
    """Make all moves on a stage of their own, and add the figures."""
    print(f"forecast on Xen: seed {SEED}", flush=True)
    draw = random.Random(SEED)
    judged = [guest.name for guest in GUESTS for _ in range(JUDGED)]
    draw.shuffle(judged)
    learnt: list[dict[str, Any]] = []
    moves: list[dict[str, Any]] = []
    with passing_stage("f", workers=1, kind="xen", xen_guests=GUESTS) as stage:
        try:
            learnt += (_moved(stage, guest.name) for _ in range(LEARNING) for guest in GUESTS)
            until = time.monotonic() + WITHIN
            moves += (_moved(stage, name) for name in judged if time.monotonic() < until)
        finally:
            if moves:
                _add(figures, learnt, moves)


def _add(figures: Figures, learnt: list[dict[str, Any]], moves: list[dict[str, Any]]) -> None:
    errors = [_error(move) for move in moves]
    figures.add(
        "forecast_xen_p90_error",
        percentile(errors, 0.9),
        errors,
        bound=P90_BOUND,
        what="likely total, forecast before the call, off by this share of the measured one: 9 in 10 moves",
    )
    figures.add("forecast_xen_median_error", statistics.median(errors), errors, what="the same, of half the moves")
    hits = [float(_is_hit(move)) for move in moves]
    figures.add("forecast_xen_interval_hit_share", sum(hits) / len(hits), hits, what="totals within their interval")
    apart = [_error(move) for move in learnt]
    what = "first two moves of each VM, not judged above"
    figures.add("forecast_xen_learning_p90_error", percentile(apart, 0.9), apart, what=what)
    figures.keep("forecast_xen", [{"vm": move["vm_name"], **_figures_of(move)} for move in (*learnt, *moves)])


def _moved(stage: Stage, name: str) -> dict[str, Any]:
    move = moved(stage, name)
    assert move["total_ms"]["provenance"] == "measured"
    print(f"{name:<10}{_figures_of(move)}", flush=True)
    return move


def _said(move: dict[str, Any]) -> dict[str, Any] | None:
    total: dict[str, Any] | None = (move["forecast"] or {}).get("total")
    return total


def _error(move: dict[str, Any]) -> float:
    said, total = _said(move), float(move["total_ms"]["value"])
    return 1.0 if said is None else abs(said["likely_ms"] - total) / total


def _is_hit(move: dict[str, Any]) -> bool:
    said = _said(move)
    return said is not None and said["low_ms"] <= move["total_ms"]["value"] <= said["high_ms"]


def _figures_of(move: dict[str, Any]) -> dict[str, Any]:
    return {
        "said_ms": _said(move),
        "total_ms": move["total_ms"]["value"],
        "passes": len(move["passes"]),
        "error": round(_error(move), 3),
    }
