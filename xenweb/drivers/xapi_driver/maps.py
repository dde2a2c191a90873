"""Where a move's disks and network cards go: the complete maps that XAPI wants, and nothing guessed."""

from collections.abc import Iterator
from dataclasses import dataclass

from xenweb.drivers.contract import CopiedDisk, MigrationPlan, MoveRefusedError
from xenweb.drivers.xapi_driver.homes import (
    ISO,
    Tables,
    disks_of,
    has_network,
    image_of,
    reaches,
    repository_path,
)
from xenweb.drivers.xapi_driver.inventory import card_of, device_of, network_name
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


def repository_for(tables: Tables, host: str, disk: CopiedDisk) -> Record | None:
    """Find the repository of a host that takes the copy of a disk: the one that was chosen, else that of its path."""
    folder = disk.path.rpartition("/")[0]
    for sr in tables["SR"].values():
        is_for_disks = sr.text_or("content_type") != ISO and reaches(tables, host, sr.ref)
        is_it = (
            sr.text_or("uuid") == disk.repository if disk.repository else repository_path(tables, host, sr) == folder
        )
        if is_for_disks and is_it:
            return sr
    return None


def disk_map(plan: MigrationPlan, vm: Record, source: End, target: End) -> dict[str, str]:
    """Say for every disk where it goes, those that stay included; raise MoveRefusedError where that is not known."""
    copied, found = {disk_uuid(disk.path): disk for disk in plan.copied_disks}, dict[str, str]()
    for vbd, vdi in disks_of(source.tables, vm):
        disk, sr = copied.get(vdi.text_or("uuid")), vdi.ref_or_null("SR")
        if disk is not None:
            there = repository_for(target.tables, target.host.ref, disk)
            if there is None:
                msg = f"{plan.target.name} has no storage repository for disk {device_of(vbd)}."
                raise MoveRefusedError(msg, device=device_of(vbd), path=disk.path)
            found[vdi.ref] = there.ref
        elif source.pool is target.pool and reaches(target.tables, target.host.ref, sr):
            found[vdi.ref] = sr
        else:
            msg = f"Disk {device_of(vbd)} of {plan.vm_name} is not on storage that {plan.target.name} reaches."
            raise MoveRefusedError(msg, device=device_of(vbd))
    image = image_of(source.tables, vm)
    if image is not None:
        found[image.ref] = _image_there(plan, image, source, target, found)
    return found


def _image_there(plan: MigrationPlan, image: Record, source: End, target: End, disks: dict[str, str]) -> str:
    """Say where the memory of a suspended VM goes: it stays if it can, else it goes with the first of its disks.

    A VM without disks has it put on the storage that the target's pool uses if nobody says otherwise.
    """
    here = image.ref_or_null("SR")
    if source.pool is target.pool and reaches(target.tables, target.host.ref, here):
        return here
    default = next((pool.ref_or_null("default_SR") for pool in target.tables["pool"].values()), NULL)
    there = next(iter(disks.values()), default)
    if not reaches(target.tables, target.host.ref, there):
        msg = f"{plan.target.name} has no storage repository for the memory of {plan.vm_name}, which is suspended."
        raise MoveRefusedError(msg)
    return there


def stays(disks: dict[str, str], source: End) -> bool:
    """Say whether no disk changes its repository by a map; references of repositories of another pool are others."""
    at = source.tables["VDI"]
    return all(vdi in at and at[vdi].ref_or_null("SR") == sr for vdi, sr in disks.items())


def network_map(plan: MigrationPlan, vm: Record, source: End, target: End) -> dict[str, str]:
    """Say for every network card where it goes, in another pool alone: raise MoveRefusedError where that is not known.

    A card goes where the plan says, else to the network of the same name. Those of the VM's snapshots are told
    too, XAPI refuses a map without them: they go along with the card of the same address or the same network.
    """
    if source.pool is target.pool:
        return {}
    found = dict[str, str]()
    for ref, name in _cards(plan, vm, source):
        there = _network_there(target, name)
        if len(there) != 1:
            what = f"has {len(there)} networks called {name}" if there else f"has no network {name}"
            msg = f"{plan.target.name} {what}."
            raise MoveRefusedError(msg, network=name)
        found[ref] = there[0].ref
    return found


def _network_there(target: End, name: str) -> list[Record]:
    """Find the networks of a name that the target host has."""
    return [
        each
        for each in target.tables["network"].values()
        if network_name(each) == name and has_network(target.tables, target.host.ref, each)
    ]


def _cards(plan: MigrationPlan, vm: Record, source: End) -> Iterator[tuple[str, str]]:
    """Name for each network card of a VM and of its snapshots the network that it goes to."""
    by_device = {card.device: card.network for card in plan.cards}
    by_address = {card.address: card.network for card in plan.cards}
    by_network = dict[str, str]()
    for ref in vm.many("VIFs"):
        vif = source.tables["VIF"].get(ref)
        here = _network_of(vif, source)
        there = by_device.get(card_of(vif), here) if vif else here
        by_network.setdefault(here, there)
        yield ref, there
    for snapshot in vm.many("snapshots"):
        record = source.tables["VM"].get(snapshot)
        for ref in record.many("VIFs") if record else ():
            vif = source.tables["VIF"].get(ref)
            here = _network_of(vif, source)
            known = by_address.get(vif.text_or("MAC")) if vif else None
            yield ref, known or by_network.get(here, here)


def _network_of(vif: Record | None, source: End) -> str:
    network = source.tables["network"].get(vif.ref_or_null("network")) if vif else None
    return network_name(network) if network else "?"


def missing_networks(plan: MigrationPlan, vm: Record, source: End, target: End) -> Iterator[str]:
    """Name the networks that a VM would need and the target does not have."""
    cards = {ref: name for ref, name in _cards(plan, vm, source) if ref in vm.many("VIFs")}
    for name in dict.fromkeys(cards.values()):
        if not _network_there(target, name):
            yield name


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
