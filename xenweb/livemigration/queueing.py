"""Take turns: who of those that wait may begin, and what those who wait are told."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Avg
from django.utils import timezone

from xenweb.core.disk_move import DiskMoveState
from xenweb.core.migration import ACTIVE, State
from xenweb.core.queueing import UNLIMITED, Entry, Hold, Limits, Sending, Wait, next_moves, order, waits
from xenweb.drivers.contract import DriverError
from xenweb.drivers.registry import driver_for
from xenweb.inventory.selectors import host_names
from xenweb.livemigration.models import DiskMove, Migration
from xenweb.livemigration.transitions import Lease, lease_take, migration_row, state_change, tell
from xenweb.realtime.publish import writing

TOLD = 20
"""So many of those next in the queue are told when their place changes."""

STORED_AT_ONCE = 200

LEARNED_FROM = 20
"""So many past moves say how long a turn takes."""


def limits() -> Limits:
    """Answer the limits of this installation."""
    return Limits(*settings.XENWEB_MOVES)


def _entries() -> tuple[list[Entry], list[Entry]]:
    # A move whose hosts do not answer may stay so for as long as they are dead, and must not take the turns of
    # others meanwhile. As soon as a host says that it still works on it, it is under way again, and counts.
    rows = Migration.objects.filter(state__in=sorted(ACTIVE - {State.REQUESTED, State.UNCERTAIN}))
    facts = rows.order_by("pk").values_list(
        "pk", "vm__team_id", "source_id", "target_id", "requested_at", "state", "copied_disks",
        "source__pool_id", "target__pool_id", "source__pool__driver",
    )  # fmt: skip
    waiting: list[Entry] = []
    running: list[Entry] = []
    for pk, team, source, target, since, state, disks, here, there, driver in facts:
        # Whoever leaves its pool takes whatever it has along.
        entry = Entry(pk, team, source, target, since.timestamp(), bool(disks) or here != there, _sending(driver))
        (waiting if state == State.QUEUED else running).append(entry)
    _add_disk_moves(waiting, running)
    return waiting, running


def _add_disk_moves(waiting: list[Entry], running: list[Entry]) -> None:
    """Count the moves of single disks as what they are for their host's hypervisor: copies."""
    rows = DiskMove.objects.filter(state__in=[DiskMoveState.ASKED, DiskMoveState.MOVING]).order_by("pk")
    facts = rows.values_list("pk", "vm__team_id", "host_id", "requested_at", "state", "host__pool__driver")
    for pk, team, host, since, state, driver in facts:
        entry = Entry(pk, team, host, host, since.timestamp(), copies=True, sending=_sending(driver), stays=True)
        (waiting if state == DiskMoveState.ASKED else running).append(entry)


def _sending(driver: str) -> Sending:
    try:
        return driver_for(driver).sending
    except DriverError:
        return UNLIMITED  # who cannot be spoken to is sent nothing: the check right before the call says why


def due(now: datetime) -> list[str]:
    """List the queued moves that may begin now, in the order of their turns."""
    waiting, running = _entries()
    chosen = next_moves(waiting, running, limits(), now.timestamp())
    return [entry.migration for entry in chosen if not entry.stays]


def disk_move_waits(key: str, now: datetime) -> str:
    """Say what the asked move of a disk waits for; empty if it may begin now.

    As with moves of VMs: whoever begins it asks in the transaction that begins it.
    """
    waiting, running = _entries()
    held = waits(waiting, running, limits(), now.timestamp()).get(key)
    entry = next((each for each in waiting if each.migration == key), None)
    if held is None or entry is None:
        return ""
    return _because(held, entry, host_names({entry.source}))


def take_turn(rung_for: str, owner: str) -> Lease | None:
    """Begin the move that was rung for, or whoever's turn it is; None if nobody may begin now.

    Choosing and taking are one transaction: two workers never exceed a limit together.
    """
    with writing():
        chosen = due(timezone.now())
        for migration in sorted(chosen, key=lambda each: each != rung_for):
            lease = lease_take(migration, owner)
            if lease is not None:
                state_change(migration, State.QUEUED, State.CHECKING, lease=lease)
                transaction.on_commit(tell_places, robust=True)
                return lease
    return None


def tell_places() -> None:
    """Store the places of those that wait, and tell the foremost of them whose place or reason has changed."""
    waiting, running = _entries()
    queued = [entry for entry in order(waiting, running) if not entry.stays]
    if not queued:
        return
    expected = _expected_starts(queued, sum(not entry.stays for entry in running))
    reasons = _reasons(waiting, running)
    stored = Migration.objects.filter(state=State.QUEUED).values_list("pk", "queue_place", "waits_because")
    known = {pk: (place, because) for pk, place, because in stored}
    changed = [
        (entry.migration, place, start, reasons.get(entry.migration, ""))
        for entry, place, start in expected
        if known.get(entry.migration) != (place, reasons.get(entry.migration, ""))
    ]
    # In few statements: each turn moves everybody up. The place of one that has begun meanwhile is never shown.
    rows = [Migration(pk=pk, queue_place=at, expected_start=start, waits_because=why) for pk, at, start, why in changed]
    Migration.objects.bulk_update(rows, ["queue_place", "expected_start", "waits_because"], batch_size=STORED_AT_ONCE)
    for pk, place, _, _ in changed:
        if place <= TOLD:
            tell(migration_row(pk))


def _reasons(waiting: Sequence[Entry], running: Sequence[Entry]) -> dict[str, str]:
    held = waits(waiting, running, limits(), timezone.now().timestamp())
    names = host_names({host for entry in waiting for host in entry.link})
    return {
        entry.migration: _because(held[entry.migration], entry, names) for entry in waiting if entry.migration in held
    }


def _because(wait: Wait, entry: Entry, names: Mapping[int, str]) -> str:
    """Say what a move waits for."""
    host, most = names.get(wait.host, ""), wait.most
    here, there = names.get(entry.source, ""), names.get(entry.target, "")
    match wait.hold:
        case Hold.ALL:
            return f"{_moves(most)} under way, as many as may be at once."
        case Hold.HOST:
            return f"{host} takes part in {_counted(most)}, as many as one host may at once."
        case Hold.LINK:
            return f"{_moves(most)} under way between {here} and {there}, as many as may be at once."
        case Hold.SENDS:
            return f"{host} sends {_vms(most)}, as many as its hypervisor does at once."
        case Hold.COPIES:
            return f"{host} copies the disks of {_vms(most)}, more than which its hypervisor refuses."
        case Hold.OLDER:
            return f"An older move waits until {host} is free."


def _moves(number: int) -> str:
    return "1 move is" if number == 1 else f"{number} moves are"


def _counted(number: int) -> str:
    return "1 move" if number == 1 else f"{number} moves"


def _vms(number: int) -> str:
    return "1 VM" if number == 1 else f"{number} VMs"


def _expected_starts(in_turn: Iterable[Entry], running: int) -> list[tuple[Entry, int, datetime | None]]:
    """Estimate each turn's beginning from how long past moves took; None where nothing is known."""
    newest = Migration.objects.filter(state=State.DONE, total__isnull=False).order_by("-ended_at")[:LEARNED_FROM]
    usual = Migration.objects.filter(pk__in=[row.pk for row in newest]).aggregate(mean=Avg("total"))["mean"]
    slots, now = limits().in_all, timezone.now()
    found = []
    for place, entry in enumerate(in_turn, 1):
        turns = max(0, running + place - slots) / slots
        found.append((entry, place, None if usual is None else now + timedelta(milliseconds=usual * turns)))
    return found
