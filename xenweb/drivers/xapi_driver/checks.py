"""What we see ourselves in the pool's records: all reasons, where XAPI's own checks tell the first alone."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from xenweb.core.facts import Kind, kind_for
from xenweb.core.placement import CPU_FEATURES_LACKING, Finding, blocker, hypervisor_older, network_missing, note
from xenweb.core.quantities import human_size
from xenweb.drivers.contract import MigrationPlan, MoveRefusedError
from xenweb.drivers.xapi_driver import obstacles
from xenweb.drivers.xapi_driver.homes import disks_of, image_of, is_moving, reaches, stands_on
from xenweb.drivers.xapi_driver.inventory import device_of, snapshot_of, state_of
from xenweb.drivers.xapi_driver.maps import End, disk_map, disk_uuid, missing_networks, repository_for
from xenweb.drivers.xapi_driver.records import NULL, Record, record_of
from xenweb.drivers.xapi_driver.transport import whole
from xenweb.drivers.xapi_driver.words import OPERATIONS

LATE_FEATURE = "feature-suspend"
SENDS = "migrate_send"
"""What XAPI calls it at a VM that its disks are copied, whether it moves with them or one of them moves alone."""

MOST_COPIES = 3
"""So many VMs one host copies the disks of at once; the next call is refused with TOO_MANY_STORAGE_MIGRATES."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Both ends and the VM; None where one does not answer. A check that needs it is not made."""

    plan: MigrationPlan
    source: End | None = None
    target: End | None = None
    vm: Record | None = None

    @property
    def is_one_pool(self) -> bool:
        """Say whether both ends are in one pool."""
        return self.source is not None and self.target is not None and self.source.pool is self.target.pool

    @property
    def operation(self) -> str:
        """Name the operation that the move would be."""
        is_plain = self.is_one_pool and not self.plan.copied_disks and not self.has_image_to_move
        return "pool_migrate" if is_plain else "migrate_send"

    @property
    def has_image_to_move(self) -> bool:
        """Say whether the memory of a suspended VM is kept where the target does not reach it."""
        if self.source is None or self.target is None or self.vm is None:
            return False
        image = image_of(self.source.tables, self.vm)
        if image is None:
            return False
        return not self.is_one_pool or not reaches(self.target.tables, self.target.host.ref, image.ref_or_null("SR"))


def state(plan: MigrationPlan, vm: Record) -> Iterator[Finding]:
    """Ask whether the VM is still what this kind of move moves."""
    said = state_of(vm)
    if kind_for(said) is not plan.kind:
        yield blocker(
            "vm_state_changed",
            f"{plan.vm_name} is {vm.text_or('power_state', 'in no state that is told').lower()} by now.",
            "Ask for the move again: it will be another kind of move.",
            state=said.value,
        )


def place(plan: MigrationPlan, vm: Record, source: End) -> Iterator[Finding]:
    """Ask whether the VM is still where it is to be moved from: in its pool it is found wherever it went."""
    if kind_for(state_of(vm)) is plan.kind and stands_on(source.tables, vm) != source.host.ref:
        yield blocker(
            "vm_left_source",
            f"{plan.vm_name} is no longer on {plan.source.name}.",
            "Look at the board again: somebody moved it meanwhile.",
        )


def work(plan: MigrationPlan, vm: Record) -> Iterator[Finding]:
    """Look for what else is done to the VM: XAPI would let the move wait for up to two hours."""
    operations = sorted(set(vm.map("current_operations").values()))
    if operations or is_moving(vm):
        doing = " and ".join(OPERATIONS.get(each, f"busy with {each}") for each in operations) or "being moved"
        yield blocker(
            "vm_busy",
            f"{plan.vm_name} is {doing} by another hand.",
            "Wait for that to end, or end it.",
            work=tuple(operations),
        )


def copies(plan: MigrationPlan, vm: Record, source: End) -> Iterator[Finding]:
    """Count what other hands have under way: a host that copies disks of as many VMs as it may refuses the next."""
    if plan.kind is not Kind.LIVE:
        return  # which host sends a VM that runs nowhere is its pool's to choose
    beside = [
        each
        for each in source.tables["VM"].values()
        if each.ref_or_null("resident_on") == source.host.ref and each.ref != vm.ref
    ]
    busy = [each.text_or("name_label") for each in beside if SENDS in each.map("current_operations").values()]
    if len(busy) >= MOST_COPIES:
        yield blocker(
            "host_copies_enough",
            f"{plan.source.name} already copies disks of {len(busy)} VMs ({', '.join(sorted(busy))}), "
            "and does not take more at once.",
            "Wait for one of them to end, then move again.",
            vms=tuple(sorted(busy)),
        )


