"""Read libvirt's XML. It comes from a hypervisor, and names in it from anybody: no DTD, no entities."""

import re
from dataclasses import dataclass
from fractions import Fraction
from xml.etree import ElementTree as ET

from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import DriverError

LONGEST = 4 * 1024 * 1024
_MOMENT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOOPBACK = re.compile(r"localhost\b|127\.|\[?::1\b", re.IGNORECASE)
"""Names by which each host means itself."""
_UNITS = {"b": 1, "bytes": 1, "kib": 1024, "k": 1024, "mib": 1024**2, "gib": 1024**3, "tib": 1024**4}


class DescriptionError(DriverError):
    """A hypervisor described something in a way that cannot be read."""

    code = "description_unreadable"


@dataclass(frozen=True, slots=True)
class DiskDescription:
    """One disk of a domain, as its XML tells it."""

    device: str
    path: str
    pool: str
    format: str
    cache: str
    read_only: bool
    is_block: bool = False


@dataclass(frozen=True, slots=True)
class DomainDescription:
    """What a domain's XML tells that statistics do not."""

    memory: Bytes
    disks: tuple[DiskDescription, ...]
    networks: tuple[str, ...]
    host_devices: tuple[str, ...]
    emulator: str
    machine: str
    architecture: str
    domain_type: str
    cpu: str
    has_host_cpu: bool
    leases: tuple[str, ...]
    vcpus: int
    has_virtual_numa: bool = False


@dataclass(frozen=True, slots=True)
class PoolDescription:
    """A libvirt storage pool, and what makes it the same storage on another host.

    ``is_served`` says that its identity names another machine and a place on it, which
    is one and the same from wherever it is reached.
    """

    name: str
    kind: str
    identity: str
    path: str
    is_served: bool = False


def parsed(xml: str) -> ET.Element:
    """Parse XML without document types; raise DescriptionError if it is not plain."""
    if len(xml) > LONGEST or "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        msg = "The hypervisor's description is too long, or defines entities."
        raise DescriptionError(msg)
    try:
        return ET.fromstring(xml)  # noqa: S314 - document types are refused above
    except ET.ParseError as error:
        msg = f"The hypervisor's description is not well formed ({error})."
        raise DescriptionError(msg) from error


def domain(xml: str) -> DomainDescription:
    """Read a domain's XML."""
    root = parsed(xml)
    os_type, cpu = root.find("os/type"), root.find("cpu")
    return DomainDescription(
        memory=_size(root.find("memory")),
        disks=tuple(_disk(disk) for disk in root.iterfind("devices/disk") if _is_disk(disk)),
        networks=tuple(name for each in root.iterfind("devices/interface") if (name := _network(each))),
        host_devices=tuple(_host_device(each) for each in root.findall("devices/hostdev")),
        emulator=root.findtext("devices/emulator", ""),
        machine=os_type.get("machine", "") if os_type is not None else "",
        architecture=os_type.get("arch", "") if os_type is not None else "",
        domain_type=root.get("type", ""),
        cpu="" if cpu is None else ET.tostring(cpu, encoding="unicode"),
        has_host_cpu=cpu is not None and cpu.get("mode") == "host-passthrough",
        leases=tuple(each.findtext("key", "") for each in root.findall("devices/lease")),
        vcpus=_vcpus(root.find("vcpu")),
        has_virtual_numa=root.find("cpu/numa") is not None,
    )


def _vcpus(element: ET.Element | None) -> int:
    """Read how many CPUs a domain has switched on; one, where its description says nothing."""
    if element is None:
        return 1
    said = (element.get("current") or element.text or "").strip()
    return max(1, int(said)) if said.isdecimal() else 1


def sources(xml: str) -> set[str]:
    """Read every path that a domain's disks name, backing files and CD-ROMs too."""
    elements = parsed(xml).iterfind("devices/disk//source")
    return {path for each in elements for path in (each.get("file"), each.get("dev"), each.get("name")) if path}


def pool(xml: str) -> PoolDescription:
    """Read a storage pool's XML. Network kinds are the same where their source is; others by UUID."""
    root = parsed(xml)
    kind = root.get("type", "")
    source = root.find("source")
    host = source.find("host") if source is not None else None
    identity, is_served = f"{kind}:{root.findtext('uuid', '')}", False
    if source is not None and host is not None and host.get("name"):
        folder, device = source.find("dir"), source.find("device")
        within = folder.get("path", "") if folder is not None else ""
        within = within or (device.get("path", "") if device is not None else "") or source.findtext("name", "")
        identity = f"{kind}:{host.get('name')}:{within}"
        is_served = bool(within) and not _LOOPBACK.match(host.get("name", ""))
    return PoolDescription(root.findtext("name", ""), kind, identity, root.findtext("target/path", ""), is_served)


