"""What a pool refuses, in the order in which XAPI looks: the first reason is the only one that is told."""

from collections.abc import Mapping

from xenweb.lab.xapi.model import NULL
from xenweb.lab.xapi.pool import Pool
from xenweb.lab.xapi.wire import XapiError

POWER = {
    "pool_migrate": ("Running",),
    "migrate_send": ("Running", "Suspended", "Halted"),
    "pause": ("Running",),
    "unpause": ("Paused",),
    "start": ("Halted",),
    "start_on": ("Halted",),
    "clean_shutdown": ("Running",),
    "hard_shutdown": ("Running", "Paused", "Suspended"),
    "suspend": ("Running",),
    "resume": ("Suspended",),
    "resume_on": ("Suspended",),
    "destroy": ("Halted",),
}
MOVES = frozenset({"pool_migrate", "migrate_send"})
NEEDS_GUEST = frozenset({"pool_migrate", "suspend"})
HARDWARE = (("attached_PCIs", "VM_HAS_PCI_ATTACHED"), ("VGPUs", "VM_HAS_VGPU"), ("VUSBs", "VM_HAS_VUSBS"))
MOST_STORAGE_MOVES = 3


def lifecycle(pool: Pool, vm: str, operation: str, *, strict: bool = True) -> None:
    """Refuse an operation that the VM's own state forbids."""
    store = pool.store
    reason = store.mapped("VM", vm, "blocked_operations").get(operation)
    if reason is not None:
        raise XapiError("OPERATION_BLOCKED", vm, reason)
    state, expected = store.text("VM", vm, "power_state"), POWER.get(operation)
    if expected is not None and state not in expected:
        raise XapiError("VM_BAD_POWER_STATE", vm, ", ".join(expected).lower(), state.lower())
    under_way = store.mapped("VM", vm, "current_operations")
    if under_way:
        names = sorted(set(under_way.values()))
        said = names[0] if len(names) == 1 else "{" + ",".join(names) + "}"
        raise XapiError("OTHER_OPERATION_IN_PROGRESS", "VM", vm, said, *under_way)
    _is_ordinary(pool, vm, operation, strict=strict)
    if state == "Running" and (operation in NEEDS_GUEST or operation == "migrate_send"):
        _guest(pool, vm, strict=strict)
    if operation in MOVES:
        for field, code in HARDWARE:
            if store.listed("VM", vm, field):
                raise XapiError(code, vm)


def _is_ordinary(pool: Pool, vm: str, operation: str, *, strict: bool) -> None:
    store = pool.store
    if store.flag("VM", vm, "is_a_template"):
        raise XapiError("VM_IS_TEMPLATE", vm)
    if store.flag("VM", vm, "is_a_snapshot"):
        raise XapiError("VM_IS_SNAPSHOT", vm, operation)
    if operation in MOVES and strict:
        _immobile(pool, vm)
    if store.flag("VM", vm, "is_control_domain"):
        raise XapiError("OPERATION_NOT_ALLOWED", "Operations on domain 0 are not allowed")


def _immobile(pool: Pool, vm: str) -> None:
    metrics = pool.store.text("VM", vm, "metrics")
    if pool.store.has("VM_metrics", metrics):
        flags = (pool.store.flag("VM_metrics", metrics, name) for name in ("nomigrate", "nested_virt"))
        if any(flags):
            raise XapiError("VM_IS_IMMOBILE", vm)


def _guest(pool: Pool, vm: str, *, strict: bool) -> None:
    metrics, store = pool.store.text("VM", vm, "guest_metrics"), pool.store
    said = store.mapped("VM_guest_metrics", metrics, "other") if store.has("VM_guest_metrics", metrics) else {}
    if said.get("data-cant-suspend-reason"):
        raise XapiError("VM_NON_SUSPENDABLE", vm, said["data-cant-suspend-reason"])
    has_tools = store.has("VM_guest_metrics", metrics) and store.flag(
        "VM_guest_metrics", metrics, "PV_drivers_detected"
    )
    if strict and not has_tools and "feature-suspend" not in said:
        raise XapiError("VM_LACKS_FEATURE", vm)


def host_is_ready(pool: Pool, host: str) -> None:
    """Refuse a host that is not live, or is in maintenance."""
    store = pool.store
    if not store.flag("host_metrics", store.text("host", host, "metrics"), "live"):
        raise XapiError("HOST_NOT_LIVE")
    if not store.flag("host", host, "enabled"):
        raise XapiError("HOST_DISABLED", host)


def processor(pool: Pool, vm: str, host: str) -> None:
    """Refuse a host whose CPU lacks what a running VM was started with; a halted one is not looked at."""
    store = pool.store
    flags = store.mapped("VM", vm, "last_boot_CPU_flags")
    if store.text("VM", vm, "power_state") == "Halted" or not flags:
        return
    cpu = store.mapped("host", host, "cpu_info")
    if flags.get("vendor") != cpu.get("vendor"):
        text = f"VM was last booted on a CPU of vendor {flags.get('vendor')}, but the host's is {cpu.get('vendor')}"
        raise XapiError("VM_INCOMPATIBLE_WITH_THIS_HOST", vm, host, text)
    there = _bits(cpu.get("features_hvm", ""))
    if _bits(flags.get("features", "")) & ~there:
        text = "VM last booted on a CPU with features this host's CPU does not have."
        raise XapiError("VM_INCOMPATIBLE_WITH_THIS_HOST", vm, host, text)


def _bits(features: str) -> int:
    return int(features.replace("-", "") or "0", 16)


