"""The VM: what else works on it, what binds it to its host, what stands in its way on the target."""

from collections.abc import Iterator
from contextlib import suppress

import libvirt

from xenweb.core.facts import Kind, kind_for
from xenweb.core.placement import Finding, blocker, network_missing, note
from xenweb.drivers.libvirt_driver.checks.asked import Asked
from xenweb.drivers.libvirt_driver.errors import NO_JOB_CODES
from xenweb.drivers.libvirt_driver.inventory import bridges_of, power_state

_WORK = {
    libvirt.VIR_DOMAIN_JOB_OPERATION_START: "being started",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SAVE: "being saved",
    libvirt.VIR_DOMAIN_JOB_OPERATION_RESTORE: "being restored",
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN: "being moved here",
    libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT: "being moved away by another hand",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT: "having a snapshot taken",
    libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT_REVERT: "being reverted to a snapshot",
    libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP: "having its memory dumped",
    libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP: "being backed up",
}
_DISK_WORK = {
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL: "filled from its backing image",
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COPY: "copied",
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_COMMIT: "committed",
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_ACTIVE_COMMIT: "committed",
    libvirt.VIR_DOMAIN_BLOCK_JOB_TYPE_BACKUP: "backed up",
}


def state(asked: Asked) -> Iterator[Finding]:
    """Ask whether the VM is still what this kind of move moves: running, paused or halted."""
    plan, said = asked.plan, power_state(asked.domain.state()[0])
    if kind_for(said) is not plan.kind:
        yield blocker(
            "vm_state_changed",
            f"{plan.vm_name} is {said} on {plan.source.name} by now.",
            "Ask for the move again: it will be another kind of move.",
            state=said.value,
        )


def work(asked: Asked) -> Iterator[Finding]:
    """Look for work of the hypervisor that holds the VM: a save, a dump, a backup, a snapshot, a move."""
    plan = asked.plan
    stats = {}
    try:
        stats = asked.domain.jobStats()
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_TIMEOUT:
            stats = {"type": libvirt.VIR_DOMAIN_JOB_UNBOUNDED}  # whatever lets nobody ask is work
        elif error.get_error_code() not in NO_JOB_CODES:
            raise
    if stats.get("type"):
        what = _WORK.get(int(stats.get("operation", 0)), "being worked on")
        yield blocker(
            "vm_busy",
            f"{plan.vm_name} is {what} on {plan.source.name}, and its hypervisor does one thing at a time.",
            "Wait for that to end, or end it.",
            work=what,
        )


def monitor(asked: Asked) -> Iterator[Finding]:
    """Ask whether the VM's own hypervisor process still answers its daemon."""
    with suppress(libvirt.libvirtError):
        state = asked.domain.controlInfo()[0]
        if state == libvirt.VIR_DOMAIN_CONTROL_ERROR:
            yield blocker(
                "vm_not_answering",
                f"The hypervisor process of {asked.plan.vm_name} does not answer the daemon of "
                f"{asked.plan.source.name}.",
                "Restart that daemon; if that does not help, restart the VM.",
            )


def disk_work(asked: Asked) -> Iterator[Finding]:
    """Look for work on single disks, which must end before the VM moves."""
    if not asked.domain.isActive():
        return
    for disk in asked.described.disks:
        try:
            said = asked.domain.blockJobInfo(disk.device, 0)
        except libvirt.libvirtError as error:
            if error.get_error_code() in NO_JOB_CODES:
                return
            raise
        if said:
            what = _DISK_WORK.get(int(said.get("type", 0)), "worked on")
            yield blocker(
                "disk_busy",
                f"Disk {disk.device} of {asked.plan.vm_name} is being {what}.",
                "Wait for that to end, or end it.",
                device=disk.device,
                work=what,
            )


def devices(asked: Asked) -> Iterator[Finding]:
    """Name each device of the host that the VM uses; none of them moves along."""
    for device in asked.described.host_devices:
        yield blocker(
            "host_device",
            f"{asked.plan.vm_name} uses {device} of {asked.plan.source.name} itself, which cannot move along.",
            "Detach the device first.",
            device=device,
        )


def clashes(asked: Asked) -> Iterator[Finding]:
    """Look for the VM's UUID and its name on the target."""
    plan, target = asked.plan, asked.plan.target.name
    for other in asked.target.listAllDomains(0):
        is_same, name = other.UUIDString() == plan.vm_uuid, other.name()
        if is_same and other.isActive():
            yield blocker(
                "vm_runs_there",
                f"{target} has {name} running already, with the UUID of {plan.vm_name}.",
                "Find out which copy is right first.",
            )
        elif is_same and plan.kind is Kind.COLD:
            yield blocker(
                "definition_there",
                f"{target} already keeps a definition of {name}.",
                "Undefine the older of the two.",
            )
        elif is_same and name != plan.vm_name:
            yield blocker(
                "uuid_taken",
                f"{target} knows a VM called {name} that has the UUID of {plan.vm_name}.",
                f"Remove {name} there, or give it a UUID of its own.",
                other=name,
            )
        elif name == plan.vm_name and not is_same:
            yield blocker(
                "name_taken",
                f"{target} has another VM called {name}.",
                "Rename one of the two first.",
                other=name,
            )


def networks(asked: Asked) -> Iterator[Finding]:
    """Look for each network of the VM on the target, and whether it is switched on."""
    wanted = asked.described.networks
    there = {*asked.target.listNetworks(), *bridges_of(asked.target)} if wanted else set()
    for network in wanted:
        if network in there:
            continue
        if network in asked.target.listDefinedNetworks():
            yield blocker(
                "network_inactive",
                f"Network {network} of {asked.plan.target.name} is switched off.",
                f"Start {network} there.",
                network=network,
            )
        else:
            yield network_missing(network, asked.plan.target.name)


def fencing(asked: Asked) -> Iterator[Finding]:
    """Say whether anything keeps the VM from running twice.

    A lease in the VM's description is all that libvirt tells: which lock manager a host has,
    if any, it does not, and without one a lease holds nobody. A VM that does not run has no
    moment in which two copies could.
    """
    plan = asked.plan
    if plan.kind is not Kind.LIVE:
        return
    leases = ", ".join(asked.described.leases)
    if leases:
        yield note(
            "fenced",
            f"{plan.vm_name} has a lease ({leases}): only the host that holds it may run the VM. "
            "Whether both hosts have a lock manager that keeps to leases cannot be asked through libvirt.",
            "See that lock_manager is set in the qemu.conf of both hosts: without it a lease holds nobody.",
            leases=leases,
        )
        return
    yield note(
        "unfenced",
        f"{plan.vm_name} has no lease, and is taken as unfenced: if the libvirt daemon of {plan.target.name} dies "
        f"in the moment of the hand-over, libvirt may let the VM run on {plan.source.name} and there at once.",
        "Give both hosts a lock manager (virtlockd or sanlock), and the VM a lease. Whether a lock manager guards "
        "its disks already cannot be asked through libvirt.",
    )
