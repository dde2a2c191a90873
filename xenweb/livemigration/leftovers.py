"""Delete what a move has left behind: asked for, proven to be nobody's, then done by whoever cares for orphans.

A disk is data: it goes only if the VM is proven to have its own copy elsewhere, and no VM
of any host that reaches the disk uses it. A host that is silent proves nothing.
"""

import logging
from pathlib import PurePosixPath

from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.audit.services import refusals_recorded
from xenweb.drivers.contract import CopyAction, DiskMissingError, DriverError, Endpoint, HostSnapshot, HypervisorDriver
from xenweb.drivers.registry import driver_for
from xenweb.inventory.credentials import CredentialLostError
from xenweb.inventory.selectors import endpoint_of, endpoints_reaching
from xenweb.livemigration.errors import LeftoverDiskRefusedError, MoveForbiddenError
from xenweb.livemigration.models import LeftoverDisk
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.selectors import leftover_disk_row_for
from xenweb.livemigration.transitions import migration_row, tell
from xenweb.livemigration.wiring import leftover_disk_wire
from xenweb.realtime.publish import writing
from xenweb.realtime.wire import LeftoverDiskWire

log = logging.getLogger(__name__)


class UnprovenError(Exception):
    """It is not proven that a disk may go; the sentence says why."""


def leftover_disk_remove(actor: Actor, key: str, request_id: str = "") -> LeftoverDiskWire:
    """Ask for a disk that was left behind to be deleted; the row says what came of it.

    Raises LeftoverDiskNotFoundError, MoveForbiddenError or LeftoverDiskRefusedError.
    """
    with refusals_recorded(actor.username, "leftover_disk_remove", "leftover_disk", key, request_id):
        row = leftover_disk_row_for(actor, key)
    right = decide(actor, Action.REMOVE_DISK, row.migration.vm.team_id)
    if not right.allowed:
        _record(row, actor.username, "refused", right.reason, request_id)
        raise MoveForbiddenError(right.reason)
    with writing():
        free = LeftoverDisk.objects.filter(pk=row.pk, removed_at=None, asked_at=None)
        is_asked = free.update(asked_at=timezone.now(), asked_by=actor.username, refusal="")
        if is_asked:
            _record(row, actor.username, "allowed", "", request_id)
            tell(migration_row(row.migration_id))
    if not is_asked:
        msg = f"{row.path} on {row.host.name} is being deleted, or was deleted, already."
        _record(row, actor.username, "refused", msg, request_id)
        raise LeftoverDiskRefusedError(msg, path=row.path)
    row.refresh_from_db()
    return leftover_disk_wire(row)


def leftover_disks_due() -> list[int]:
    """List the disks whose deletion was asked for and is not done."""
    return list(LeftoverDisk.objects.filter(removed_at=None, asked_at__isnull=False).values_list("pk", flat=True))


def leftover_disk_settle(leftover: int) -> None:
    """Prove once more that a disk may go, delete it, and write down what came of it."""
    rows = LeftoverDisk.objects.select_related("host__pool", "migration__vm__team", "migration__source__pool")
    row = rows.filter(pk=leftover, removed_at=None, asked_at__isnull=False).first()
    if row is None:
        return
    driver = driver_for(driver_kind(row.migration))
    try:
        _prove(row, driver)
        driver.repair(endpoint_of(row.host), row.migration.vm_uuid, CopyAction.REMOVE_DISK, row.path)
    except DiskMissingError:
        _close(row, "")  # what is not there any more is deleted
    except (UnprovenError, DriverError, CredentialLostError) as error:
        log.warning("disk %s on %s stays: %s", row.path, row.host.name, error)
        _close(row, str(error))
    else:
        _close(row, "")


def _prove(row: LeftoverDisk, driver: HypervisorDriver) -> None:
    """Raise UnprovenError unless the VM has its own copy elsewhere and nobody uses this one."""
    vm = row.migration.vm
    if vm.moving_as:
        msg = f"{vm.name} is moving: delete the disk when it has arrived."
        raise UnprovenError(msg)
    looks = _look(row, driver)
    folder = str(PurePosixPath(row.path).parent)
    here = {endpoint.host: snapshot for endpoint, snapshot in looks.items()}[row.host_id]
    places = {each.identity for each in here.repositories if each.path.rstrip("/") == folder}
    if not places:
        msg = f"{row.host.name} has no storage repository at {folder} any more."
        raise UnprovenError(msg)
    has_own_copy = False
    for endpoint, look in looks.items():
        for other in look.vms:
            for disk in other.disks:
                if disk.path != row.path:
                    continue
                # Two hosts may bear one name: which host this is, its id says.
                if disk.repository in places or endpoint.host == row.host_id:
                    msg = f"{other.name} on {endpoint.name} uses {row.path}."
                    raise UnprovenError(msg)
                has_own_copy |= other.uuid == vm.uuid and not other.incoming and disk.repository is not None
    if not has_own_copy:
        msg = f"No host proves that {vm.name} has a copy of this disk of its own."
        raise UnprovenError(msg)


def _look(row: LeftoverDisk, driver: HypervisorDriver) -> dict[Endpoint, HostSnapshot]:
    """Look at every host that may use the disk, and at the one that has the VM now."""
    endpoints = endpoints_reaching(row.host_id, row.path)
    resident = row.migration.vm.resident_on
    if resident is not None:
        endpoints.append(endpoint_of(resident))
    looks = {}
    for endpoint in endpoints:
        try:
            looks[endpoint] = driver.inventory(endpoint)
        except DriverError as error:
            msg = f"{endpoint.name} does not say whether it uses the disk: {error.sentence}"
            raise UnprovenError(msg) from error
    return looks


def _close(row: LeftoverDisk, refusal: str) -> None:
    now = timezone.now()
    outcome = {"refusal": refusal, "asked_at": None} if refusal else {"removed_at": now}
    with writing():
        if LeftoverDisk.objects.filter(pk=row.pk, removed_at=None).update(**outcome):
            _record(row, row.asked_by, "failed" if refusal else "done", refusal, "")
            tell(migration_row(row.migration_id))


def _record(row: LeftoverDisk, by: str, outcome: str, reason: str, request_id: str) -> None:
    move_record(
        row.migration,
        actor=by,
        action="leftover_disk_remove",
        outcome=outcome,
        reason=reason,
        facts={"host": row.host.name, "path": row.path, "bytes": row.size, "partial": row.partial},
        request_id=request_id,
    )
