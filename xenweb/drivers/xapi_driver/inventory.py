"""Describe one host of a pool and all that is on it, from the pool's records."""

from collections.abc import Iterator

from xenweb.core.facts import PowerState
from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import (
    CardSnapshot,
    DiskSnapshot,
    Endpoint,
    HostSnapshot,
    HostUnreachableError,
    RepositorySnapshot,
    VmSnapshot,
)
from xenweb.drivers.xapi_driver import obstacles
from xenweb.drivers.xapi_driver.addresses import names_of, parts
from xenweb.drivers.xapi_driver.errors import AnswerUnreadableError
from xenweb.drivers.xapi_driver.homes import (
    ACTIVE,
    ISO,
    STATES,
    Tables,
    cards_of,
    disk_path,
    disks_of,
    has_network,
    kept,
    networks_of,
    placed,
    reaches,
    repository_path,
    worked_out,
)
from xenweb.drivers.xapi_driver.records import NULL, Record
from xenweb.drivers.xapi_driver.transport import whole

HYPERVISOR = "xapi"
UNCACHED = "none"
"""XAPI's disk back end opens disks past the host's cache; no host's memory holds writes back."""


def host_of(tables: Tables, endpoint: Endpoint) -> Record:
    """Find the host that an endpoint means, by its UUID or its address; raise HostUnreachableError if there is none."""
    each = parts(endpoint.uri)
    known_as = frozenset() if each.uuid else names_of(each.host)
    for record in tables["host"].values():
        if record.text_or("uuid") == each.uuid or {record.text_or("address"), record.text_or("hostname")} & known_as:
            return record
    msg = f"The pool that answers for {endpoint.name} has no such host."
    raise HostUnreachableError(msg, host=endpoint.name)


def metrics_of(tables: Tables, host: Record) -> Record | None:
    """Find what a pool knows of a host's memory and life."""
    return tables["host_metrics"].get(host.ref_or_null("metrics"))


def refuse_dead(tables: Tables, host: Record, name: str) -> None:
    """Raise HostUnreachableError if the pool itself says that a host does not live."""
    metrics = metrics_of(tables, host)
    if metrics is not None and metrics.flag("live") is False:
        msg = f"The pool says that {name} does not send its heartbeat any more."
        raise HostUnreachableError(msg, host=name)


def snapshot_of(tables: Tables, host: Record, memory_free: int | None) -> HostSnapshot:
    """Describe a host."""
    metrics, cpu, version = metrics_of(tables, host), host.map("cpu_info"), host.map("software_version")
    total = metrics.number("memory_total") if metrics else None
    if total is None:
        msg = "The pool does not say how much memory the host has."
        raise AnswerUnreadableError(msg, field="memory_total")
    brand = version.get("product_brand") or version.get("platform_name") or "XAPI"
    return HostSnapshot(
        uuid=host.text("uuid"),
        name=host.text_or("name_label") or host.text_or("hostname") or host.text("uuid"),
        hypervisor=HYPERVISOR,
        version=f"{brand} {version.get('product_version', '')}".strip(),
        architecture="x86_64",
        cpu_model=cpu.get("modelname", ""),
        cpu_count=whole(cpu.get("cpu_count")) or 0,
        cpu_busy=None,
        cpu_total=None,
        memory_total=Bytes(total),
        memory_free=None if memory_free is None else Bytes(memory_free),
        repositories=worked_out(tables, "repositories", host.ref, lambda: tuple(_repositories(tables, host.ref))),
        networks=tuple(
            network_name(each) for each in tables["network"].values() if has_network(tables, host.ref, each)
        ),
        vms=worked_out(tables, "vms", host.ref, lambda: tuple(_vms(tables, host))),
        enabled=host.flag("enabled"),
        bridges=tuple(
            (network_name(each), each.text_or("bridge"))
            for each in tables["network"].values()
            if has_network(tables, host.ref, each) and each.text_or("bridge")
        ),
    )


def network_name(network: Record) -> str:
    """Answer what we call a network."""
    return network.text_or("name_label") or network.text_or("bridge")


def _repositories(tables: Tables, host: str) -> Iterator[RepositorySnapshot]:
    for sr in tables["SR"].values():
        if sr.text_or("content_type") == ISO or not reaches(tables, host, sr.ref):
            continue
        size, used = sr.number("physical_size"), sr.number("physical_utilisation")
        is_known = size is not None and size > 0
        yield RepositorySnapshot(
            identity=sr.text("uuid"),
            name=sr.text_or("name_label") or sr.text("uuid"),
            kind=sr.text_or("type"),
            path=repository_path(tables, host, sr),
            capacity=Bytes(size) if is_known and size is not None else None,
            available=Bytes(max(0, size - used)) if is_known and size is not None and used is not None else None,
        )


def _vms(tables: Tables, host: Record) -> Iterator[VmSnapshot]:
    for vm, is_coming in placed(tables, host.ref):
        yield kept(
            tables,
            "coming" if is_coming else "here",
            vm,
            lambda vm=vm, is_coming=is_coming: _vm(tables, host.ref, vm, incoming=is_coming),  # type: ignore[misc]
        )


def state_of(vm: Record) -> PowerState:
    """Answer a VM's state; one that we do not know is unknown."""
    return STATES.get(vm.text_or("power_state"), PowerState.UNKNOWN)


def _vm(tables: Tables, host: str, vm: Record, *, incoming: bool) -> VmSnapshot:
    memory = vm.number("memory_dynamic_max") or vm.number("memory_static_max") or 0
    is_active = vm.text_or("power_state") in ACTIVE
    return VmSnapshot(
        uuid=vm.text("uuid"),
        name=vm.text_or("name_label") or vm.text("uuid"),
        state=PowerState.PAUSED if incoming else state_of(vm),
        active=is_active,
        incoming=incoming,
        memory=Bytes(memory),
        vcpus=vm.number("VCPUs_max") or 1,
        cpu_time=None,
        disks=tuple(_disk(tables, host, vbd, vdi, is_sized=not incoming) for vbd, vdi in disks_of(tables, vm)),
        networks=tuple(network_name(each) for each in networks_of(tables, vm)),
        obstacles=() if incoming else tuple(obstacles.of(vm)),
        cards=tuple(
            CardSnapshot(card_of(vif), vif.text_or("MAC"), network_name(network), network.text_or("bridge"))
            for vif, network in cards_of(tables, vm)
        ),
    )


def _disk(tables: Tables, host: str, vbd: Record, vdi: Record, *, is_sized: bool) -> DiskSnapshot:
    sr, size = tables["SR"].get(vdi.ref_or_null("SR")), vdi.number("virtual_size")
    folder = repository_path(tables, host, sr) if sr else ""
    return DiskSnapshot(
        device=device_of(vbd),
        path=disk_path(folder, vdi),
        format="vdi",
        capacity=Bytes(size) if is_sized and size is not None else None,
        cache=UNCACHED,
        read_only=vbd.text_or("mode") == "RO",
        repository=sr.text_or("uuid") if sr else None,
    )


def device_of(vbd: Record) -> str:
    """Answer what a disk is called: as its guest sees it, else by its place."""
    return vbd.text_or("device") or f"disk {vbd.text_or('userdevice', '?')}"


def card_of(vif: Record) -> str:
    """Answer what a network card is called: its number among those of its VM."""
    return vif.text_or("device", "?")


def is_null(ref: str) -> bool:
    """Say whether a reference refers to nothing."""
    return ref in {"", NULL}