def boots_here(pool: Pool, vm: str, host: str, *, moves_disks: bool = False, force: bool = False) -> None:
    """Refuse a host that could not run the VM."""
    store = pool.store
    host_is_ready(pool, host)
    if not force:
        processor(pool, vm, host)
    if not moves_disks:
        for vdi in pool.disks_of(vm):
            sr = store.text("VDI", vdi, "SR")
            if not pool.sees_storage(host, sr):
                raise XapiError("VM_REQUIRES_SR", vm, sr)
        for network in pool.networks_of(vm):
            if not pool.sees_network(host, network):
                raise XapiError("VM_REQUIRES_NET", vm, network)
    needed = store.number("VM", vm, "memory_dynamic_min") + store.number("VM", vm, "memory_overhead")
    free = pool.memory_free(host)
    if needed > free:
        raise XapiError("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(free))
    wanted, there = store.number("VM", vm, "VCPUs_max"), int(store.mapped("host", host, "cpu_info")["cpu_count"])
    if wanted > there and store.mapped("VM", vm, "platform").get("vcpu-unrestricted") != "true":
        raise XapiError("HOST_NOT_ENOUGH_PCPUS", str(wanted), str(there))
    _failover_plan(pool, vm, host)


def may_be_disabled(pool: Pool, host: str) -> None:
    """Refuse to take a host away that high availability needs: any other one dead, its protected VMs must fit."""
    store = pool.store
    if not store.flag("pool", pool.ref, "ha_enabled") or store.flag("pool", pool.ref, "ha_allow_overcommit"):
        return
    for dead in pool.places:
        rest = [each.ref for each in pool.places if each is not dead and each.ref != host]
        free = sum(pool.memory_free(each) for each in rest if store.flag("host", each, "enabled"))
        lost = [vm for vm in store.refs("VM") if store.text("VM", vm, "resident_on") == dead.ref]
        protected = [vm for vm in lost if store.text("VM", vm, "ha_restart_priority") == "restart"]
        if sum(pool.memory_of(vm) for vm in protected) > free:
            raise XapiError("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN")


def _failover_plan(pool: Pool, vm: str, host: str) -> None:
    """Refuse what high availability could not make up for: any one host dead, its protected VMs must fit elsewhere."""
    store = pool.store
    if not store.flag("pool", pool.ref, "ha_enabled"):
        return
    goal = store.number("pool", pool.ref, "ha_host_failures_to_tolerate")
    if not goal or store.flag("pool", pool.ref, "ha_allow_overcommit"):
        return
    where = {each: store.text("VM", each, "resident_on") for each in store.refs("VM")} | {vm: host}
    for dead in pool.places:
        lost = [each for each, at in where.items() if at == dead.ref]
        protected = [each for each in lost if store.text("VM", each, "ha_restart_priority") == "restart"]
        free = sum(pool.memory_free(each.ref) for each in pool.places if each is not dead)
        if sum(pool.memory_of(each) for each in protected) > free:
            raise XapiError("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN")


def maps(
    pool: Pool, vm: str, target: Pool, host: str, disks: Mapping[str, str], nics: Mapping[str, str]
) -> dict[str, str]:
    """Refuse incomplete maps; answer where each VDI goes that moves, by its reference."""
    store = pool.store
    vdis = pool.disks_of(vm)
    for vdi in vdis:
        if vdi not in disks and vdi != store.text("VM", vm, "suspend_VDI"):
            raise XapiError("VDI_NOT_IN_MAP", vdi)
    _nics_map(pool, vm, target, host, nics)
    moving = {}
    for vdi in vdis:
        sr = disks.get(vdi, next(iter(disks.values()), NULL))
        if target is pool and sr == store.text("VDI", vdi, "SR"):
            continue
        _disk_may_move(pool, vdi, target, host, sr)
        moving[vdi] = sr
    return moving


def _nics_map(pool: Pool, vm: str, target: Pool, host: str, nics: Mapping[str, str]) -> None:
    if target is pool:
        if nics:
            raise XapiError("OPERATION_NOT_ALLOWED", "VIF mapping is not allowed for intra-pool migration")
        return
    for vif in pool.store.listed("VM", vm, "VIFs"):
        if vif not in nics:
            raise XapiError("VIF_NOT_IN_MAP", vif)
    for network in nics.values():
        if not target.sees_network(host, network):
            raise XapiError("HOST_CANNOT_ATTACH_NETWORK", host, network)


def _disk_may_move(pool: Pool, vdi: str, target: Pool, host: str, sr: str) -> None:
    store = pool.store
    if store.flag("VDI", vdi, "cbt_enabled"):
        raise XapiError("VDI_CBT_ENABLED", vdi)
    if store.text("VDI", vdi, "on_boot") == "reset":
        raise XapiError("VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION")
    if not target.sees_storage(host, sr):
        raise XapiError("SR_NOT_ATTACHED", sr)
    size, free = store.number("VDI", vdi, "virtual_size"), room_in(target, sr)
    if size > free:
        raise XapiError("SR_FULL", str(size), str(free))


def room_in(pool: Pool, sr: str) -> int:
    """Say how many bytes of a storage repository are free."""
    return pool.store.number("SR", sr, "physical_size") - pool.store.number("SR", sr, "physical_utilisation")


def refresh(pool: Pool, vm: str) -> None:
    """Write anew which operations a VM allows."""
    allowed = []
    for operation in POWER:
        try:
            lifecycle(pool, vm, operation)
        except XapiError:
            continue
        allowed.append(operation)
    under_way = set(pool.store.mapped("VM", vm, "current_operations").values())
    if under_way & MOVES:
        allowed = ["hard_shutdown"]
    if pool.store.listed("VM", vm, "allowed_operations") != allowed:
        pool.store.set("VM", vm, allowed_operations=list(allowed))
