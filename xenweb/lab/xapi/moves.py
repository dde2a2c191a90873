"""What moves a VM: ``pool_migrate``, ``migrate_send`` and the halves that they are made of.

The passes are those of our own model (``core.precopy.rules``, Xen's rule), made in real time. Progress
is XAPI's: ten of eleven parts for the memory, and then a second sequence that begins anew.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from xenweb.core.precopy.rules import Path, Rule, play
from xenweb.core.quantities import BytesPerSecond
from xenweb.lab.xapi import checks
from xenweb.lab.xapi.errands import CancelledError, Errand
from xenweb.lab.xapi.model import NULL, Value
from xenweb.lab.xapi.pool import Pool
from xenweb.lab.xapi.store import moment
from xenweb.lab.xapi.wire import XapiError

STEP = 0.05
MEMORY_PART = 10 / 11
CLEANING = (0.05, 0.3, 0.6)
CLEANING_STEP = 0.05
BUSY_RETRY = 0.2
BUSY_FOR = 2 * 3600.0
LATE_WEIGHT = 0.8
"""How emu-manager weighs what is sent of a pass that is not done."""


@contextmanager
def operation(pool: Pool, vm: str, name: str, errand: Errand) -> Iterator[None]:
    """Hold a VM for one operation: wait while another holds it, as XAPI does, and let go at the end."""
    deadline = time.monotonic() + BUSY_FOR
    while True:
        with pool.store.lock:
            try:
                checks.lifecycle(pool, vm, name)
            except XapiError as error:
                if error.code != "OTHER_OPERATION_IN_PROGRESS" or time.monotonic() > deadline:
                    raise
            else:
                pool.store.put("VM", vm, "current_operations", errand.ref, name)
                checks.refresh(pool, vm)
                break
        errand.wait(BUSY_RETRY)
    try:
        yield
    finally:
        if pool.store.has("VM", vm):
            pool.store.put("VM", vm, "current_operations", errand.ref, None)
            checks.refresh(pool, vm)


def pool_migrate(pool: Pool, errand: Errand, vm: str, host: str, options: Mapping[str, str]) -> Value:
    """Move a running VM to another host of its pool."""
    store, force = pool.store, options.get("force") == "true"
    _check_network(pool, host, options.get("network", ""))
    with operation(pool, vm, "pool_migrate", errand):
        source = store.text("VM", vm, "resident_on")
        if host != source:
            checks.boots_here(pool, vm, host, force=force)
            store.set("VM", vm, scheduled_to_be_resident_on=host)
        try:
            _memory(pool, errand, vm, _Ends(pool, source, pool, host))
        except (CancelledError, XapiError):
            store.set("VM", vm, scheduled_to_be_resident_on=NULL)
            raise
        if pool.faults.lie:
            store.set("VM", vm, scheduled_to_be_resident_on=NULL)
            return ""
        pool.reside(vm, host)
    message(pool, vm, "VM_MIGRATED", f"VM '{store.text('VM', vm, 'name_label')}' migrated")
    return ""


def _check_network(pool: Pool, host: str, network: str) -> None:
    if not network:
        return
    store = pool.store
    pifs = [pif for pif in store.listed("network", network, "PIFs") if store.text("PIF", pif, "host") == host]
    if not pifs:
        raise XapiError("PIF_NOT_PRESENT", host, network)
    if not store.text("PIF", pifs[0], "IP"):
        raise XapiError("INTERFACE_HAS_NO_IP", pifs[0])


@dataclass(frozen=True, slots=True)
class _Ends:
    """The two hosts of a move, each in its pool."""

    pool: Pool
    source: str
    target_pool: Pool
    target: str

    def carry(self) -> None:
        """Refuse to go on if one of the two has no power, or if they hear each other no more."""
        if self.pool.faults.parted and (self.pool, self.source) != (self.target_pool, self.target):
            raise XapiError("INTERNAL_ERROR", "Xenops_interface.Xenopsd_error([S(Internal_error);S(Broken_pipe)])")
        for pool, ref in ((self.pool, self.source), (self.target_pool, self.target)):
            if ref != NULL and not pool.place(ref).is_up:
                raise XapiError("CANNOT_CONTACT_HOST", ref)


def _memory(pool: Pool, errand: Errand, vm: str, ends: _Ends) -> None:
    """Copy memory pass by pass, then pause the guest, then hand over."""
    speed = BytesPerSecond(max(1.0, pool.faults.link))
    course = play(Rule.XEN, pool.guest(vm), Path(speed, speed, hand_over=0.05))
    sent = 0.0
    for number, each in enumerate(course.passes):
        left = course.passes[number + 1].content if number + 1 < len(course.passes) else course.rest
        done = 0.0
        while done < each.content:
            ends.carry()
            errand.wait(STEP)
            done = min(each.content, done + max(1.0, pool.faults.link) * STEP)
            ahead = sent + LATE_WEIGHT * done
            errand.progress(int(100 * ahead / (ahead + each.content - done + left + 1)) / 100 * MEMORY_PART)
        sent += each.content
    errand.forbid_cancel()
    time.sleep(course.rest / max(1.0, pool.faults.link) + 0.05 + pool.faults.pause)
    ends.carry()
    errand.progress(MEMORY_PART)
    if pool.faults.fail_late == pool.store.text("VM", vm, "name_label"):
        halt(pool, vm)
        raise XapiError("INTERNAL_ERROR", "Xenops_interface.Xenopsd_error([S(Internal_error);S(End_of_file)])")
    for share in CLEANING:
        errand.progress(share)
        time.sleep(CLEANING_STEP)


def halt(pool: Pool, vm: str) -> None:
    """Let a VM stand still, on no host."""
    pool.reside(vm, NULL)
    pool.store.set("VM", vm, power_state="Halted", guest_metrics=NULL)
    checks.refresh(pool, vm)


def suspend_image(pool: Pool, vm: str) -> str:
    """Make the disk that keeps a suspended VM's memory, on the pool's default storage."""
    sr = pool.store.text("pool", pool.ref, "default_SR")
    size = pool.store.number("VM", vm, "memory_static_max")
    return pool.store.add("VDI", name_label="Suspend image", type="suspend", SR=sr, virtual_size=size, managed=True)


def message(pool: Pool, vm: str, name: str, body: str) -> None:
    """Leave a message about a VM."""
    uuid = pool.store.text("VM", vm, "uuid")
    pool.store.add("message", name=name, priority=5, cls="VM", obj_uuid=uuid, timestamp=moment(), body=body)


@dataclass(frozen=True, slots=True)
class Send:
    """What ``migrate_send`` was asked to do; ``disks`` and ``nics`` are its maps."""

    vm: str
    target_pool: Pool
    host: str
    disks: Mapping[str, str]
    nics: Mapping[str, str]
    options: Mapping[str, str]


def assert_can_migrate(pool: Pool, send: Send) -> dict[str, str]:
    """Refuse what cannot be sent; answer where each VDI goes that moves."""
    checks.lifecycle(pool, send.vm, "migrate_send")
    checks.host_is_ready(send.target_pool, send.host)
    state = pool.store.text("VM", send.vm, "power_state")
    moving = checks.maps(pool, send.vm, send.target_pool, send.host, send.disks, send.nics)
    is_leaving = send.target_pool is not pool
    for vdi in pool.disks_of(send.vm):
        sr = pool.store.text("VDI", vdi, "SR")
        if vdi not in moving and not is_leaving and not pool.sees_storage(send.host, sr):
            raise XapiError("VM_REQUIRES_SR", send.vm, sr)
    if state == "Running":
        if is_leaving:
            _fits_elsewhere(pool, send)
        elif pool.store.text("VM", send.vm, "resident_on") != send.host:
            checks.boots_here(pool, send.vm, send.host, moves_disks=True, force=send.options.get("force") == "true")
    return moving


def _fits_elsewhere(pool: Pool, send: Send) -> None:
    there, store = send.target_pool, pool.store
    flags = store.mapped("VM", send.vm, "last_boot_CPU_flags")
    cpu = there.store.mapped("host", send.host, "cpu_info")
    if flags and flags.get("vendor") != cpu.get("vendor"):
        text = f"VM was last booted on a CPU of vendor {flags['vendor']}, but the host's is {cpu['vendor']}"
        raise XapiError("VM_INCOMPATIBLE_WITH_THIS_HOST", send.vm, send.host, text)
    needed, free = pool.memory_of(send.vm), there.memory_free(send.host)
    if needed > free:
        raise XapiError("HOST_NOT_ENOUGH_FREE_MEMORY", str(needed), str(free))


def migrate_send(pool: Pool, errand: Errand, send: Send) -> Value:
    """Move a VM with its disks, to another storage, host or pool; answer its reference there."""
    store = pool.store
    source = store.text("VM", send.vm, "resident_on")
    beside = [vm for vm in store.refs("VM") if store.text("VM", vm, "resident_on") == source]
    busy = sum("migrate_send" in store.mapped("VM", vm, "current_operations").values() for vm in beside)
    if busy >= checks.MOST_STORAGE_MOVES:
        raise XapiError("TOO_MANY_STORAGE_MIGRATES", str(checks.MOST_STORAGE_MOVES))
    moving = assert_can_migrate(pool, send)
    with operation(pool, send.vm, "migrate_send", errand):
        try:
            if send.target_pool is pool and source not in {NULL, send.host}:
                store.set("VM", send.vm, scheduled_to_be_resident_on=send.host)
            ends = _Ends(pool, source, send.target_pool, send.host)
            _storage(pool, errand, moving, ends)
            if source != NULL:
                _memory(pool, errand, send.vm, ends)
            else:
                errand.forbid_cancel()
        except (CancelledError, XapiError):
            store.set("VM", send.vm, scheduled_to_be_resident_on=NULL)
            raise
        _place_disks(pool, send.target_pool, send.vm, moving)
        if source != NULL and send.target_pool is pool:
            pool.reside(send.vm, send.host)
    return send.vm if send.target_pool is pool else _hand_over(pool, send, is_running=source != NULL)


def disk_pool_migrate(pool: Pool, errand: Errand, vdi: str, sr: str) -> Value:
    """Move one disk of a running VM to another repository: as a send of the VM to its own host, as XAPI makes it."""
    store = pool.store
    vbds = store.listed("VDI", vdi, "VBDs")
    vm = store.text("VBD", vbds[0], "VM") if vbds else NULL
    if vm == NULL or store.text("VM", vm, "power_state") != "Running":
        raise XapiError("VDI_NEEDS_VM_FOR_MIGRATE", vdi)
    host = store.text("VM", vm, "resident_on")
    stay = {each: store.text("VDI", each, "SR") for each in pool.disks_of(vm)}
    send = Send(vm, pool, host, stay | {vdi: sr}, {}, {})
    migrate_send(pool, errand, send)
    return store.text("VBD", vbds[0], "VDI")


def _storage(pool: Pool, errand: Errand, moving: Mapping[str, str], ends: _Ends) -> None:
    """Copy disks one after the other; progress is weighed by their sizes. Storage may fill up meanwhile."""
    sizes = [pool.store.number("VDI", vdi, "virtual_size") for vdi in moving]
    done, total = 0.0, sum(sizes)
    while done < total:
        ends.carry()
        if any(checks.room_in(ends.target_pool, sr) <= 0 for sr in moving.values()):
            raise XapiError("SR_BACKEND_FAILURE_44", "", "There is insufficient space", "")
        errand.wait(STEP)
        done = min(float(total), done + max(1.0, pool.faults.link) * STEP)
        errand.progress(done / total)


def _place_disks(pool: Pool, there: Pool, vm: str, moving: Mapping[str, str]) -> None:
    """Let new VDIs stand for those that moved; the old ones are gone, as XAPI tidies up."""
    store = pool.store
    for vbd in store.listed("VM", vm, "VBDs"):
        old = store.text("VBD", vbd, "VDI")
        if old not in moving:
            continue
        new = _stand_in(pool, there, old, moving[old])
        if there is pool:
            store.set("VDI", new, VBDs=[vbd])
        store.set("VBD", vbd, VDI=new)
    image = store.text("VM", vm, "suspend_VDI")
    if image in moving:
        store.set("VM", vm, suspend_VDI=_stand_in(pool, there, image, moving[image]))


def _stand_in(pool: Pool, there: Pool, old: str, sr: str) -> str:
    """Make a disk like another one in a repository, and remove the other one."""
    said = {field: pool.store.record("VDI", old)[field] for field in ("name_label", "virtual_size", "type", "managed")}
    new = there.store.add("VDI", SR=sr, **said)
    there.store.set("SR", sr, VDIs=[*there.store.listed("SR", sr, "VDIs"), new])
    drop_disk(pool, old)
    return new


def drop_disk(pool: Pool, vdi: str) -> None:
    """Remove a disk from its storage."""
    store = pool.store
    sr = store.text("VDI", vdi, "SR")
    store.set("SR", sr, VDIs=[each for each in store.listed("SR", sr, "VDIs") if each != vdi])
    store.remove("VDI", vdi)


def _hand_over(pool: Pool, send: Send, *, is_running: bool) -> str:
    """Write the VM's records anew in the other pool, under the same UUID, and remove them here."""
    store, there, vm = pool.store, send.target_pool.store, send.vm
    with store.lock, there.lock:
        record = dict(store.record("VM", vm))
        record |= {"current_operations": {}, "resident_on": NULL, "scheduled_to_be_resident_on": NULL}
        record |= {"affinity": NULL if is_running else send.host, "VBDs": [], "VIFs": []}
        new = there.add("VM", **record)
        for kind, field in (("VM_metrics", "metrics"), ("VM_guest_metrics", "guest_metrics")):
            old = store.text("VM", vm, field)
            if store.has(kind, old):
                there.set("VM", new, **{field: there.add(kind, **store.record(kind, old))})
                store.remove(kind, old)
        for vbd in store.listed("VM", vm, "VBDs"):
            copy = there.add("VBD", **(store.record("VBD", vbd) | {"VM": new}))
            vdi = there.text("VBD", copy, "VDI")
            if there.has("VDI", vdi):
                there.set("VDI", vdi, VBDs=[copy])
            there.set("VM", new, VBDs=[*there.listed("VM", new, "VBDs"), copy])
            store.remove("VBD", vbd)
        for vif in store.listed("VM", vm, "VIFs"):
            copy = there.add("VIF", **(store.record("VIF", vif) | {"VM": new, "network": send.nics[vif]}))
            there.set("VM", new, VIFs=[*there.listed("VM", new, "VIFs"), copy])
            store.remove("VIF", vif)
        uuid = store.text("VM", vm, "uuid")
        send.target_pool.guests[uuid] = pool.guests[uuid]
        pool.reside(vm, NULL)
        store.remove("VM", vm)
        if is_running:
            send.target_pool.reside(new, send.host)
        checks.refresh(send.target_pool, new)
    return new
