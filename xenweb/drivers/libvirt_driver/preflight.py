"""What only the two hosts themselves can say about a move, right before it."""

from collections.abc import Iterator

import libvirt

from xenweb.core.placement import Finding, Severity
from xenweb.drivers.contract import MigrationPlan
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.description import DomainDescription
from xenweb.drivers.libvirt_driver.errors import sentence_of


def findings_of(plan: MigrationPlan, source: libvirt.virConnect, target: libvirt.virConnect) -> Iterator[Finding]:
    """Ask both hosts; yields what stands in the way. Raises libvirtError."""
    domain = source.lookupByUUIDString(plan.vm_uuid)
    state, _ = domain.state()
    if state not in {libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED}:
        yield _blocker("vm_not_running", f"{plan.vm_name} does not run on {plan.source.name}.", "Start it first.")
        return
    described = description.domain(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE))
    yield from _clashes(plan, target)
    if described.host_devices:
        yield _blocker(
            "host_device",
            f"{plan.vm_name} uses a device of {plan.source.name} itself, which cannot move along.",
            "Detach the device first.",
        )
    yield from _processor(plan, described, target)
    yield from _machine(plan, described, target)
    yield from _disks(plan, described, target)


def _blocker(code: str, sentence: str, remedy: str) -> Finding:
    return Finding(code, Severity.BLOCKER, sentence, remedy)


def _clashes(plan: MigrationPlan, target: libvirt.virConnect) -> Iterator[Finding]:
    name, remedy = plan.target.name, "Rename or remove the other one first."
    for domain in target.listAllDomains(0):
        is_same = domain.UUIDString() == plan.vm_uuid
        if is_same and domain.isActive():
            yield _blocker(
                "vm_runs_there", f"{name} has a VM of this UUID running already.", "Find out which copy is right first."
            )
        elif is_same != (domain.name() == plan.vm_name):
            yield _blocker("name_taken", f"{name} knows {domain.name()} with another name or UUID.", remedy)


def _processor(plan: MigrationPlan, described: DomainDescription, target: libvirt.virConnect) -> Iterator[Finding]:
    if not described.cpu:
        return
    try:
        target.compareHypervisorCPU(
            described.emulator or None,
            described.architecture or None,
            described.machine or None,
            described.domain_type or None,
            described.cpu,
            libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE,
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_CPU_INCOMPATIBLE:
            return  # a host that cannot compare says so by refusing the move itself
        yield _blocker(
            "cpu_incompatible",
            f"The CPU of {plan.target.name} lacks what {plan.vm_name} uses. {sentence_of(error)}",
            "Choose a host with the same CPU features, or start the VM with a smaller CPU model.",
        )


def _machine(plan: MigrationPlan, described: DomainDescription, target: libvirt.virConnect) -> Iterator[Finding]:
    known = description.machines(target.getCapabilities())
    if described.machine and known and described.machine not in known:
        yield _blocker(
            "machine_type_missing",
            f"{plan.target.name} does not know the machine type {described.machine}.",
            "Update the hypervisor there, or choose another host.",
        )


def _disks(plan: MigrationPlan, described: DomainDescription, target: libvirt.virConnect) -> Iterator[Finding]:
    for disk in described.disks:
        if not disk.path.startswith("/") or _is_there(target, disk.path):
            continue
        yield _blocker(
            "disk_not_there",
            f"Disk {disk.device} ({disk.path}) is in no storage repository of {plan.target.name}.",
            "Attach the storage there at the same path, or choose another host.",
        )


def _is_there(target: libvirt.virConnect, path: str) -> bool:
    """Look a path up in the target's pools; read them anew once if it is not known."""
    for is_second_look in (False, True):
        if is_second_look:
            for pool in target.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE):
                pool.refresh(0)
        try:
            target.storageVolLookupByPath(path)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
                raise
        else:
            return True
    return False
