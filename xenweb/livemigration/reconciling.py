"""Find the moves that nobody drives, and say who must do what about each."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from xenweb.core.migration import ACTIVE, State
from xenweb.livemigration.models import Migration
from xenweb.livemigration.queueing import due
from xenweb.livemigration.selectors import unfinished
from xenweb.livemigration.transitions import Lease, lease_release

RING_AGAIN_AFTER = timedelta(seconds=4)
"""A queued move that no worker took for so long is rung for again."""


class Care(StrEnum):
    """What an unfinished move needs."""

    NOTHING = "nothing"
    RING = "ring"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A move that needs care."""

    migration: str
    care: Care


def care_for(row: Migration, now: datetime) -> Care:
    """Judge one unfinished move; a live lease means that somebody cares for it already."""
    if row.lease_until is not None and row.lease_until > now:
        return Care.NOTHING
    if row.state in {State.REQUESTED, State.QUEUED}:
        return Care.RING if now - row.requested_at > RING_AGAIN_AFTER else Care.NOTHING
    return Care.ADOPT


def orphans(now: datetime) -> list[Orphan]:
    """List the unfinished moves that need care; of those that wait only such whose turn has come."""
    judged = [Orphan(row.pk, care_for(row, now)) for row in unfinished()]
    turns = set(due(now)) if any(orphan.care is Care.RING for orphan in judged) else set()
    return [each for each in judged if each.care is Care.ADOPT or (each.care is Care.RING and each.migration in turns)]


def release_leases_of_the_dead(is_proven_dead: Callable[[str], bool]) -> list[str]:
    """Give back the leases whose owners are proven dead, and answer their moves: nobody need wait for their end."""
    held = Migration.objects.filter(state__in=sorted(ACTIVE)).exclude(lease_owner="")
    leases = [Lease(*each) for each in held.values_list("pk", "lease_owner", "fence")]
    dead = [lease for lease in leases if is_proven_dead(lease.owner)]
    for lease in dead:
        # Fenced: a lease that another process took meanwhile stays with it.
        lease_release(lease)
    return [lease.migration for lease in dead]
