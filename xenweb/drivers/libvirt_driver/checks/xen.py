"""The checks of a move on Xen: its libvirt driver makes none, and fails without a cause once it has begun."""

from collections.abc import Iterator
from contextlib import suppress

import libvirt

from xenweb.core.facts import kind_for
from xenweb.core.placement import Finding, blocker, network_missing, note, warning
from xenweb.core.quantities import human_size
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.checks import hosts
from xenweb.drivers.libvirt_driver.checks.asked import Asked
from xenweb.drivers.libvirt_driver.checks.processor import INCOMPATIBLE, missing_features
from xenweb.drivers.libvirt_driver.errors import sentence_of
from xenweb.drivers.libvirt_driver.inventory import networks_of, power_state
from xenweb.drivers.libvirt_driver.xen import looks, moving

SLACK = 64 * 1024**2
"""Bytes that Xen needs for a guest besides its memory: page tables, its own books, one device model's ring."""


def connection(asked: Asked) -> Iterator[Finding]:
    """Say what is known of the way between the hosts, as QEMU's check does; memory goes unsealed here."""
    for each in hosts.connection(asked):
        if each.code == "target_address_local" and moving.address_for_source(asked.plan) != asked.plan.target.uri:
            continue
        yield each
    yield note(
        "memory_unsealed",
        f"The memory of {asked.plan.vm_name} goes to {asked.plan.target.name} unsealed: Xen knows no other way here.",
        "Keep the network between the hosts to yourself.",
    )


def processor(asked: Asked) -> Iterator[Finding]:
    """Compare the hosts' CPUs: a guest keeps the features that it saw when it was started."""
    cpu = description.host_cpu(asked.source.getCapabilities())
    plan = asked.plan
    if not cpu:
        yield _not_compared(asked)
        return
    try:
        asked.target.compareCPU(cpu, INCOMPATIBLE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_CPU_INCOMPATIBLE:
            missing = missing_features(error.get_error_message() or "")
            what = f"lacks {', '.join(missing)}" if missing else f"does not fit: {sentence_of(error)}"
            yield blocker(
                "cpu_incompatible",
                f"The CPU of {plan.target.name} {what.removesuffix('.')}; {plan.vm_name} may use it on "
                f"{plan.source.name}.",
                "Choose a host with the same CPU features, or level them on both hosts and restart the VM.",
                missing_features=missing,
            )
        elif error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            yield _not_compared(asked)
        else:
            raise


def _not_compared(asked: Asked) -> Finding:
    return note(
        "cpu_not_compared",
        f"Not checked: whether {asked.plan.target.name} gives {asked.plan.vm_name} the same CPU features.",
        "Keep the CPU features of both hosts on one level.",
    )


def memory_now(asked: Asked) -> Iterator[Finding]:
    """Compare what Xen has free on the target with what the VM takes: Xen promises no memory that it has not."""
    _, free = looks.memory_of(asked.target)
    needed = asked.described.memory + SLACK
    if free < needed:
        yield blocker(
            "memory_short_now",
            f"Xen has {human_size(free)} free on {asked.plan.target.name}, and {asked.plan.vm_name} takes "
            f"{human_size(asked.described.memory)} and a little for itself.",
            f"Free memory on {asked.plan.target.name}: move or stop another VM, or give its dom0 less.",
            free=free,
            needed=needed,
        )


def state(asked: Asked) -> Iterator[Finding]:
    """Ask whether the VM runs: libvirt first, and Xen itself where its probe answers."""
    plan, said = asked.plan, power_state(asked.domain.state()[0])
    copies = asked.probes.copies(plan.source, plan.vm_uuid)
    living = [each for each in copies or () if not each.dying]
    if any(each.is_suspended for each in living):
        yield blocker(
            "vm_suspended",
            f"{plan.vm_name} was suspended on {plan.source.name} for a move that failed, and stands still since.",
            "Let it go on first.",
        )
    elif any(each.runs for each in living) and said != "running":
        yield blocker(
            "vm_misread",
            f"{plan.vm_name} runs on {plan.source.name}, and its daemon takes it for {said}.",
            "Have that put right first: without it libvirt would move it as what it is not.",
            state=said.value,
        )
    elif kind_for(said) is not plan.kind:
        yield blocker(
            "vm_state_changed",
            f"{plan.vm_name} is {said} on {plan.source.name} by now.",
            "Ask for the move again: it will be another kind of move.",
            state=said.value,
        )


def virtual_numa(asked: Asked) -> Iterator[Finding]:
    """Look for NUMA nodes of the guest's own, with which Xen cannot save it."""
    if asked.described.has_virtual_numa:
        yield blocker(
            "virtual_numa",
            f"{asked.plan.vm_name} has NUMA nodes of its own, and Xen cannot save such a VM.",
            "Take the nodes out of its description, and restart it.",
        )


def leftover(asked: Asked) -> Iterator[Finding]:
    """Look for what a lost move left on the target: libvirt refuses every later move of the VM because of it."""
    plan = asked.plan
    found = False
    with suppress(libvirt.libvirtError):
        domain = asked.target.lookupByUUIDString(plan.vm_uuid)
        found = not domain.isActive() and looks.is_worked_on(domain)
    copies = asked.probes.copies(plan.target, plan.vm_uuid) or ()
    half_built = any(each.paused and each.cpu_time == 0 for each in copies)
    if found or half_built:
        yield blocker(
            "move_left_over",
            f"{plan.target.name} still keeps a half-built copy of {plan.vm_name} from a move that was lost.",
            f"Remove it there first (manage.py probe mend {plan.target.name} {plan.vm_uuid} remove), "
            "or restart its libvirtd.",
        )


def networks(asked: Asked) -> Iterator[Finding]:
    """Look for each bridge and network of the VM on the target, by libvirt and by its probe."""
    wanted, target = asked.described.networks, asked.plan.target
    if not wanted:
        return
    told = asked.probes.bridges(target)
    there = {*networks_of(asked.target), *(told or ())}
    missing = [each for each in wanted if each not in there]
    if missing and told is None and not there:
        yield warning(
            "networks_not_checked",
            f"Not checked: whether {target.name} has {', '.join(missing)}. Neither its daemon nor a probe tells.",
            "Look there for a bridge of the same name: without it the move fails at its very end.",
        )
        return
    for each in missing:
        yield network_missing(each, target.name)


def probed(asked: Asked) -> Iterator[Finding]:
    """Say what cannot be seen of a move without the probes."""
    for endpoint, what in (
        (asked.plan.source, "passes are not available on this host, elapsed time and estimate only, no way to give up"),
        (asked.plan.target, "the pause is not measured, and a half-built copy cannot be removed"),
    ):
        if not asked.probes.answers(endpoint):
            yield note(
                "probe_missing",
                f"The probe of {endpoint.name} does not answer: {what}.",
                f"Install it: manage.py probe install {endpoint.name}.",
                host=endpoint.name,
            )


def fencing(asked: Asked) -> Iterator[Finding]:
    """Say that nothing keeps the VM from running twice, where nothing is known to."""
    plan = asked.plan
    yield note(
        "unfenced",
        f"{plan.vm_name} is taken as unfenced: if {plan.source.name} loses the word of {plan.target.name} in the "
        "moment of the hand-over, libvirt cannot tell on which of the two it runs.",
        "Give both hosts a lock manager in libxl.conf. Whether one guards its disks cannot be asked through libvirt.",
    )
