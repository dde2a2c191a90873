"""The list of faults: what each is, and whether it must be shown on the real lab as well."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the list. ``on_lab`` faults are shown on real hypervisors too."""

    number: str
    title: str
    on_lab: bool


_TITLES = (
    "worker killed before the intent is stored",
    "worker killed after the intent, before the call",
    "worker killed in pre-copy",
    "worker killed in stop-and-copy",
    "worker killed after the switch-over, before it is written down",
    "worker killed while the end is being proven",
    "RQ's parent killed, the horse lives on, another worker comes",
    "worker ended by SIGTERM in mid-copy",
    "worker stopped for longer than a lease, then woken",
    "RQ's own timeout",
    "Redis killed in mid-copy",
    "Redis flushed with rings in it",
    "Redis full",
    "database restarted in mid-copy",
    "database away at the moment of success",
    "database takes no writes",
    "web process killed while it is asked",
    "answer lost after the commit, client asks again",
    "source's daemon restarted in pre-copy",
    "target's daemon restarted in pre-copy",
    "source's power lost in pre-copy",
    "target's power lost in pre-copy",
    "target's power lost right after the switch-over",
    "source and target parted in pre-copy",
    "source and target parted in stop-and-copy",
    "xenweb and source parted",
    "xenweb and both hosts parted",
    "storage missing or full on the target",
    "target lacks memory, a CPU feature or a network",
    "VM changes faster than it can be copied",
    "cancelled at the last moment",
    "the same wish from many hands",
    "two people, one VM, two hosts",
    "there and back at once, and many at once",
    "VM moved by hand meanwhile",
    "VM renamed meanwhile",
    "VM destroyed meanwhile",
    "name or UUID taken on the target",
    "stale facts",
    "right revoked before and during the move",
    "VM changes its team in mid-copy",
    "user disabled or signed out elsewhere",
    "host taken away in mid-copy",
    "clock jumps by an hour",
    "all sockets come back at once",
    "a socket that reads too slowly",
    "hundreds of events a second",
    "socket open for longer than a group remembers it",
    "event stream lost",
    "a host that takes connections and never answers",
    "certificate expired",
    "who knows of the job forgets it in mid-move",
    "history cannot be written, or was changed by hand",
    "two reconcilers on one database",
    "upgrade with a move in flight",
    "target's daemon killed in the hand-over",
)
_ON_LAB = {*range(1, 10), *range(11, 23), *range(24, 29), *range(30, 39), 49, 50, 56}

FAULTS = tuple(Fault(f"F{place}", title, place in _ON_LAB) for place, title in enumerate(_TITLES, 1))

_OURS_ALONE = "it happens between our own processes; what is said to a hypervisor, and by which driver, is the same"
_SCREEN = "it happens between the web process and a browser, which no driver has a part in"

NOT_ON_XAPI = {
    "F7": _OURS_ALONE,
    "F10": _OURS_ALONE,
    "F11": _OURS_ALONE,
    "F12": _OURS_ALONE,
    "F13": _OURS_ALONE,
    "F14": _OURS_ALONE,
    "F15": _OURS_ALONE,
    "F16": "a move that cannot be stored is asked of no driver",
    "F17": _SCREEN,
    "F20": "the simulated pools restart no target's toolstack; a stream that breaks is F24 and F25, a death F22",
    "F40": "who may is asked before any driver is, and the feed is cut by ours alone",
    "F41": "teams are ours; no hypervisor knows of them",
    "F42": _SCREEN,
    "F44": "no moment that a pool tells goes into a decision: waiting is counted by our own monotonic clock",
    "F45": _SCREEN,
    "F46": _SCREEN,
    "F47": _SCREEN,
    "F48": _SCREEN,
    "F53": "the history is ours, and is written before any driver is called",
    "F54": "the lease is taken before any driver is asked",
    "F55": "the rows of a move are the same for every driver",
}
"""Faults that are not shown on XAPI pools, each with the reason; every other one of the list is."""