def blocked(plan: MigrationPlan, vm: Record, operation: str) -> Iterator[Finding]:
    """Look for a word that somebody left against moving this VM."""
    if plan.kind is Kind.LIVE:
        yield from obstacles.forbidden(vm, plan.vm_name, operation)


def hardware(plan: MigrationPlan, vm: Record) -> Iterator[Finding]:
    """Name what binds the VM to the devices of its host."""
    yield from obstacles.devices(vm, plan.vm_name)


def guest(plan: MigrationPlan, vm: Record, source: End) -> Iterator[Finding]:
    """Ask whether the guest can be suspended for the hand-over."""
    if plan.kind is not Kind.LIVE or vm.text_or("power_state") != "Running":
        return
    ref = vm.ref_or_null("guest_metrics")
    told = source.pool.record("VM_guest_metrics", ref) if ref != NULL else record_of("VM_guest_metrics", ref, {})
    other = told.map("other")
    if other.get("data-cant-suspend-reason"):
        yield blocker(
            "vm_non_suspendable",
            f"The guest in {plan.vm_name} says that it cannot be suspended now: {other['data-cant-suspend-reason']}.",
            "End what the guest names, then try again.",
        )
    elif LATE_FEATURE not in other and not told.flag("PV_drivers_detected") and vm.text_or("domain_type") != "pv":
        yield blocker(
            "vm_lacks_feature",
            f"The guest tools do not run in {plan.vm_name}, so it can be neither suspended nor moved live.",
            "Install or start the guest tools in it, or shut it down and move it halted.",
        )


def target_host(plan: MigrationPlan, target: End) -> Iterator[Finding]:
    """Ask whether the target is in service."""
    if target.host.flag("enabled") is False:
        yield blocker(
            "host_disabled",
            f"{plan.target.name} is in maintenance and takes no VMs.",
            "Enable it in its pool, or choose another host.",
        )


def identity(plan: MigrationPlan, target: End) -> Iterator[Finding]:
    """Refuse another pool that has a VM of the same UUID: once both were there, nobody could tell them apart."""
    for other in target.tables["VM"].values():
        if other.text_or("uuid") == plan.vm_uuid:
            name = other.text_or("name_label")
            yield blocker(
                "uuid_taken",
                f"The pool of {plan.target.name} knows a VM called {name} that has the UUID of {plan.vm_name}.",
                "Find out which of the two is right, and remove the other.",
                other=name,
            )


def versions(plan: MigrationPlan, source: End, target: End) -> Iterator[Finding]:
    """Compare the hosts' software: a move to an older one is seldom tested."""
    here, there = (snapshot_of(each.tables, each.host, None).version for each in (source, target))
    yield from hypervisor_older(plan.source.name, here, plan.target.name, there)


def processor(plan: MigrationPlan, vm: Record, target: End) -> Iterator[Finding]:
    """Compare what the VM was started with to what the target's CPU has: no move may lose a feature."""
    flags, cpu = vm.map("last_boot_CPU_flags"), target.host.map("cpu_info")
    if plan.kind is not Kind.LIVE or not flags:
        return
    here, there = flags.get("vendor", ""), cpu.get("vendor", "")
    mine = "features_pv" if vm.text_or("domain_type") == "pv" else "features_hvm"
    lacking = (_bits(flags.get("features", "")) & ~_bits(cpu.get(mine, ""))).bit_count() if cpu.get(mine) else 0
    if here and there and here != there:
        # No wish helps here: the guest would stop at the first instruction that the other make does not know.
        yield blocker(
            "cpu_vendor_differs",
            f"{plan.vm_name} was started on a CPU of {here}, and {plan.target.name} has one of {there}.",
            "Choose a host of the same make of CPU, or shut the VM down and start it there.",
            vendor_here=here,
            vendor_there=there,
        )
    elif lacking:
        features = "1 feature" if lacking == 1 else f"{lacking} features"
        yield blocker(
            CPU_FEATURES_LACKING,
            f"{plan.vm_name} cannot go on at {plan.target.name}: it was started with {features} of the CPU that "
            f"{plan.target.name} does not have.",
            "Choose a host with a newer CPU, or shut the VM down and start it there.",
            features_lacking=lacking,
        )


def _bits(features: str) -> int:
    try:
        return int(features.replace("-", "") or "0", 16)
    except ValueError:
        return 0


def memory_now(plan: MigrationPlan, vm: Record, target: End) -> Iterator[Finding]:
    """Ask how much memory the target has free at this moment, and what the VM needs at least."""
    if plan.kind is not Kind.LIVE:
        return
    free = whole(target.pool.call("host.compute_free_memory", target.host.ref))
    needed = (vm.number("memory_dynamic_min") or 0) + (vm.number("memory_overhead") or 0)
    if free is not None and needed > free:
        yield blocker(
            "host_not_enough_free_memory",
            f"{plan.vm_name} needs at least {human_size(needed)}, and {plan.target.name} has {human_size(free)} free.",
            f"Free memory on {plan.target.name}, or choose another host.",
            needed=needed,
            free=free,
        )


