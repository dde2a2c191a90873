"""What people and moves change in the inventory. Each write judges, stores, records and tells."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError
from django.utils import timezone

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.audit.services import record, refusals_recorded
from xenweb.core.facts import PowerState
from xenweb.drivers.contract import DriverError
from xenweb.drivers.registry import address_from_fields, certificates_at, check_address, trusting
from xenweb.inventory import wiring
from xenweb.inventory.credentials import seal
from xenweb.inventory.errors import (
    HostAddressRefusedError,
    HostBusyError,
    HostExistsError,
    HostForbiddenError,
    VouchForbiddenError,
)
from xenweb.inventory.models import Host, Pool, StorageRepository, VirtualMachine, VmSighting
from xenweb.inventory.selectors import host_row, repository_row
from xenweb.inventory.unreached import unreached_remove
from xenweb.realtime.events import HostChanged, HostRemoved, StorageRepositoryChanged, VmChanged, VmRemoved
from xenweb.realtime.publish import publish, writing
from xenweb.realtime.wire import CertificateWire, HostWire, StorageRepositoryWire

RESTING = frozenset({PowerState.HALTED, PowerState.SUSPENDED})
"""States in which a VM runs nowhere."""


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where a host is: either a libvirt URI of an allow-listed form, or its parts."""

    uri: str = ""
    hypervisor: str = ""
    transport: str = ""
    address: str = ""
    user: str = ""
    port: int | None = None
    fingerprints: tuple[str, ...] = ()


def pool_ensure(name: str, driver: str) -> int:
    """Make sure that a pool with this driver exists; answer its id."""
    return Pool.objects.get_or_create(name=name, defaults={"driver": driver})[0].pk


def _refuse_hosts_to(actor: Actor, action: str, name: str, request_id: str) -> None:
    verdict = decide(actor, Action.MANAGE_HOSTS)
    if verdict.allowed:
        return
    record(
        actor=actor.username,
        action=action,
        outcome="refused",
        subject_kind="host",
        subject_id="",
        subject_name=name,
        reason=verdict.reason,
        request_id=request_id,
    )
    raise HostForbiddenError(verdict.reason)


def _canonical(pool: Pool, where: HostAddress) -> str:
    try:
        if where.uri:
            return check_address(pool.driver, where.uri)
        return address_from_fields(
            pool.driver,
            where.hypervisor,
            where.transport,
            where.address,
            where.user,
            where.port,
            where.fingerprints,
        )
    except DriverError as error:
        raise HostAddressRefusedError(error.sentence, field=error.facts.get("field", "uri")) from error


def _trusted_together(pool: Pool, uri: str) -> str:
    """Let all hosts of a pool trust each other's certificates: whichever leads, all of them are led to it."""
    peers = list(Host.objects.filter(pool=pool, removed=False))
    try:
        for peer in peers:
            known = trusting(pool.driver, peer.uri, [uri])
            if known != peer.uri:
                peer.uri = known
                peer.save(update_fields=["uri"])
        return trusting(pool.driver, uri, [peer.uri for peer in peers])
    except DriverError as error:
        raise HostAddressRefusedError(error.sentence, field="fingerprints") from error


def _without_password(address: str) -> str:
    """Leave out what somebody typed as a password where none belongs: the history keeps it for ever."""
    return re.sub(r"//([^:@/]*):.*@", r"//\1:…@", address)


def certificates_look(
    actor: Actor, *, pool: str, address: str, port: int | None, request_id: str = ""
) -> list[CertificateWire]:
    """Show an administrator which certificates are met at an address, before one of them is trusted.

    Raises HostForbiddenError or HostAddressRefusedError. That somebody looked, and what was seen, is recorded.
    """
    _refuse_hosts_to(actor, "certificates_look", address, request_id)
    with refusals_recorded(actor.username, "certificates_look", "host", address, request_id, pool=pool):
        row = Pool.objects.filter(name=pool).first()
        if row is None:
            msg = f"There is no pool called {pool}."
            raise HostAddressRefusedError(msg, field="pool")
        try:
            seen = certificates_at(row.driver, address, port)
        except DriverError as error:
            raise HostAddressRefusedError(error.sentence, field=error.facts.get("field", "address")) from error
    record(
        actor=actor.username,
        action="certificates_look",
        outcome="allowed",
        subject_kind="host",
        subject_id="",
        subject_name=address,
        facts={"seen": tuple(f"{each.host} {each.sha256}" for each in seen)},
        request_id=request_id,
    )
    return [
        CertificateWire(
            host=each.host,
            sha256=each.sha256,
            ends=each.ends,
            expired=each.ends < timezone.now(),
            leads=each.is_leader,
        )
        for each in seen
    ]


