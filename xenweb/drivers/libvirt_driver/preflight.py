"""Ask both hosts what only they can say about a move, right before it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import libvirt

from xenweb.core.placement import Finding, blocker
from xenweb.drivers.contract import DriverError, Endpoint, HostUnreachableError, MigrationPlan, VmMissingError
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.checks import hosts, processor, storage, vm
from xenweb.drivers.libvirt_driver.checks.asked import Asked, Check, Need, guarded
from xenweb.drivers.libvirt_driver.connections import is_alive
from xenweb.drivers.libvirt_driver.errors import translated

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


def findings_of(plan: MigrationPlan, reach: Callable[[Endpoint], libvirt.virConnect]) -> Iterator[Finding]:
    """Make every check that can be made; a host that does not answer is a finding like any other."""
    asked = Asked(plan)
    # Side by side: over ssh a host may take most of a second to let us in.
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="reach") as reaching:
        source, target = (reaching.submit(reach, each) for each in (plan.source, plan.target))
    try:
        asked = replace(asked, source=source.result())
    except DriverError as error:
        yield _unreachable("source_unreachable", plan.source, error)
    try:
        asked = replace(asked, target=target.result())
    except DriverError as error:
        yield _unreachable("host_unreachable", plan.target, error)
    if asked.source is not None:
        try:
            domain = asked.source.lookupByUUIDString(plan.vm_uuid)
            migratable = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)
            asked = replace(asked, domain=domain, described=description.domain(migratable))
        except (libvirt.libvirtError, DriverError) as error:
            yield _undescribed(plan, error)
    for check in CHECKS:
        if check.needs in asked.has:
            yield from guarded(check.subject, partial(check.look, asked))
    yield from _lost_meanwhile(asked)


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