def networks(plan: MigrationPlan, vm: Record, source: End, target: End) -> Iterator[Finding]:
    """Look at the target for each network that the VM is to be on there."""
    for network in missing_networks(plan, vm, source, target):
        yield network_missing(network, plan.target.name)


def disks(plan: MigrationPlan, vm: Record, source: End, target: End) -> Iterator[Finding]:
    """Look for each disk of the VM at the target: its storage attached there, or a place for its copy."""
    copied = {disk_uuid(disk.path): disk for disk in plan.copied_disks}
    coming = defaultdict[str, int](int)
    for vbd, vdi in disks_of(source.tables, vm):
        disk, device = copied.get(vdi.text_or("uuid")), device_of(vbd)
        if disk is not None:
            there = repository_for(target.tables, target.host.ref, disk)
            if there is not None:
                coming[there.ref] += vdi.number("virtual_size") or 0
            yield from _copied(plan, vdi, device, there, coming[there.ref] if there else 0)
        elif source.pool is not target.pool or not reaches(target.tables, target.host.ref, vdi.ref_or_null("SR")):
            yield _not_there(plan, device, source.tables["SR"].get(vdi.ref_or_null("SR")))
        else:
            yield note(
                "disk_same",
                f"Disk {device} of {plan.vm_name} is on storage that both hosts have attached, by the pool's records.",
                "Nothing to do.",
                device=device,
            )


def image(asked: Asked) -> Iterator[Finding]:
    """Say that the memory of a suspended VM goes along, and look for room for it."""
    plan, vm, source, target = asked.plan, asked.vm, asked.source, asked.target
    if vm is None or source is None or target is None or not asked.has_image_to_move:
        return
    kept = image_of(source.tables, vm)
    size = (kept.number("virtual_size") if kept else None) or 0
    try:
        there = target.tables["SR"][disk_map(plan, vm, source, target)[vm.ref_or_null("suspend_VDI")]]
    except MoveRefusedError as refused:
        yield blocker("disk_not_there", refused.sentence, "Attach storage there, or resume the VM first.")
        return
    name, total, used = there.text_or("name_label"), there.number("physical_size"), there.number("physical_utilisation")
    if total and used is not None and size > total - used:
        yield blocker(
            "storage_full",
            f"{human_size(size)} of kept memory must be copied, and {name} on {plan.target.name} "
            f"has {human_size(max(0, total - used))} free.",
            "Free space there, or resume the VM first.",
            needed=size,
            free=total - used,
        )
    yield note(
        "suspend_image_moves",
        f"{human_size(size)} of memory of {plan.vm_name}, which is suspended, go along to {name}.",
        "It stays suspended, and goes on from there once it is resumed.",
        bytes=size,
    )


def _not_there(plan: MigrationPlan, device: str, sr: Record | None) -> Finding:
    where = sr.text_or("name_label") if sr else "storage"
    return blocker(
        "disk_not_there",
        f"Disk {device} of {plan.vm_name} is on {where}, which {plan.target.name} does not reach.",
        "Attach that storage there, move the disk along, or choose another host.",
        device=device,
    )


def _copied(plan: MigrationPlan, vdi: Record, device: str, there: Record | None, needed: int) -> Iterator[Finding]:
    """Look at one disk that is copied; ``needed`` are the bytes of all those so far that go to the same place."""
    if there is None:
        yield blocker(
            "disk_not_there",
            f"{plan.target.name} has no storage repository that takes disk {device} of {plan.vm_name}.",
            "Choose storage that it has attached, or choose another host.",
            device=device,
        )
        return
    size, used = there.number("physical_size"), there.number("physical_utilisation")
    if size and used is not None and needed > size - used:
        yield blocker(
            "storage_full",
            f"{human_size(needed)} of disk must be copied, and {there.text_or('name_label')} on {plan.target.name} "
            f"has {human_size(max(0, size - used))} free.",
            "Free space there, or choose another host.",
            needed=needed,
            free=size - used,
        )
    if vdi.flag("cbt_enabled"):
        yield blocker(
            "vdi_cbt_enabled",
            f"Disk {device} of {plan.vm_name} has changed block tracking on, and cannot move.",
            "Switch it off for the time of the move; backups then begin anew.",
            device=device,
        )
    if vdi.text_or("on_boot") == "reset":
        yield blocker(
            "vdi_on_boot_reset",
            f"Disk {device} of {plan.vm_name} forgets its changes at each start, and cannot move.",
            "Let the disk keep its changes, or move the VM halted.",
            device=device,
        )