def host_add(
    actor: Actor,
    *,
    pool: str,
    where: HostAddress,
    migration_address: str = "",
    credential: str = "",
    request_id: str = "",
) -> HostWire:
    """Put a host on the board; the watcher finds it there and begins to look at it.

    Raises HostForbiddenError, HostAddressRefusedError or HostExistsError; each is recorded.
    """
    named = _without_password(where.address or where.uri)
    _refuse_hosts_to(actor, "host_add", named, request_id)
    with refusals_recorded(actor.username, "host_add", "host", named, request_id, pool=pool):
        return _host_store(actor, pool, where, migration_address, credential, request_id)


def _host_store(
    actor: Actor, pool: str, where: HostAddress, migration_address: str, credential: str, request_id: str
) -> HostWire:
    row = Pool.objects.filter(name=pool).first()
    if row is None:
        msg = f"There is no pool called {pool}."
        raise HostAddressRefusedError(msg, field="pool")
    uri = _canonical(row, where)
    try:
        with writing():
            uri = _trusted_together(row, uri)
            host = Host.objects.create(
                pool=row,
                name=where.address or uri,
                uri=uri,
                migration_address=migration_address,
                credential=seal(credential),
                state_reason="Not looked at yet.",
            )
            record(
                actor=actor.username,
                action="host_add",
                outcome="allowed",
                subject_kind="host",
                subject_id=str(host.pk),
                subject_name=host.name,
                facts={"uri": uri, "pool": pool},
                request_id=request_id,
            )
            wire = wiring.host_wire(host)
            publish(HostChanged(host=wire), public=True)
    except IntegrityError:
        msg = "A host with this address is on the board already."
        raise HostExistsError(msg, uri=uri) from None
    return wire


def host_remove(actor: Actor, key: str, *, takes_part: Callable[[int], bool], request_id: str = "") -> None:
    """Take a host off the board; its rows stay for the history.

    ``takes_part`` says whether a move that has not ended leads from a host or to it: then HostBusyError.
    """
    _refuse_hosts_to(actor, "host_remove", key, request_id)
    with refusals_recorded(actor.username, "host_remove", "host", key, request_id), writing():
        host = host_row(key)
        if takes_part(host.pk):
            msg = f"{host.name} takes part in a move."
            raise HostBusyError(msg)
        host.removed = True
        host.save()
        reached = [attachment.repository_id for attachment in host.attachments.all()]
        host.attachments.all().delete()
        for each in reached:
            row = repository_row(str(each))
            publish(StorageRepositoryChanged(storage_repository=wiring.repository_wire(row)), public=True)
        VmSighting.objects.filter(host=host).delete()
        for vm in VirtualMachine.objects.filter(resident_on=host).select_related("team"):
            vm.resident_on, vm.state = None, PowerState.UNKNOWN
            vm.save()
            publish(VmChanged(vm=wiring.vm_wire(vm)), team=vm.team_id)
        unreached_remove(host.pool_id)
        record(
            actor=actor.username,
            action="host_remove",
            outcome="allowed",
            subject_kind="host",
            subject_id=str(host.pk),
            subject_name=host.name,
            request_id=request_id,
        )
        publish(HostRemoved(host_id=host.pk), public=True)


def host_mark_maintenance(host_id: int, maintenance: str, *, takes_vms: bool | None = None) -> None:
    """Note on a host that it is in maintenance, or no longer; call it in that maintenance's transaction.

    ``takes_vms`` is what the hypervisor was just heard to say, where it was.
    """
    values: dict[str, str | bool] = {"maintenance": maintenance}
    if takes_vms is not None:
        values["takes_vms"] = takes_vms
    Host.objects.filter(pk=host_id).update(**values)
    host = Host.objects.select_related("pool").prefetch_related("attachments__repository").get(pk=host_id)
    publish(HostChanged(host=wiring.host_wire(host)), public=True)


