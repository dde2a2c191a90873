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
from xenweb.livemigration.models import HeldVolume
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.recording import move_record
from xenweb.realtime.publish import writing

log = logging.getLogger(__name__)

TRY_AGAIN_AFTER = timedelta(seconds=30)
GONE = frozenset({Copy.ABSENT, Copy.INACTIVE})
BACK_AGAIN = "The VM has come back to this host: the volume is its own."


class UnprovenError(Exception):
    """It is not proven that a volume may be let go; the sentence says why."""


def held_volumes_due(now: datetime) -> list[int]:
    """List the volumes to be let go, those that were refused a moment ago aside."""
    due = Q(tried_at=None) | Q(tried_at__lt=now - TRY_AGAIN_AFTER)
    return list(
        HeldVolume.objects.filter(due, released_at=None, migration__vm__moving_as="").values_list("pk", flat=True)
    )


def held_volume_settle(held: int) -> None:
    """Prove once more that a volume may be let go, have it done, and write down what came of it."""
    rows = HeldVolume.objects.select_related(
        "host__pool", "migration__vm__team", "migration__source__pool", "migration__target__pool"
    )
    row = rows.filter(pk=held, released_at=None, migration__vm__moving_as="").first()
    if row is None:
        return
    if row.migration.vm.resident_on_id == row.host_id:
        _close(row, BACK_AGAIN, released=True)
        return
    driver = driver_for(driver_kind(row.migration))
    try:
        _prove(row, driver)
        driver.repair(endpoint_of(row.host), row.migration.vm_uuid, CopyAction.RELEASE_VOLUME, row.path)
    except (UnprovenError, DriverError, CredentialLostError) as error:
        log.warning("volume %s on %s stays active: %s", row.path, row.host.name, error)
        _close(row, str(error), released=False)
    else:
        _close(row, "", released=True)


def _prove(row: HeldVolume, driver: HypervisorDriver) -> None:
    """Raise UnprovenError unless the VM is provably not on this host, and the move's other host says what it has."""
    move = row.migration
    other = move.target if row.host_id == move.source_id else move.source
    if driver.locate(endpoint_of(row.host), move.vm_uuid).copy not in GONE:
        msg = f"{row.host.name} does not prove that it has no copy of {move.vm_name}."
        raise UnprovenError(msg)
    if driver.locate(endpoint_of(other), move.vm_uuid).copy is Copy.NO_ANSWER:
        msg = f"{other.name} does not say what it has of {move.vm_name}."
        raise UnprovenError(msg)


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