def pool_device(xml: str) -> str:
    """Read the device, or the target, that a storage pool comes from; empty if it names none."""
    device = parsed(xml).find("source/device")
    return "" if device is None else device.get("path", "")


def host(xml: str) -> tuple[str, str, str]:
    """Read a host's capabilities: its UUID, architecture and CPU model."""
    root = parsed(xml)
    return (
        root.findtext("host/uuid", ""),
        root.findtext("host/cpu/arch", ""),
        root.findtext("host/cpu/model", ""),
    )


def system_uuid(xml: str) -> str:
    """Read the UUID of a machine from what libvirt tells of its firmware; empty if it is none."""
    said = next((each.text or "" for each in parsed(xml).iterfind("system/entry") if each.get("name") == "uuid"), "")
    return said.strip().lower() if _UUID.fullmatch(said.strip().lower()) else ""


def host_cpu(xml: str) -> str:
    """Read the CPU of a host out of its capabilities, as XML; empty if it does not say."""
    cpu = parsed(xml).find("host/cpu")
    return "" if cpu is None else ET.tostring(cpu, encoding="unicode")


def emulators(xml: str) -> set[str]:
    """Read the paths of all emulators from a host's capabilities."""
    return {each.text or "" for each in parsed(xml).iterfind("guest/arch//emulator")}


def last_change(xml: str) -> Fraction | None:
    """Read when a volume last changed from its XML, in seconds since 1970; None if it does not say."""
    said = parsed(xml).findtext("target/timestamps/mtime", "")
    return Fraction(said) if _MOMENT.fullmatch(said) else None


def machines(xml: str) -> set[str]:
    """Read the names of all machine types from a host's capabilities."""
    return {each.text or "" for each in parsed(xml).iterfind("guest/arch//machine")}


def _size(element: ET.Element | None) -> Bytes:
    if element is None or not (element.text or "").strip().isdigit():
        return Bytes(0)
    return Bytes(int(element.text or "0") * _UNITS.get(element.get("unit", "KiB").lower(), 1024))


def _is_disk(disk: ET.Element) -> bool:
    return disk.get("device", "disk") in {"disk", "lun"} and disk.find("source") is not None


def _disk(disk: ET.Element) -> DiskDescription:
    source, driver, target = disk.find("source"), disk.find("driver"), disk.find("target")
    where = {} if source is None else source.attrib
    how = {} if driver is None else driver.attrib
    return DiskDescription(
        device=target.get("dev", "") if target is not None else "",
        path=where.get("file") or where.get("dev") or where.get("volume") or where.get("name") or "",
        pool=where.get("pool", ""),
        format=how.get("type", "raw"),
        cache=how.get("cache", "default"),
        read_only=disk.find("readonly") is not None,
        is_block=disk.get("type") == "block",
    )


def _host_device(device: ET.Element) -> str:
    """Say what a device of the host is, in the words of its bus."""
    kind, source = device.get("type", "host"), device.find("source")
    if source is None:
        return f"a {kind} device"
    address, vendor, product = source.find("address"), source.find("vendor"), source.find("product")
    if vendor is not None and product is not None:
        return f"{kind.upper()} device {_hex(vendor, 'id')}:{_hex(product, 'id')}"
    if address is None:
        return f"a {kind} device"
    if address.get("uuid"):
        return f"{kind} device {address.get('uuid')}"
    if address.get("slot"):
        place = f"{_hex(address, 'domain')}:{_hex(address, 'bus')}:{_hex(address, 'slot')}.{_hex(address, 'function')}"
        return f"{kind.upper()} device {place}"
    return f"{kind.upper()} device {address.get('bus', '?')}:{address.get('device', '?')}"


def _hex(element: ET.Element, name: str) -> str:
    return element.get(name, "0").removeprefix("0x")


def _network(interface: ET.Element) -> str:
    source = interface.find("source")
    if source is None:
        return ""
    return source.get("network") or source.get("bridge") or source.get("dev") or ""
