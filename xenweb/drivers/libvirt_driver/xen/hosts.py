"""The verbs of the driver, for hosts that speak Xen."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import libvirt

from xenweb.core.facts import Kind, PowerState
from xenweb.core.migration import Copy
from xenweb.core.quantities import Milliseconds
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    CopyAction,
    DriverError,
    Endpoint,
    HostSnapshot,
    HostUnreachableError,
    Lever,
    MigrationPlan,
    MoveCancelledError,
    MoveRefusedError,
    NotSupportedError,
    Permit,
    Phase,
    Progress,
    VmMissingError,
    VmSighting,
    VmSnapshot,
)
from xenweb.drivers.guards import GuardForeseen, GuardPlan
from xenweb.drivers.libvirt_driver.connections import Connections
from xenweb.drivers.libvirt_driver.dialects import capabilities_at
from xenweb.drivers.libvirt_driver.errors import translated
from xenweb.drivers.libvirt_driver.inventory import READ_AGAIN_AFTER
from xenweb.drivers.libvirt_driver.xen import mending, moving, restoring, sightings, storing
from xenweb.drivers.libvirt_driver.xen.change_rates import XenChangeRates
from xenweb.drivers.libvirt_driver.xen.guarding import XenGuards
from xenweb.drivers.libvirt_driver.xen.looks import is_worked_on
from xenweb.drivers.libvirt_driver.xen.patience import Patience
from xenweb.drivers.libvirt_driver.xen.probing import Probes, XenCopy
from xenweb.drivers.libvirt_driver.xen.volumes import VmVolumes

LOOKING, ASKING, MOVING = "looking", "asking", "moving"
"""Purposes of connections: a call that blocks must not hold up the looks at it."""

CLOCKS_AGREE_WITHIN: Final = 2.0
"""Seconds by which a moment of a host's may be off as we read it: the time that a question took."""

HELPER_SEEN_WITHIN: Final = 3.0
"""Seconds of a move in which its passes are still to come; later the time is all that is told of it."""

LOOK_AGAIN_AFTER: Final = 0.5
"""Seconds between two looks at a move: a probe tells of new progress once a second, and of each pass when it began."""

RUNS_WITHIN: Final = 1.5
"""Seconds to wait, after the call, for the target's probe to see that the guest was let go."""

LOOK_EVERY: Final = 0.05
ENDED_CODES: Final = frozenset({libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN})


