"""The two hosts: versions, the way from one to the other, emulator and machine, memory at this moment, clocks."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import libvirt

from xenweb.core.facts import Kind
from xenweb.core.placement import Finding, blocker, hypervisor_older, note, warning
from xenweb.core.quantities import Bytes, human_size
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.checks.asked import Asked
from xenweb.drivers.libvirt_driver.inventory import dotted, memory_of, version_of

SAME_TIME_BASE = frozenset({"kvm", "xen"})
"""Kinds of domains that take the time of their host at the hand-over."""


def versions(asked: Asked) -> Iterator[Finding]:
    """Compare hypervisors and daemons: a move to an older one is seldom tested."""
    plan = asked.plan
    yield from hypervisor_older(plan.source.name, version_of(asked.source), plan.target.name, version_of(asked.target))
    here, there = asked.source.getLibVersion(), asked.target.getLibVersion()
    if there < here:
        yield warning(
            "daemon_older",
            f"The libvirt of {plan.target.name} ({dotted(there)}) is older than that of "
            f"{plan.source.name} ({dotted(here)}).",
            "Update the target's libvirt first if you can.",
            source_version=dotted(here),
            target_version=dotted(there),
        )


def identity(asked: Asked) -> Iterator[Finding]:
    """Say what is certain to fail between two daemons: libvirt tells hosts apart by their UUID alone."""
    here = description.host(asked.source.getCapabilities())[0]
    there = description.host(asked.target.getCapabilities())[0]
    if here and here == there:
        yield blocker(
            "host_uuid_same",
            f"{asked.plan.source.name} and {asked.plan.target.name} call themselves by one UUID, "
            "so libvirt takes them for one host.",
            "Give each its own host_uuid in libvirtd.conf.",
            uuid=here,
        )


def connection(asked: Asked) -> Iterator[Finding]:
    """Say what is known of the way between the hosts.

    The source's daemon makes the connection, and nothing in libvirt's API lets
    anybody else try it: only what is certain to fail is a reason.
    """
    source, target = asked.plan.source, asked.plan.target
    if not urlsplit(target.uri).netloc and not urlsplit(target.uri).query:
        yield blocker(
            "target_address_local",
            f"{target.name} is known by an address that only means this machine, and {source.name} would call itself.",
            f"Add {target.name} by a name that {source.name} can reach.",
        )
    calls_itself = asked.target.getHostname()
    if not target.migration_address and calls_itself.startswith("localhost"):
        yield blocker(
            "target_name_local",
            f"{target.name} calls itself {calls_itself}, so {source.name} would look for it in the wrong place.",
            f"Give {target.name} a migration address, or a host name of its own.",
            calls_itself=calls_itself,
        )
    where = target.migration_address or calls_itself
    yield note(
        "connection_not_checked",
        f"Not checked: whether {source.name} reaches the daemon of {target.name}, and {where} for the memory. "
        "Only the move itself can show it.",
        "If it does not, the move ends before anything is copied.",
        calls_itself=calls_itself,
        memory_goes_to=where,
    )


def emulator(asked: Asked) -> Iterator[Finding]:
    """Look for the VM's emulator at the same path on the target."""
    vm, target = asked.described, asked.plan.target.name
    if not vm.emulator or vm.emulator in description.emulators(asked.target.getCapabilities()):
        return
    try:
        # A path that no package put there is not listed, and may exist all the same.
        asked.target.getDomainCapabilities(vm.emulator, vm.architecture or None, None, vm.domain_type or None, 0)
    except libvirt.libvirtError:
        yield blocker(
            "emulator_missing",
            f"{target} has no emulator at {vm.emulator}, which {asked.plan.vm_name} runs on.",
            "Install the same hypervisor there, or choose another host.",
            emulator=vm.emulator,
        )


def machine(asked: Asked) -> Iterator[Finding]:
    """Look for the VM's machine type among those of the target."""
    vm = asked.described
    known = description.machines(asked.target.getCapabilities())
    if vm.machine and known and vm.machine not in known:
        yield blocker(
            "machine_type_missing",
            f"{asked.plan.target.name} does not know the machine type {vm.machine}.",
            "Update the hypervisor there, or choose another host.",
            machine=vm.machine,
        )


def memory_now(asked: Asked) -> Iterator[Finding]:
    """Compare what the target has free at this moment with what the VM may claim, and holds."""
    if asked.plan.kind is Kind.COLD:
        return  # takes nothing until somebody starts it
    _, free = memory_of(asked.target, asked.plan.target.uri)
    needed = asked.described.memory
    if free is None or free >= needed:
        return
    held = _held(asked.domain)
    holds = "" if held is None else f" It holds {human_size(held)} on {asked.plan.source.name} now."
    yield warning(
        "memory_tight_now",
        f"{asked.plan.target.name} has {human_size(free)} free at this moment, "
        f"and {asked.plan.vm_name} may claim {human_size(needed)}.{holds}",
        f"Free memory on {asked.plan.target.name} before it is claimed.",
        free=free,
        needed=needed,
        held=held,
    )


def _held(domain: libvirt.virDomain) -> Bytes | None:
    try:
        said = domain.memoryStats().get("rss")
    except libvirt.libvirtError:
        return None
    return None if said is None else Bytes(said * 1024)


def clocks(asked: Asked) -> Iterator[Finding]:
    """Say that clocks are not compared, where a guest takes its host's time along."""
    if asked.described.domain_type not in SAME_TIME_BASE:
        return
    yield note(
        "clocks_not_compared",
        f"Not available: how far the clocks of {asked.plan.source.name} and {asked.plan.target.name} are apart. "
        f"{asked.plan.vm_name} takes the time of its host when it is handed over.",
        "Keep both hosts on one source of time.",
    )
