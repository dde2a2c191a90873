"""Look at a real pool without changing anything, and compare it with what this driver expects of one."""

from collections.abc import Iterator
from dataclasses import dataclass

from xenweb.drivers.contract import DriverError, Endpoint
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.homes import ACTIVE, STATES, is_a_vm
from xenweb.drivers.xapi_driver.inventory import host_of, snapshot_of
from xenweb.drivers.xapi_driver.pools import Pool, Pools
from xenweb.drivers.xapi_driver.reading import CLASSES, FIELDS
from xenweb.drivers.xapi_driver.records import Record
from xenweb.drivers.xapi_driver.translating import in_our_words
from xenweb.drivers.xapi_driver.words import Names, said

CALLS = (
    "event.from", "session.login_with_password", "session.logout", "session.get_uuid", "session.get_rbac_permissions",
    "session.get_is_local_superuser", "host.compute_free_memory", "host.migrate_receive", "host.enable",
    "host.disable", "host.get_vms_which_prevent_evacuation", "task.get_record", "task.get_all_records", "task.cancel",
    "task.add_to_other_config", "VM.get_by_uuid", "VM.set_affinity", "VM.pause", "VM.unpause",
    "VM.assert_operation_valid", "VM.assert_can_boot_here", "VM.assert_can_migrate", "Async.VM.pool_migrate",
    "Async.VM.migrate_send", "VDI.get_by_uuid", "VDI.destroy", "Async.VDI.pool_migrate", "VM_guest_metrics.get_record",
    *(f"{kind}.{verb}" for kind in CLASSES for verb in ("get_all_records", "get_record")),
)  # fmt: skip
MOVE_RIGHTS = ("vm.pool_migrate", "vm.migrate_send", "vm.set_affinity", "vdi.pool_migrate", "host.migrate_receive")
SWITCH_RIGHTS = ("host.disable", "host.enable")
SHOWN = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the report; ``is_fault`` where the driver would miss something."""

    text: str
    is_fault: bool = False


def report(endpoint: Endpoint) -> Iterator[Line]:
    """Look at a pool; each line is told as it is found. Whatever fails is a line too."""
    pools = Pools()
    try:
        with in_our_words(endpoint):
            pool = pools.reach(endpoint)
            try:
                yield from _seen(pool, endpoint)
            finally:
                pool.leave()
    except DriverError as error:
        yield Line(error.sentence, is_fault=True)
        yield Line(error.remedy)


def _seen(pool: Pool, endpoint: Endpoint) -> Iterator[Line]:
    yield Line(f"coordinator: {pool.host}")
    tables = pool.view.look()
    yield from _hosts(pool, tables, endpoint)
    yield from _calls(pool)
    yield from _rights(pool)
    for kind in CLASSES:
        yield from _fields(kind, list(tables[kind].values()))
    yield from _states(list(tables["VM"].values()))
    yield from _question(pool, tables)


def _hosts(pool: Pool, tables: dict[str, dict[str, Record]], endpoint: Endpoint) -> Iterator[Line]:
    asked = host_of(tables, endpoint)
    for host in tables["host"].values():
        free = pool.call("host.compute_free_memory", host.ref)
        look = snapshot_of(tables, host, int(free) if isinstance(free, str) and free.isdigit() else None)
        mark = "the host asked, " if host.ref == asked.ref else ""
        known = "" if look.memory_free is None else f", {look.memory_free // 2**20} MiB free"
        yield Line(
            f"host {look.name}: {mark}uuid {look.uuid}, {look.version}, {look.cpu_count} CPUs, "
            f"{look.memory_total // 2**20} MiB{known}, {len(look.vms)} VMs, "
            f"{len(look.repositories)} storage repositories"
        )


def _calls(pool: Pool) -> Iterator[Line]:
    names = pool.methods()
    missing = [each for each in CALLS if each not in names]
    yield Line(f"calls: {len(CALLS) - len(missing)} of the {len(CALLS)} that we make are there")
    for each in missing:
        yield Line(f"call {each} is not there", is_fault=True)


def _rights(pool: Pool) -> Iterator[Line]:
    try:
        session = pool.own_session
        told = pool.call("session.get_rbac_permissions", session)
        rights = {each.lower() for each in told if isinstance(each, str)} if isinstance(told, list) else set()
        is_superuser = pool.call("session.get_is_local_superuser", session) is True
    except RefusedError as error:
        yield Line(f"rights: the pool does not say which our account has ({error.code})")
        return
    if is_superuser:
        yield Line("rights: our account is a local superuser, and may do everything")
        return
    for each in MOVE_RIGHTS:
        if each not in rights:
            yield Line(f"right {each} is not given to our account: it can look, and not move", is_fault=True)
    for each in SWITCH_RIGHTS:
        if each not in rights:
            what = "it can take no host out of service"
            yield Line(f"right {each} is not given to our account: {what}", is_fault=True)


def _fields(kind: str, records: list[Record]) -> Iterator[Line]:
    if not records:
        yield Line(f"{kind}: no record to look at")
        return
    missing = [each for each in FIELDS[kind] if any(each not in record.said for record in records)]
    there = len(FIELDS[kind]) - len(missing)
    yield Line(f"{kind}: {len(records)} records, {there} of the {len(FIELDS[kind])} fields that we read")
    for each in missing:
        yield Line(f"{kind}.{each} is missing", is_fault=True)


def _states(vms: list[Record]) -> Iterator[Line]:
    unknown = {vm.text_or("power_state") for vm in vms} - set(STATES)
    for each in sorted(unknown):
        yield Line(f"power state {each or '(none)'} is unknown to us", is_fault=True)
    busy = [vm for vm in vms if vm.map("current_operations")]
    yield Line(f"VMs with something under way: {len(busy)}")


def _question(pool: Pool, tables: dict[str, dict[str, Record]]) -> Iterator[Line]:
    """Ask for a few running VMs which hosts could take them, as a preflight does; nothing is moved."""
    names, running = (
        Names(tables),
        [vm for vm in tables["VM"].values() if is_a_vm(vm) and vm.text_or("power_state") in ACTIVE],
    )
    for vm in running[:SHOWN]:
        for host in tables["host"].values():
            if vm.ref_or_null("resident_on") == host.ref:
                continue
            what = f"{vm.text_or('name_label')} on {host.text_or('name_label')}"
            try:
                pool.call("VM.assert_can_boot_here", vm.ref, host.ref)
                yield Line(f"question: {what}: could run there")
            except RefusedError as error:
                saying = said(error, names)
                yield Line(f"question: {what}: {saying.code}: {saying.sentence}", is_fault=not saying.is_known)
