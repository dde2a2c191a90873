"""Let go of the logical volumes that a move has left active where its VM is not.

Nobody need ask for it: a volume that stays active on a second host is a way to write to a disk twice. It is done
only once both hosts prove where the VM is, and the host itself that nothing there has the volume open.
"""

import logging
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from xenweb.core.migration import Copy
from xenweb.drivers.contract import CopyAction, DriverError, HypervisorDriver
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError
from xenweb.inventory.selectors import endpoint_of
from xenweb.livemigration.models import CLOSED_AS_UNKNOWN, HeldVolume
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.transitions import migration_row, tell
from xenweb.realtime.publish import writing

log = logging.getLogger(__name__)

TRY_AGAIN_AFTER = timedelta(seconds=30)
GONE = frozenset({Copy.ABSENT, Copy.INACTIVE})
ITS_OWN = "The VM is on this host: the volume is its own."
BACK_AGAIN = "The VM has come back to this host: the volume is its own."


class UnprovenError(Exception):
    """It is not proven that a volume may be let go; the sentence says why."""


def held_volumes_due(now: datetime) -> list[int]:
    """List the volumes to be let go, those that were refused a moment ago aside."""
    due = Q(tried_at=None) | Q(tried_at__lt=now - TRY_AGAIN_AFTER)
    rows = HeldVolume.objects.filter(due, released_at=None, host__removed=False, migration__vm__moving_as="")
    return list(rows.values_list("pk", flat=True))


def held_volume_settle(held: int) -> None:
    """Prove once more that a volume may be let go, have it done, and write down what came of it."""
    rows = HeldVolume.objects.select_related(
        "host__pool", "migration__vm__team", "migration__source__pool", "migration__target__pool"
    )
    row = rows.filter(pk=held, released_at=None, migration__vm__moving_as="").first()
    if row is None:
        return
    is_known = row.migration.failure_code != CLOSED_AS_UNKNOWN
    if is_known and row.migration.vm.resident_on_id == row.host_id:
        _close(row, BACK_AGAIN, released=True)
        return
    driver = driver_for(driver_kind(row.migration))
    try:
        here, there = _prove(row, driver, is_known=is_known)
        if not is_known and _has_it(here, there):
            _close(row, ITS_OWN, released=True)
            return
        driver.repair(endpoint_of(row.host), row.migration.vm_uuid, CopyAction.RELEASE_VOLUME, row.path)
    except (UnprovenError, DriverError, CredentialLostError) as error:
        log.warning("volume %s on %s stays active: %s", row.path, row.host.name, error)
        _close(row, str(error), released=False)
    else:
        _close(row, "", released=True)


def _prove(row: HeldVolume, driver: HypervisorDriver, *, is_known: bool) -> tuple[Copy, Copy]:
    """Answer what this host and the move's other one have of the VM, where that says whose the volume is.

    Raises UnprovenError unless the VM is provably not on this host, and the other says what it has; of a move that
    was closed without knowing where its VM is, unless one of them proves to have it.
    """
    move = row.migration
    other = move.target if row.host_id == move.source_id else move.source
    here = driver.locate(endpoint_of(row.host), move.vm_uuid).copy
    if here not in GONE and (is_known or here is Copy.NO_ANSWER):
        msg = f"{row.host.name} does not prove that it has no copy of {move.vm_name}."
        raise UnprovenError(msg)
    there = driver.locate(endpoint_of(other), move.vm_uuid).copy
    if there is Copy.NO_ANSWER:
        msg = f"{other.name} does not say what it has of {move.vm_name}."
        raise UnprovenError(msg)
    if not is_known and _has_it(here, there) == _has_it(there, here):
        msg = f"Not exactly one of {row.host.name} and {other.name} proves to have {move.vm_name}."
        raise UnprovenError(msg)
    return here, there


def _has_it(here: Copy, there: Copy) -> bool:
    """Say whether the VM is here by what both hosts say: it runs or stands here, or is halted here and nowhere else."""
    return here not in GONE or (here is Copy.INACTIVE and there is Copy.ABSENT)


def _close(row: HeldVolume, refusal: str, *, released: bool) -> None:
    now = timezone.now()
    is_news = released or refusal != row.refusal
    with writing():
        open_rows = HeldVolume.objects.filter(pk=row.pk, released_at=None)
        if not open_rows.update(tried_at=now, refusal=refusal, released_at=now if released else None) or not is_news:
            return
        move_record(
            row.migration,
            actor="xenweb",
            action="volume_release",
            outcome="done" if released else "failed",
            reason=refusal,
            facts={"host": row.host.name, "path": row.path},
        )
        tell(migration_row(row.migration_id))
