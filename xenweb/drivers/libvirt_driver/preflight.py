"""Ask both hosts what only they can say about a move, right before it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial

import libvirt

from xenweb.core.placement import Finding, blocker
from xenweb.drivers.contract import (
    DriverError,
    Endpoint,
    HostUnreachableError,
    MigrationPlan,
    Preflight,
    VmMissingError,
)
from xenweb.drivers.libvirt_driver import description, levers
from xenweb.drivers.libvirt_driver.checks import hosts, processor, storage, vm, xen, xen_disks, xen_volumes
from xenweb.drivers.libvirt_driver.checks.asked import Asked, Check, Need, guarded
from xenweb.drivers.libvirt_driver.connections import is_alive
from xenweb.drivers.libvirt_driver.dialects import Dialect, dialect_of
from xenweb.drivers.libvirt_driver.errors import translated
from xenweb.drivers.libvirt_driver.xen import moving
from xenweb.drivers.libvirt_driver.xen.probing import Probes

HOSTS = Need.SOURCE | Need.TARGET
ALL = HOSTS | Need.VM

CHECKS = (
    Check("the versions", HOSTS, hosts.versions),
    Check("the hosts' own UUIDs", HOSTS, hosts.identity),
    Check("the way between the hosts", Need.TARGET, hosts.connection),
    Check("the emulator", Need.TARGET | Need.VM, hosts.emulator),
    Check("the machine type", Need.TARGET | Need.VM, hosts.machine),
    Check("the CPU", ALL, processor.processor),
    Check("the memory at this moment", Need.TARGET | Need.VM, hosts.memory_now),
    Check("the VM's state", Need.VM, vm.state),
    Check("the clocks", Need.VM, hosts.clocks),
    Check("other work on the VM", Need.VM, vm.work),
    Check("the VM's own process", Need.VM, vm.monitor),
    Check("work on the disks", Need.VM, vm.disk_work),
    Check("the host's devices", Need.VM, vm.devices),
    Check("names and UUIDs", Need.TARGET, vm.clashes),
    Check("the networks", Need.TARGET | Need.VM, vm.networks),
    Check("the disks", Need.TARGET | Need.VM, storage.disks),
    Check("the room for disks", Need.TARGET, storage.copies),
    Check("the fencing", Need.VM, vm.fencing),
)


XEN_CHECKS = (
    Check("the versions", HOSTS, hosts.versions),
    Check("the hosts' own UUIDs", HOSTS, hosts.identity),
    Check("the way between the hosts", Need.TARGET, xen.connection),
    Check("the CPU", HOSTS, xen.processor),
    Check("the memory at this moment", Need.TARGET | Need.VM, xen.memory_now),
    Check("the VM's state", Need.VM, xen.state),
    Check("other work on the VM", Need.VM, vm.work),
    Check("the host's devices", Need.VM, vm.devices),
    Check("its own NUMA nodes", Need.VM, xen.virtual_numa),
    Check("names and UUIDs", Need.TARGET, vm.clashes),
    Check("what an earlier move left", Need.TARGET, xen.leftover),
    Check("the networks", Need.TARGET | Need.VM, xen.networks),
    Check("the disks", Need.TARGET | Need.VM, xen_disks.disks),
    Check("the logical volumes", Need.VM, xen_volumes.volumes),
    Check("the iSCSI sessions", Need.VM, xen_volumes.sessions),
    Check("what the probes can tell", HOSTS, xen.probed),
    Check("the fencing", Need.VM, xen.fencing),
)
"""libvirt's Xen driver checks next to nothing by itself before it copies: these are all there are."""


def preflight_of(
    plan: MigrationPlan, reach: Callable[[Endpoint], libvirt.virConnect], probes: Probes | None = None
) -> Preflight:
    """Make every check that can be made, and write the same call for a person."""
    asked, findings = _reached(plan, reach)
    is_xen = dialect_of(plan.source.uri) is Dialect.XEN
    if probes is not None:
        asked = replace(asked, probes=probes)
    for check in XEN_CHECKS if is_xen else CHECKS:
        if check.needs in asked.has:
            findings += guarded(check.subject, partial(check.look, asked))
    findings += _lost_meanwhile(asked)
    write = moving.command if is_xen else levers.command
    moved = xen_volumes.moved(asked) if is_xen and Need.VM in asked.has else ()
    return Preflight(tuple(findings), write(plan, is_persistent=_is_persistent(asked)), moved)


def _reached(plan: MigrationPlan, reach: Callable[[Endpoint], libvirt.virConnect]) -> tuple[Asked, list[Finding]]:
    """Reach both hosts and the VM; a host that does not answer is a finding like any other."""
    asked, findings = Asked(plan), []
    # Side by side: over ssh a host may take most of a second to let us in.
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="reach") as reaching:
        source, target = (reaching.submit(reach, each) for each in (plan.source, plan.target))
    try:
        asked = replace(asked, source=source.result())
    except DriverError as error:
        findings.append(_unreachable("source_unreachable", plan.source, error))
    try:
        asked = replace(asked, target=target.result())
    except DriverError as error:
        findings.append(_unreachable("host_unreachable", plan.target, error))
    if asked.source is not None:
        try:
            domain = asked.source.lookupByUUIDString(plan.vm_uuid)
            migratable = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)
            asked = replace(asked, domain=domain, described=description.domain(migratable))
        except (libvirt.libvirtError, DriverError) as error:
            findings.append(_undescribed(plan, error))
    return asked, findings


def _is_persistent(asked: Asked) -> bool:
    """Say whether the VM is defined at its source; where nobody says, it is, as nearly all are."""
    if asked.domain is not None:
        with suppress(libvirt.libvirtError):
            return bool(asked.domain.isPersistent())
    return True


def _unreachable(code: str, endpoint: Endpoint, error: DriverError) -> Finding:
    return blocker(code, error.sentence, error.remedy, host=endpoint.name)


def _undescribed(plan: MigrationPlan, error: libvirt.libvirtError | DriverError) -> Finding:
    found = error if isinstance(error, DriverError) else translated(error, plan.source.name)
    if isinstance(found, VmMissingError):
        sentence = f"{plan.source.name} does not know {plan.vm_name}."
        return blocker(found.code, sentence, found.remedy, host=plan.source.name)
    return blocker(
        "vm_undescribed",
        f"{plan.source.name} cannot describe {plan.vm_name}: {found.sentence}",
        found.remedy,
        host=plan.source.name,
    )


def _lost_meanwhile(asked: Asked) -> Iterator[Finding]:
    """Find a host whose connection broke during the checks: what it did not say is then no wonder."""
    pairs = (
        ("source_unreachable", asked.plan.source, asked.source),
        ("host_unreachable", asked.plan.target, asked.target),
    )
    for code, endpoint, connection in pairs:
        if connection is not None and not is_alive(connection):
            lost = HostUnreachableError(f"The connection to {endpoint.name} was lost while it was asked.")
            yield _unreachable(code, endpoint, lost)