class XenHosts:
    """All Xen hosts of this process: libvirt's connections to them, and the lines to their probes."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.probes = Probes()
        self._patience = Patience()
        self.volumes = VmVolumes(lambda: self.probes)
        self.change_rates = XenChangeRates()
        self.guards = XenGuards(lambda: self.probes, self.volumes)
        self._bridges: dict[str, tuple[float, Sequence[str]]] = {}

    def capabilities(self, endpoint: Endpoint) -> frozenset[Capability]:
        """Say what a host can at this moment: more, while its probe answers."""
        return capabilities_at(endpoint.uri, has_probe=self.probes.answers(endpoint))

    def corrected(self, endpoint: Endpoint, said: HostSnapshot) -> HostSnapshot:
        """Lay what Xen says over what libvirt says, which is wrong after a move that failed; add what a probe knows."""
        said = replace(said, capabilities=self.capabilities(endpoint))
        copies = self.probes.guests(endpoint)
        if copies is None:
            return said
        by_uuid = {each.uuid: each for each in copies if not each.dying}
        bridges = [each for each in self._bridges_of(endpoint) if each not in said.networks]
        return replace(
            said,
            vms=tuple(_corrected(vm, by_uuid.get(vm.uuid)) for vm in said.vms),
            networks=(*said.networks, *bridges),
        )

    def _bridges_of(self, endpoint: Endpoint) -> Sequence[str]:
        """Name the bridges of a host, as of not long ago: they are there for years, and each question has its price."""
        now = time.monotonic()
        at, kept = self._bridges.get(endpoint.probe, (now, None))
        if kept is not None and now - at < READ_AGAIN_AFTER:
            return kept
        found = self.probes.bridges(endpoint)
        if found is not None:
            self._bridges[endpoint.probe] = now, found
        return found or ()

    def with_storage(self, endpoint: Endpoint, snapshot: HostSnapshot) -> HostSnapshot:
        """Lay what a probe knows of its host's storage over what libvirt tells of it."""
        seen = self.volumes.storage(endpoint)
        return snapshot if seen is None else storing.laid_over(snapshot, seen)

    def migrate(self, plan: MigrationPlan, permit: Permit) -> CompletedStats:
        """Make the call and block until libvirt answers."""
        if plan.kind is not Kind.LIVE or plan.copied_disks:
            msg = "Xen moves only VMs that run, and none of their disks."
            raise NotSupportedError(msg)
        with self._connections.use(plan.source, MOVING) as connection:
            domain = connection.lookupByUUIDString(plan.vm_uuid)
            flags = moving.flags_for(is_persistent=bool(domain.isPersistent()))
            where, parameters = moving.address_for_source(plan), moving.parameters_for(plan)
            if plan.volumes:
                permit()
                self.volumes.activate(plan)
            permit()
            began = time.monotonic()
            try:
                domain.migrateToURI3(where, parameters, flags)
            except libvirt.libvirtError as error:
                raise self._explained(plan, error, began) from error
        return self._completed(plan, began)

    def _explained(self, plan: MigrationPlan, error: libvirt.libvirtError, began: float) -> DriverError:
        """Add what the helper said itself: libvirt's sentence names no cause."""
        found = translated(error, plan.source.name)
        if isinstance(found, HostUnreachableError):
            return found
        moves = self.probes.moves(plan.source, plan.vm_uuid)
        seen = moving.newest(moves, saves=True, since=began - CLOCKS_AGREE_WITHIN)
        if seen is not None and seen.cancel == "accepted":
            return MoveCancelledError("The move was given up before the VM was stopped, as it was asked to be.")
        if seen is None or not seen.errors:
            return found
        return type(found)(f"{found.sentence} Xen's helper says: {seen.errors[0]}", **found.facts)

    def _completed(self, plan: MigrationPlan, began: float) -> CompletedStats:
        ended = time.monotonic()
        since, total = began - CLOCKS_AGREE_WITHIN, Milliseconds(round((ended - began) * 1000))
        source = moving.newest(self.probes.moves(plan.source, plan.vm_uuid), saves=True, since=since)
        while True:
            target = moving.newest(self.probes.moves(plan.target, plan.vm_uuid), saves=False, since=since)
            is_told = target is None or target.ran is not None
            if source is None or is_told or time.monotonic() - ended > RUNS_WITHIN:
                return moving.completed_of(source, target, total)
            time.sleep(LOOK_EVERY)

    def guard_foresee(self, host: Endpoint, vm_uuid: str, *, with_memory: bool) -> GuardForeseen:
        """Say whether a guard of a VM can be made, and of which disks."""
        with self._connections.use(host, LOOKING) as connection:
            domain = connection.lookupByUUIDString(vm_uuid)
        try:
            return self.guards.foresee(host, domain, with_memory=with_memory)
        except libvirt.libvirtError as error:
            raise translated(error, host.name) from error

    def guard_begin(self, plan: GuardPlan) -> None:
        """Begin to make a guard; with the VM's memory, libvirt's description of it is kept for the way back."""
        if not plan.with_memory:
            self.guards.begin(plan)
            return
        with self._connections.use(plan.host, LOOKING) as connection:
            self.guards.begin(plan, connection.lookupByUUIDString(plan.vm_uuid))

    def guard_restore_memory(self, plan: GuardPlan) -> None:
        """Have libvirt itself let the VM go on from its kept memory: what it restores it also knows."""
        path = self.guards.memory(plan)
        try:
            with self._connections.use(plan.host, MOVING) as connection:
                restoring.restore(connection, path, plan.vm_uuid)
        except HostUnreachableError:
            raise
        except DriverError as error:
            if self.probes.copies(plan.host, plan.vm_uuid) == ():
                raise MoveRefusedError(f"libvirt could not read its memory: {error.sentence}") from error
            raise
        for other in plan.others:
            with self._connections.use(other, ASKING) as connection:
                restoring.forget(connection, plan.vm_uuid)

    def progress(self, plan: MigrationPlan) -> Progress:
        """Look at the move from the source."""
        with self._connections.use(plan.source, LOOKING) as connection:
            try:
                stats = connection.lookupByUUIDString(plan.vm_uuid).jobStats()
            except libvirt.libvirtError as error:
                if error.get_error_code() not in ENDED_CODES:
                    raise
                return Progress(Phase.NONE)
        elapsed = stats.get("time_elapsed", 0) / 1000
        since = time.monotonic() - elapsed - CLOCKS_AGREE_WITHIN
        moves = self.probes.moves(plan.source, plan.vm_uuid)
        newest = moves[-1] if moves and moves[-1].saves else None
        # A helper that has ended is still this move's, which is over only when its devices are handed over.
        is_ours = newest is not None and (newest.alive or (newest.suspend_asked is not None and newest.began >= since))
        seen = newest if is_ours else None
        is_awaited = seen is None and elapsed < HELPER_SEEN_WITHIN and self.probes.answers(plan.source)
        said = moving.progress_of(stats, seen, is_awaited=is_awaited)
        return replace(said, look_again_after=LOOK_AGAIN_AFTER)

    def change(self, plan: MigrationPlan, lever: Lever) -> None:
        """Give the move up, if the source's probe can; libxl knows no other change, and nothing to give up is none."""
        if lever is not Lever.CANCEL:
            msg = f"Xen cannot change the {lever} of a move that runs."
            raise NotSupportedError(msg, host=plan.source.name)
        with self._connections.use(plan.source, LOOKING) as connection:
            try:
                if not is_worked_on(connection.lookupByUUIDString(plan.vm_uuid)):
                    return
            except libvirt.libvirtError as error:
                if error.get_error_code() in ENDED_CODES:
                    return
                raise
        if not self.probes.answers(plan.source):
            msg = f"libvirt cannot give up a move on Xen, and the probe of {plan.source.name} does not answer."
            raise NotSupportedError(msg, host=plan.source.name)
        self.probes.do(plan.source, "cancel", plan.vm_uuid)

    def repair(self, endpoint: Endpoint, vm_uuid: str, action: CopyAction, path: str = "") -> None:
        """Mend one copy, as far as Xen itself proves that it may be; or let go of one volume of the VM's."""
        if action is CopyAction.RELEASE_VOLUME:
            self.volumes.release(endpoint, vm_uuid, path)
            return

        def reach() -> libvirt.virDomain:
            with self._connections.use(endpoint, ASKING) as connection:
                return connection.lookupByUUIDString(vm_uuid)

        try:
            mending.repair(self.probes, endpoint, vm_uuid, action, reach)
        except libvirt.libvirtError as error:
            raise translated(error, endpoint.name) from error

    def locate(self, endpoint: Endpoint, vm_uuid: str) -> VmSighting:
        """Ask libvirt and Xen what a host has of a VM; NO_ANSWER where they do not prove it."""
        told: sightings.Told | None = None

        def ask() -> sightings.Told | VmSighting:
            with self._connections.use(endpoint, ASKING) as connection:
                domain = connection.lookupByUUIDString(vm_uuid)
                told = sightings.told_by(domain)
                if self._has_probe(endpoint):
                    return told
                return sightings.by_libvirt(told, lambda: sightings.cpu_time_of(domain))

        try:
            said = self._patience.ask(endpoint, ask)
            if isinstance(said, VmSighting):
                return said
            told = said
        except VmMissingError:
            told = sightings.Told(known=False)
        except DriverError:
            told = None
        copies = self.probes.copies(endpoint, vm_uuid)
        if copies is not None:
            return sightings.by_xen(told, copies, self.probes.moves(endpoint, vm_uuid))
        return VmSighting(Copy.ABSENT if told is not None and not told.known else Copy.NO_ANSWER, proven=False)

    def _has_probe(self, endpoint: Endpoint) -> bool:
        return bool(endpoint.probe) and self.probes.answers(endpoint)


def _corrected(vm: VmSnapshot, one: XenCopy | None) -> VmSnapshot:
    if one is None or vm.incoming:
        return vm
    if one.runs:
        return replace(vm, state=PowerState.RUNNING, active=True, cpu_time=one.cpu_time)
    if one.is_suspended or one.paused:
        return replace(vm, state=PowerState.PAUSED, active=True, cpu_time=one.cpu_time)
    return vm
