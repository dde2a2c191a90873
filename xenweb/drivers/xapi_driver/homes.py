"""Where a VM is: the host that it runs on, the one that receives it, or the one that it waits on while it is halted."""

from collections.abc import Callable, Hashable
from typing import TypeVar, cast
from urllib.parse import quote

from xenweb.core.facts import PowerState
from xenweb.drivers.xapi_driver.records import NULL, Record
from xenweb.drivers.xapi_driver.view import Table
from xenweb.drivers.xapi_driver.view import Tables as OneMoment

Tables = dict[str, Table]
STATES = {
    "Running": PowerState.RUNNING,
    "Paused": PowerState.PAUSED,
    "Halted": PowerState.HALTED,
    "Suspended": PowerState.SUSPENDED,
}
ACTIVE = frozenset({"Running", "Paused"})
MOVES = frozenset({"pool_migrate", "migrate_send"})
ISO = "iso"


def is_a_vm(record: Record) -> bool:
    """Say whether a VM record is of a VM, and of no template, snapshot or host's own domain."""
    marks = ("is_a_template", "is_a_snapshot", "is_control_domain", "is_default_template")
    return not any(record.flag(mark) for mark in marks)


def is_moving(vm: Record) -> bool:
    """Say whether the pool works on moving a VM, or has room reserved for it elsewhere."""
    return (
        bool(MOVES & set(vm.map("current_operations").values()))
        or vm.ref_or_null("scheduled_to_be_resident_on") != NULL
    )


def disks_of(tables: Tables, vm: Record) -> list[tuple[Record, Record]]:
    """List a VM's disks as pairs of VBD and VDI, CDs left out."""
    found = []
    for ref in vm.many("VBDs"):
        vbd = tables["VBD"].get(ref)
        if vbd is None or vbd.text_or("type") == "CD" or vbd.flag("empty"):
            continue
        vdi = tables["VDI"].get(vbd.ref_or_null("VDI"))
        if vdi is not None:
            found.append((vbd, vdi))
    return found


def reaches(tables: Tables, host: str, sr: str) -> bool:
    """Say whether a host has a storage repository attached now."""
    repository = tables["SR"].get(sr)
    pbds = (tables["PBD"].get(ref) for ref in (repository.many("PBDs") if repository else ()))
    return any(pbd and pbd.ref_or_null("host") == host and pbd.flag("currently_attached") for pbd in pbds)


Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


def worked_out(tables: Tables, name: str, key: Key, work_out: Callable[[], Found]) -> Found:
    """Work something out once for the records of one moment."""
    if not isinstance(tables, OneMoment):
        return work_out()
    known = cast("dict[Key, Found]", tables.memo.setdefault(name, {}))
    if key not in known:
        known[key] = work_out()
    return known[key]


def kept(tables: Tables, name: str, vm: Record, work_out: Callable[[], Found]) -> Found:
    """Work something of a VM out once for as long as its record stays, and all that lies around VMs."""
    if not isinstance(tables, OneMoment):
        return work_out()
    key = (name, vm.ref)
    known = tables.kept.get(key)
    if known is None or known[0] is not vm:
        known = tables.kept[key] = (vm, work_out())
    return cast("Found", known[1])


def reaching(tables: Tables, sr: str) -> frozenset[str]:
    """List the hosts that have a storage repository attached now."""
    return worked_out(
        tables, "reaching", sr, lambda: frozenset(host for host in tables["host"] if reaches(tables, host, sr))
    )


def placed(tables: Tables, host: str) -> list[tuple[Record, bool]]:
    """List the VMs that a host has, and with each whether it only comes in."""
    return worked_out(tables, "placed", "", lambda: _placed(tables)).get(host, [])


def _placed(tables: Tables) -> dict[str, list[tuple[Record, bool]]]:
    found: dict[str, list[tuple[Record, bool]]] = {}
    leader = leader_of(tables)
    for vm in tables["VM"].values():
        for host, is_coming in kept(tables, "places", vm, lambda vm=vm: _places(tables, vm, leader)):  # type: ignore[misc]
            found.setdefault(host, []).append((vm, is_coming))
    return found