def vm_mark_moving(vm_id: int, migration: str) -> bool:
    """Note on a VM that it, or a disk of it, has begun to move; call it in that move's transaction.

    Answers False, and notes nothing, if something else of it moves.
    """
    if not VirtualMachine.objects.filter(pk=vm_id, moving_as="").update(moving_as=migration):
        return False
    vm = _vm(vm_id)
    publish(VmChanged(vm=wiring.vm_wire(vm)), team=vm.team_id)
    return True


def vm_let_go(vm_id: int, move: str) -> None:
    """Take the mark of a disk's move off its VM; the next look at its host says where its disks are."""
    if VirtualMachine.objects.filter(pk=vm_id, moving_as=move).update(moving_as=""):
        vm = _vm(vm_id)
        publish(VmChanged(vm=wiring.vm_wire(vm)), team=vm.team_id)


def vm_settle(vm_id: int, resident_on: int | None, not_on: int | None, state: PowerState = PowerState.RUNNING) -> None:
    """End a VM's move: it is proven to be on one host in a state, and proven not to run on the other.

    With nothing proven (both None) only the mark of the move is taken away and
    the next look at the hosts says where the VM is.
    """
    vm = _vm(vm_id)
    vm.moving_as = ""
    now = timezone.now()
    if resident_on is not None:
        vm.resident_on = Host.objects.get(pk=resident_on)
        vm.pool_id = vm.resident_on.pool_id
        vm.state, vm.conflict = state, False
        VmSighting.objects.update_or_create(
            vm=vm,
            host_id=resident_on,
            defaults={"state": state, "active": state not in RESTING, "incoming": False, "at": now},
        )
    if not_on is not None:
        VmSighting.objects.filter(vm=vm, host_id=not_on).update(
            state=PowerState.HALTED, active=False, incoming=False, at=now
        )
    vm.save()
    publish(VmChanged(vm=wiring.vm_wire(vm)), team=vm.team_id)


def _vm(vm_id: int) -> VirtualMachine:
    rows = VirtualMachine.objects.select_related("team", "resident_on")
    return rows.prefetch_related("disks__repository__attachments").get(pk=vm_id)


def vm_assign_team(vm_uuid: str, team_id: int | None) -> None:
    """Give a VM to a team, or to none."""
    with writing():
        vm = VirtualMachine.objects.get(uuid=vm_uuid)
        previous, vm.team_id = vm.team_id, team_id
        vm.save()
        wire = wiring.vm_wire(_vm(vm.pk))
        if previous != team_id:
            # First it vanishes for all who saw it, then it appears for all who may.
            publish(VmRemoved(vm_id=vm.pk), team=previous)
        publish(VmChanged(vm=wire), team=team_id)


def repository_vouch(actor: Actor, key: str, *, is_shared: bool, request_id: str = "") -> StorageRepositoryWire:
    """Note, or take back, an administrator's word that a repository is the same storage on all its hosts.

    Said again it changes nothing. Raises VouchForbiddenError or RepositoryNotFoundError; both are recorded.
    """
    verdict = decide(actor, Action.VOUCH_STORAGE)
    if not verdict.allowed:
        _record_vouch(actor, "refused", key, "", is_shared=is_shared, reason=verdict.reason, request_id=request_id)
        raise VouchForbiddenError(verdict.reason)
    with refusals_recorded(actor.username, "storage_vouch", "storage_repository", key, request_id, is_shared=is_shared):
        row = repository_row(key)
    with writing():
        changed = StorageRepository.objects.filter(pk=row.pk, vouched_shared=not is_shared)
        if changed.update(vouched_shared=is_shared):
            row = repository_row(key)
            _record_vouch(actor, "allowed", key, row.name, is_shared=is_shared, request_id=request_id)
            publish(StorageRepositoryChanged(storage_repository=wiring.repository_wire(row)), public=True)
    return wiring.repository_wire(row)


def _record_vouch(
    actor: Actor, outcome: str, key: str, name: str, *, is_shared: bool, reason: str = "", request_id: str
) -> None:
    record(
        actor=actor.username,
        action="storage_vouch",
        outcome=outcome,
        subject_kind="storage_repository",
        subject_id=key,
        subject_name=name,
        reason=reason,
        facts={"is_shared": is_shared},
        request_id=request_id,
    )
