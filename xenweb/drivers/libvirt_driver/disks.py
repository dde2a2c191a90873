"""Disks that a move copies, and those that one has left behind; raises libvirtError."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath

import libvirt

from xenweb.core.placement import Finding, Severity
from xenweb.drivers.contract import CopiedDisk, DiskExistsError, DiskMissingError, MigrationPlan, MoveRefusedError
from xenweb.drivers.libvirt_driver import description


def copy_findings(plan: MigrationPlan, target: libvirt.virConnect) -> Iterator[Finding]:
    """Say what stands in the way of copying the plan's disks: libvirt creates each volume, and reuses none."""
    for disk in plan.copied_disks:
        pool = _pool_of(target, disk.path)
        if pool is None:
            yield Finding(
                "disk_not_there",
                Severity.BLOCKER,
                f"{plan.target.name} has no active storage repository at the folder of disk {disk.device}.",
                "Create one at the same path, or choose another host.",
            )
        elif volume(target, disk.path) is not None:
            # A volume that is there may be somebody else's, and would be read by this VM (CVE-2013-7130).
            yield Finding(
                "disk_exists",
                Severity.BLOCKER,
                f"{plan.target.name} already has a disk at {disk.path}, and a disk that is there is never reused.",
                "If an earlier move left it behind, delete it on the storage page; else rename it.",
                (("path", disk.path),),
            )
        else:
            yield from _room(plan, disk, pool)


def refuse_existing(plan: MigrationPlan, target: libvirt.virConnect) -> None:
    """Raise DiskExistsError if the target has one of the disks: libvirt would write over it."""
    for disk in plan.copied_disks:
        _pool_of(target, disk.path)  # read anew: libvirt creates nothing where it believes to know a volume
        if volume(target, disk.path) is not None:
            msg = f"{plan.target.name} already has a disk at {disk.path}, and a disk that is there is never reused."
            raise DiskExistsError(msg, host=plan.target.name, path=disk.path)


def _room(plan: MigrationPlan, disk: CopiedDisk, pool: libvirt.virStoragePool) -> Iterator[Finding]:
    if pool.info()[3] < disk.capacity:
        yield Finding(
            "storage_full",
            Severity.BLOCKER,
            f"{pool.name()} on {plan.target.name} has no room for disk {disk.device}.",
            "Free space there, or choose another host.",
            (("needed", int(disk.capacity)), ("free", int(pool.info()[3]))),
        )


def _pool_of(connection: libvirt.virConnect, path: str) -> libvirt.virStoragePool | None:
    """Find the active pool in whose folder a file lies, read anew."""
    folder = str(PurePosixPath(path).parent)
    for pool in connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
        if description.pool(pool.XMLDesc(0)).path.rstrip("/") == folder:
            pool.refresh(0)
            return pool
    return None


def volume(connection: libvirt.virConnect, path: str) -> libvirt.virStorageVol | None:
    """Look a path up in the host's pools; read them anew once if it is not known."""
    for is_second_look in (False, True):
        if is_second_look:
            for pool in connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
                with suppress(libvirt.libvirtError):  # one that is busy cannot be read anew just now
                    pool.refresh(0)
        try:
            return connection.storageVolLookupByPath(path)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
    return None


def remove(connection: libvirt.virConnect, path: str, host: str) -> None:
    """Delete the volume at a path that no domain of the host uses."""
    for domain in connection.listAllDomains(0):
        for user in _users(domain):
            if path in user:
                msg = f"{domain.name()} on {host} uses the disk at {path}: it is not removed."
                raise MoveRefusedError(msg, host=host, path=path)
    found = volume(connection, path)
    if found is None:
        msg = f"{host} has no disk at {path}."
        raise DiskMissingError(msg, host=host, path=path)
    found.delete(0)


def _users(domain: libvirt.virDomain) -> Iterator[set[str]]:
    """Read which paths a domain uses, now and after its next start; one that vanishes meanwhile uses none."""
    for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
        try:
            yield description.sources(domain.XMLDesc(flags))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
