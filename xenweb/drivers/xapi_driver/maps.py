"""Where a move's disks and network cards go: the complete maps that XAPI wants, and nothing guessed."""

from collections.abc import Iterator
from dataclasses import dataclass

from xenweb.drivers.contract import MigrationPlan, MoveRefusedError
from xenweb.drivers.xapi_driver.homes import (
    ISO,
    Tables,
    disks_of,
    has_network,
    networks_of,
    reaches,
    repository_path,
)
from xenweb.drivers.xapi_driver.inventory import device_of, network_name
from xenweb.drivers.xapi_driver.pools import Pool
from xenweb.drivers.xapi_driver.records import NULL, Record


@dataclass(frozen=True, slots=True)
class End:
    """One end of a move: the pool, its records, the host there."""

    pool: Pool
    tables: Tables
    host: Record


def disk_uuid(path: str) -> str:
    """Answer the UUID of the disk that one of our paths means."""
    return path.rpartition("/")[2]


def repository_for(tables: Tables, host: str, path: str) -> Record | None:
    """Find the repository of a host that takes the copy of a disk with one of our paths."""
    folder = path.rpartition("/")[0]
    for sr in tables["SR"].values():
        is_for_disks = sr.text_or("content_type") != ISO and reaches(tables, host, sr.ref)
        if is_for_disks and repository_path(tables, host, sr) == folder:
            return sr
    return None


def disk_map(plan: MigrationPlan, vm: Record, source: End, target: End) -> dict[str, str]:
    """Say for every disk where it goes, those that stay included; raise MoveRefusedError where that is not known."""
    copied, found = {disk_uuid(disk.path): disk for disk in plan.copied_disks}, dict[str, str]()
    for vbd, vdi in disks_of(source.tables, vm):
        disk, sr = copied.get(vdi.text_or("uuid")), vdi.ref_or_null("SR")
        if disk is not None:
            there = repository_for(target.tables, target.host.ref, disk.path)
            if there is None:
                msg = f"{plan.target.name} has no storage repository for disk {device_of(vbd)}."
                raise MoveRefusedError(msg, device=device_of(vbd), path=disk.path)
            found[vdi.ref] = there.ref
        elif source.pool is target.pool and reaches(target.tables, target.host.ref, sr):
            found[vdi.ref] = sr
        else:
            msg = f"Disk {device_of(vbd)} of {plan.vm_name} is not on storage that {plan.target.name} reaches."
            raise MoveRefusedError(msg, device=device_of(vbd))
    image = vm.ref_or_null("suspend_VDI")
    if image != NULL and found:
        found[image] = next(iter(found.values()))
    return found


def network_map(plan: MigrationPlan, vm: Record, source: End, target: End) -> dict[str, str]:
    """Say for every network card where it goes: to the network of the same name, in another pool alone.

    Those of the VM's snapshots are told too: XAPI refuses a map without them if a card was changed since.
    """
    if source.pool is target.pool:
        return {}
    there = {network_name(each): each for each in target.tables["network"].values()}
    found = {}
    for ref in _cards(vm, source):
        vif = source.tables["VIF"].get(ref)
        network = source.tables["network"].get(vif.ref_or_null("network")) if vif else None
        name = network_name(network) if network else "?"
        other = there.get(name)
        if other is None or not has_network(target.tables, target.host.ref, other):
            msg = f"{plan.target.name} has no network {name}."
            raise MoveRefusedError(msg, network=name)
        found[ref] = other.ref
    return found


def _cards(vm: Record, source: End) -> Iterator[str]:
    yield from vm.many("VIFs")
    for snapshot in vm.many("snapshots"):
        record = source.tables["VM"].get(snapshot)
        yield from record.many("VIFs") if record else ()


def missing_networks(vm: Record, source: End, target: End) -> Iterator[str]:
    """Name the networks of a VM that the target does not have."""
    there = {
        network_name(each)
        for each in target.tables["network"].values()
        if has_network(target.tables, target.host.ref, each)
    }
    for network in networks_of(source.tables, vm):
        if network_name(network) not in there:
            yield network_name(network)


def migration_network(end: End, address: str) -> str:
    """Find the network that a move comes in on: that of the given address, else that of management; empty for none."""
    for pif in end.tables["PIF"].values():
        is_it = pif.text_or("IP") == address if address else bool(pif.flag("management"))
        if is_it and pif.ref_or_null("host") == end.host.ref:
            return pif.ref_or_null("network")
    if address:
        msg = "No interface of the target has the address that moves shall come in on."
        raise MoveRefusedError(msg, address=address)
    return ""