def _places(tables: Tables, vm: Record, leader: str) -> list[tuple[str, bool]]:
    """List the hosts that have a VM, and with each whether it only comes in."""
    if not is_a_vm(vm) or not vm.text_or("uuid"):
        return []
    if vm.text_or("power_state") not in ACTIVE:
        return [(home_of(tables, vm) or leader, False)]
    here, there = vm.ref_or_null("resident_on"), vm.ref_or_null("scheduled_to_be_resident_on")
    return [(here, False)] if there in {here, NULL} else [(here, False), (there, True)]


def image_of(tables: Tables, vm: Record) -> Record | None:
    """Find the disk that keeps a suspended VM's memory."""
    return tables["VDI"].get(vm.ref_or_null("suspend_VDI"))


def startable_on(tables: Tables, vm: Record) -> set[str]:
    """List the hosts that reach all disks of a VM that does not run, and its memory if that is kept on one."""
    hosts, image = set(tables["host"]), image_of(tables, vm)
    for vdi in (*(vdi for _, vdi in disks_of(tables, vm)), *([image] if image else [])):
        hosts &= reaching(tables, vdi.ref_or_null("SR"))
    return hosts


def home_of(tables: Tables, vm: Record) -> str:
    """Answer the host that a halted VM waits on: where alone its disks are, else its home server; empty for none.

    In a pool a halted VM is on no host; it is started wherever its disks are reached, on its home server first.
    A home server that does not reach them is none, unless no host does.
    """
    hosts = startable_on(tables, vm)
    if len(hosts) == 1:
        return hosts.pop()
    affinity = vm.ref_or_null("affinity")
    return affinity if affinity in (hosts or tables["host"]) else ""


def waits_on(tables: Tables, vm: Record) -> str:
    """Answer the one host that a halted VM is said to be on: its home, or where it has none the coordinator."""
    return home_of(tables, vm) or leader_of(tables)


def stands_on(tables: Tables, vm: Record) -> str:
    """Answer the host that a VM runs on, or waits on where it does not run."""
    resident_on = vm.ref_or_null("resident_on")
    return waits_on(tables, vm) if resident_on == NULL else resident_on


def leader_of(tables: Tables) -> str:
    """Answer the coordinator; empty if the pool does not say."""
    return next((pool.ref_or_null("master") for pool in tables["pool"].values()), "")


def repository_path(tables: Tables, host: str, sr: Record) -> str:
    """Answer a path for a storage repository on a host: one of the same name elsewhere has the same.

    XAPI knows no paths. Ours says which repository of a target takes the copies of disks; where a host has two
    repositories of one name, the UUID tells them apart.
    """
    return worked_out(tables, "paths", (host, sr.ref), lambda: _repository_path(tables, host, sr))


def _repository_path(tables: Tables, host: str, sr: Record) -> str:
    name = sr.text_or("name_label")
    twins = [
        each for each in tables["SR"].values() if each.text_or("name_label") == name and reaches(tables, host, each.ref)
    ]
    plain = "/" + quote(name or sr.text_or("uuid"), safe="")
    return plain if len(twins) < 2 else f"{plain}~{sr.text_or('uuid')}"  # noqa: PLR2004


def disk_path(folder: str, vdi: Record) -> str:
    """Answer a path for a disk: the folder of its repository and its UUID."""
    return f"{folder}/{vdi.text_or('uuid')}"


def cards_of(tables: Tables, vm: Record) -> list[tuple[Record, Record]]:
    """List a VM's network cards as pairs of VIF and network."""
    vifs = [tables["VIF"].get(ref) for ref in vm.many("VIFs")]
    pairs = [(vif, tables["network"].get(vif.ref_or_null("network"))) for vif in vifs if vif is not None]
    return [(vif, network) for vif, network in pairs if network is not None]


def networks_of(tables: Tables, vm: Record) -> list[Record]:
    """List the networks that a VM is on."""
    return [network for _, network in cards_of(tables, vm)]


def has_network(tables: Tables, host: str, network: Record) -> bool:
    """Say whether a host has an interface on a network; one without any interface is on every host."""
    pifs = [tables["PIF"].get(ref) for ref in network.many("PIFs")]
    return not pifs or any(pif and pif.ref_or_null("host") == host for pif in pifs)
