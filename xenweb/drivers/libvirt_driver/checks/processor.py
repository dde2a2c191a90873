"""The CPU that the VM was started with, and the one that it would get."""

import re
from collections.abc import Iterator

import libvirt

from xenweb.core.placement import Finding, blocker, note
from xenweb.drivers.libvirt_driver import description
from xenweb.drivers.libvirt_driver.checks.asked import Asked
from xenweb.drivers.libvirt_driver.errors import sentence_of

INCOMPATIBLE = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
_FEATURES = re.compile(r"features?: *([\w.,\- ]+)")


def processor(asked: Asked) -> Iterator[Finding]:
    """Compare the VM's live CPU with what the target's hypervisor can give it."""
    vm = asked.described
    if not vm.cpu:
        return
    try:
        if vm.has_host_cpu:
            asked.target.compareCPU(description.host_cpu(asked.source.getCapabilities()), INCOMPATIBLE)
        else:
            asked.target.compareHypervisorCPU(
                vm.emulator or None,
                vm.architecture or None,
                vm.machine or None,
                vm.domain_type or None,
                vm.cpu,
                INCOMPATIBLE,
            )
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_CPU_INCOMPATIBLE:
            yield _incompatible(asked, error)
        elif error.get_error_code() == libvirt.VIR_ERR_NO_SUPPORT:
            yield note(
                "cpu_not_compared",
                f"Not checked: whether {asked.plan.target.name} gives {asked.plan.vm_name} the same CPU. "
                "This hypervisor cannot compare them.",
                "Keep the CPU features of both hosts on one level.",
            )
        else:
            raise


def missing_features(said: str) -> tuple[str, ...]:
    """Read the names of CPU features out of libvirt's message; empty if it names none."""
    found = _FEATURES.search(said)
    return tuple(each.strip() for each in found[1].split(",") if each.strip()) if found else ()


def _incompatible(asked: Asked, error: libvirt.libvirtError) -> Finding:
    missing = missing_features(error.get_error_message() or "")
    target, vm = asked.plan.target.name, asked.plan.vm_name
    what = f"lacks {', '.join(missing)}, which {vm} uses." if missing else f"does not fit {vm}. {sentence_of(error)}"
    return blocker(
        "cpu_incompatible",
        f"The CPU of {target} {what}",
        "Choose a host with these features, or start the VM with a smaller CPU model.",
        missing_features=missing,
    )
