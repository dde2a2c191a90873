"""What a VM's own record says against moving it, wherever to: seen before anybody asks, and for every VM at once."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from xenweb.core.placement import Finding, Severity, blocker, warning
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.homes import Tables
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.transport import Value
from xenweb.drivers.xapi_driver.words import Names, said

WITHIN, WITH_DISKS = "pool_migrate", "migrate_send"
GIVES_NO_REASON = frozenset({"", "true", "1", "yes"})
DEVICES = (("attached_PCIs", "a PCI device"), ("VUSBs", "a USB device"), ("VGPUs", "a virtual GPU"))


OF_THE_VM: Final = frozenset(
    {
        "VM_LACKS_FEATURE",
        "VM_LACKS_FEATURE_SHUTDOWN",
        "VM_LACKS_FEATURE_SUSPEND",
        "VM_MISSING_PV_DRIVERS",
        "VM_OLD_PV_DRIVERS",
        "VM_HAS_PCI_ATTACHED",
        "VM_HAS_SRIOV_VIF",
        "VM_HAS_VGPU",
        "VM_HAS_VUSBS",
        "VM_IS_USING_NESTED_VIRT",
        "VM_IS_IMMOBILE",
        "VM_HAS_NO_SUSPEND_SR",
        "OPERATION_BLOCKED",
        "OPERATION_NOT_ALLOWED",
    }
)
"""What keeps a VM wherever it could go. Of other refusals a pool thinks of its own plan, which copies no disks."""


def staying(tables: Tables, answer: Value) -> dict[str, Finding]:
    """Read what a pool says keeps a host from being emptied: by UUID, of the VMs that can go nowhere."""
    found, names = dict[str, Finding](), Names(tables)
    for ref, told in answer.items() if isinstance(answer, dict) else ():
        vm, words = tables["VM"].get(ref), [str(each) for each in told] if isinstance(told, list) else []
        if vm is None or not words or words[0] not in OF_THE_VM:
            continue
        saying = said(RefusedError(words[0], tuple(words[1:])), names)
        found[vm.text("uuid")] = blocker(saying.finding_code, saying.sentence, saying.remedy, **saying.facts)
    return found


def of(vm: Record) -> Iterator[Finding]:
    """Say what stands in the way of moving a VM that runs."""
    if vm.text_or("power_state") != "Running":
        return
    name = vm.text_or("name_label") or vm.text("uuid")
    found = [*forbidden(vm, name, WITHIN), *devices(vm, name)]
    yield from found
    if not found:
        # Whoever forbade only moves with disks left those within the pool alone.
        for each in forbidden(vm, name, WITH_DISKS):
            yield replace(each, severity=Severity.WARNING)
        yield from _not_offered(vm, name)


def forbidden(vm: Record, name: str, operation: str) -> Iterator[Finding]:
    """Look for a word that somebody left against moving this VM."""
    reason = vm.map("blocked_operations").get(operation)
    if reason is not None:
        why = ", and gave no reason" if reason.lower() in GIVES_NO_REASON else f": {reason}"
        yield blocker(
            "operation_blocked",
            f"Somebody forbade that {name} is moved{why}.",
            "Ask whoever did, or lift the block in the pool.",
            reason=reason,
        )


def devices(vm: Record, name: str) -> Iterator[Finding]:
    """Name what binds the VM to the devices of its host."""
    for field, what in DEVICES:
        if vm.many(field):
            yield blocker(
                "host_device",
                f"{name} uses {what} of its host, which cannot move along.",
                "Detach the device first.",
                device=what,
            )


def _not_offered(vm: Record, name: str) -> Iterator[Finding]:
    """Tell that the pool does not offer it; its list is advice, and what it leaves out may be allowed all the same."""
    allowed = vm.many("allowed_operations")
    if allowed and not vm.map("current_operations") and not {WITHIN, WITH_DISKS} & set(allowed):
        yield warning(
            "move_not_offered",
            f"The pool does not list moving among what {name} allows now, and does not say why.",
            "Most often its guest tools do not run. It is asked for the reason when the move begins.",
        )
