"""Take turns: who of those that wait may begin, and what those who wait are told."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Avg
from django.utils import timezone

from xenweb.core.migration import ACTIVE, State
from xenweb.core.queueing import Entry, Limits, next_moves, order
from xenweb.livemigration.models import Migration
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
    facts = rows.values_list("pk", "vm__team_id", "source_id", "target_id", "requested_at", "state").order_by("pk")
    waiting: list[Entry] = []
    running: list[Entry] = []
    for pk, team, source, target, since, state in facts:
        (waiting if state == State.QUEUED else running).append(Entry(pk, team, source, target, since.timestamp()))
    return waiting, running


def due(now: datetime) -> list[str]:
    """List the queued moves that may begin now, in the order of their turns."""
    waiting, running = _entries()
    return [entry.migration for entry in next_moves(waiting, running, limits(), now.timestamp())]


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
    """Store the places of those that wait, and tell the foremost of them whose place has changed."""
    waiting, running = _entries()
    if not waiting:
        return
    expected = _expected_starts(order(waiting, running), len(running))
    known = dict(Migration.objects.filter(state=State.QUEUED).values_list("pk", "queue_place"))
    changed = [each for each in expected if known.get(each[0].migration) != each[1]]
    # In few statements: each turn moves everybody up. The place of one that has begun meanwhile is never shown.
    rows = [Migration(pk=entry.migration, queue_place=place, expected_start=start) for entry, place, start in changed]
    Migration.objects.bulk_update(rows, ["queue_place", "expected_start"], batch_size=STORED_AT_ONCE)
    for entry, place, _ in changed:
        if place <= TOLD:
            tell(migration_row(entry.migration))


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
