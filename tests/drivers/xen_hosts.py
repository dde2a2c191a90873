"""Xen hosts for tests of the driver: they answer what libxl answers, and fail a test that asks for more."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import libvirt

from tests.drivers.test_libvirt_words import libvirt_error
from xenweb.core.quantities import GIB

UUID = "7d2a1c1e-0000-4000-8000-000000000001"
GUEST = """<domain type='xen'><name>web01</name><memory unit='MiB'>160</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='{machine}'>linux</type></os><devices>
<disk type='block' device='disk'><driver name='phy'/><source dev='/dev/sr1/web01'/><target dev='xvda'/></disk>
<interface type='bridge'><source bridge='xenbr0'/></interface></devices></domain>"""
CAPABILITIES = """<capabilities><host><cpu><arch>x86_64</arch><model>Nehalem</model>
</cpu></host></capabilities>"""

SYSTEM = """<sysinfo type='smbios'><bios><entry name='uuid'>no</entry></bios>
<system><entry name='manufacturer'>QEMU</entry><entry name='uuid'>{uuid}</entry></system></sysinfo>"""
UNKNOWN = libvirt.VIR_ERR_NO_SUPPORT


@dataclass
class Guest:
    """One guest as libxl knows it. ``cpu`` gives its CPU time at each question."""

    uuid: str = UUID
    named: str = "web01"
    number: int = 3
    now: tuple[int, int] = (libvirt.VIR_DOMAIN_RUNNING, 0)
    work: int = libvirt.VIR_DOMAIN_JOB_NONE
    elapsed: int = 1200
    cpu: Callable[[], int] = lambda: 7
    machine: str = "xenpv"
    persistent: bool = True
    done: list[str] = field(default_factory=list)
    move: Callable[[str, dict[str, object], int], None] = lambda uri, parameters, flags: None

    def UUIDString(self) -> str:  # noqa: N802 - libvirt's name
        return self.uuid

    def name(self) -> str:
        return self.named

    def ID(self) -> int:  # noqa: N802 - libvirt's name
        return self.number

    def isActive(self) -> int:  # noqa: N802 - libvirt's name
        return int(self.number > 0)

    def isPersistent(self) -> int:  # noqa: N802 - libvirt's name
        return int(self.persistent)

    def state(self) -> list[int]:
        return list(self.now)

    def info(self) -> list[int]:
        return [self.now[0], 160 * 1024, 160 * 1024, 1, self.cpu()]

    def jobStats(self, flags: int = 0) -> dict[str, int]:  # noqa: N802 - libvirt's name
        if flags:
            raise libvirt_error(libvirt.VIR_ERR_INVALID_ARG, "unsupported flags")
        return {"type": self.work, "time_elapsed": self.elapsed} if self.work else {"type": 0}

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        return GUEST.format(machine=self.machine)

    def migrateToURI3(self, uri: str, parameters: dict[str, object], flags: int) -> None:  # noqa: N802
        self.done.append("move")
        self.move(uri, parameters, flags)

    def __getattr__(self, name: str) -> Any:
        def refuse(*_arguments: object) -> None:
            self.done.append(name)
            raise libvirt_error(UNKNOWN, f"this function is not supported by the connection driver: {name}")

        return refuse


class Volume:
    """A logical volume of 64 MiB."""

    def info(self) -> list[int]:
        return [1, 64 * 1024 * 1024, 64 * 1024 * 1024]

    def path(self) -> str:
        return "/dev/sr1/web01"

    def key(self) -> str:
        return "lvm-key"


@dataclass
class XenHost:
    """A connection to libxl; what it does not know of is not supported, and noted."""

    hostname: str = "xen1"
    guests: list[Guest] = field(default_factory=list)
    version: int = 4_017_000
    free: int = GIB
    answers: dict[str, Any] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)
    is_open: bool = True

    def isAlive(self) -> int:  # noqa: N802 - libvirt's name
        return int(self.is_open)

    def getType(self) -> str:  # noqa: N802 - libvirt's name
        return "Xen"

    def getVersion(self) -> int:  # noqa: N802 - libvirt's name
        return self.version

    def getLibVersion(self) -> int:  # noqa: N802 - libvirt's name
        return 9_000_000

    def getHostname(self) -> str:  # noqa: N802 - libvirt's name
        return self.hostname

    def getCapabilities(self) -> str:  # noqa: N802 - libvirt's name
        return CAPABILITIES

    def getSysinfo(self, _flags: int) -> str:  # noqa: N802 - libvirt's name
        number = self.hostname[-1]
        return SYSTEM.format(uuid=self.answers.get("system_uuid", f"7E2D1F0A-0000-4000-8000-00000000000{number}"))

    def getInfo(self) -> list[Any]:  # noqa: N802 - libvirt's name
        return ["x86_64", 2048, 2, 2000, 1, 1, 2, 1]

    def getFreeMemory(self) -> int:  # noqa: N802 - libvirt's name
        return self.free

    def listAllDomains(self, _flags: int) -> list[Guest]:  # noqa: N802 - libvirt's name
        return [Guest(uuid="0", named="Domain-0", number=0), *self.guests]

    def lookupByUUIDString(self, uuid: str) -> Guest:  # noqa: N802 - libvirt's name
        for guest in self.guests:
            if guest.uuid == uuid:
                return guest
        raise libvirt_error(libvirt.VIR_ERR_NO_DOMAIN, "Domain not found")

    def listNetworks(self) -> list[str]:  # noqa: N802 - libvirt's name
        return []

    def listDefinedNetworks(self) -> list[str]:  # noqa: N802 - libvirt's name
        return []

    def listInterfaces(self) -> list[str]:  # noqa: N802 - libvirt's name
        return ["xenbr0"]

    def listAllStoragePools(self, _flags: int) -> list[object]:  # noqa: N802 - libvirt's name
        return []

    def storageVolLookupByPath(self, path: str) -> Volume:  # noqa: N802 - libvirt's name
        found = self.answers.get("volumes", {"/dev/sr1/web01": Volume()}).get(path)
        if found is None:
            raise libvirt_error(libvirt.VIR_ERR_NO_STORAGE_VOL, "no storage vol")
        return found

    def close(self) -> None:
        self.is_open = False

    def __getattr__(self, name: str) -> Any:
        def refuse(*_arguments: object) -> Any:
            self.unsupported.append(name)
            raise libvirt_error(UNKNOWN, f"this function is not supported by the connection driver: {name}")

        return refuse
