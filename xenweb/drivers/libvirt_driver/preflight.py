"""What only the two hosts themselves can say about a move, right before it."""

from collections.abc import Iterator

import libvirt

from xenweb.core.facts import Kind, kind_for
from xenweb.core.placement import Finding, Severity
from xenweb.drivers.contract import MigrationPlan
from xenweb.drivers.libvirt_driver import description, disks
from xenweb.drivers.libvirt_driver.description import DomainDescription
from xenweb.drivers.libvirt_driver.errors import sentence_of
from xenweb.drivers.libvirt_driver.inventory import power_state


def findings_of(plan: MigrationPlan, source: libvirt.virConnect, target: libvirt.virConnect) -> Iterator[Finding]:
    """Ask both hosts; yields what stands in the way. Raises libvirtError."""
    domain = source.lookupByUUIDString(plan.vm_uuid)
    state, _ = domain.state()
    if kind_for(power_state(state)) is not plan.kind:
        sentence = f"{plan.vm_name} is {power_state(state)} on {plan.source.name} by now."
        yield _blocker("vm_state_changed", sentence, "Ask for the move again: it will be another kind of move.")
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
    yield from disks.copy_findings(plan, target)


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
        elif is_same and plan.kind is Kind.COLD:
            yield _blocker(
                "definition_there", f"{name} already keeps a definition of this VM.", "Undefine the older of the two."
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
    copied = {disk.path for disk in plan.copied_disks}
    for disk in described.disks:
        is_ours = disk.path in copied or not disk.path.startswith("/")
        if is_ours or disks.volume(target, disk.path) is not None:
            continue
        yield _blocker(
            "disk_not_there",
            f"Disk {disk.device} ({disk.path}) is in no storage repository of {plan.target.name}.",
            "Attach the storage there at the same path, or choose another host.",
        )
