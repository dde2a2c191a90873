"""Where everything of one lab lies, and which hosts it has.

Standard library only: the processes inside the namespaces import this too.
A lab is one folder; labs in different folders do not see each other.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenweb.lab import folders
from xenweb.lab.errors import LabError

MIB: Final = 1024 * 1024
# libvirt's longest socket of a guest, below the folder of the lab; it keeps 20 characters of a guest's name.
LONGEST_SOCKET: Final = "/host-a/config/libvirt/qemu/lib/domain-9999-" + "x" * 20 + "/monitor.sock"


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One host of the lab as it is built: ``memory`` in bytes is what it claims to have."""

    name: str
    number: int
    uuid: str
    memory: int

    @property
    def address(self) -> str:
        """The address of the host on the lab's own data network."""
        return f"10.99.0.{self.number}"

    @property
    def card(self) -> str:
        """The hardware address of its network card: the same after a power cut, as everybody who knows it expects."""
        return f"02:58:57:00:00:{self.number:02x}"

    @property
    def first_migration_port(self) -> int:
        """The first of the 50 ports on which the host takes incoming guests."""
        return 49200 + 100 * self.number


HOSTS: Final = (
    HostSpec("host-a", 1, "6d1c1f0a-0d6a-4c0e-9b5e-0a0a0a0a0a0a", 4096 * MIB),
    HostSpec("host-b", 2, "6d1c1f0a-0d6a-4c0e-9b5e-0b0b0b0b0b0b", 4096 * MIB),
    HostSpec("host-c", 3, "6d1c1f0a-0d6a-4c0e-9b5e-0c0c0c0c0c0c", 1024 * MIB),
)


def host_spec(name: str) -> HostSpec:
    """Return the host of that name; raise LabError naming the ones there are."""
    for host in HOSTS:
        if host.name == name:
            return host
    known = ", ".join(host.name for host in HOSTS)
    msg = f"The lab has no host {name!r}; its hosts are {known}."
    raise LabError(msg)


@dataclass(frozen=True, slots=True)
class HostFolder:
    """The private folder of one host."""

    path: Path

    @property
    def run(self) -> Path:
        """Sockets and pid files."""
        return self.path / "run"

    @property
    def config(self) -> Path:
        """What libvirt keeps about its guests, and its monitor sockets."""
        return self.path / "config"

    @property
    def cache(self) -> Path:
        """What libvirt learned about QEMU; survives a restart of the lab because learning takes seconds."""
        return self.path / "cache"

    @property
    def disks(self) -> Path:
        """The storage only this host has, seen by the host at ``LabLayout.local``."""
        return self.path / "local"

    @property
    def data(self) -> Path:
        """What libvirt keeps besides."""
        return self.path / "data"

    @property
    def daemon_log(self) -> Path:
        """What libvirt had to say, in detail."""
        return self.path / "libvirtd.log"

    @property
    def socket(self) -> Path:
        """Where libvirt listens."""
        return self.run / "libvirt" / "libvirt-sock"

    @property
    def lock_socket(self) -> Path:
        """Where libvirt asks for leases."""
        return self.run / "libvirt" / "virtlockd-sock"

    @property
    def daemon_config(self) -> Path:
        """The configuration file of the libvirt daemon."""
        return self.path / "libvirtd.conf"

    @property
    def meminfo(self) -> Path:
        """What the host sees as /proc/meminfo."""
        return self.path / "meminfo"

    @property
    def stat(self) -> Path:
        """What the host sees as /proc/stat."""
        return self.path / "stat"

    @property
    def emulator(self) -> Path:
        """What the host sees as its QEMU while its CPU is small."""
        return self.path / "emulator"

    @property
    def log(self) -> Path:
        """What the host's first process and libvirt had to say."""
        return self.path / "host.log"


@dataclass(frozen=True, slots=True)
class LabLayout:
    """The folder of one lab, and every place in it."""

    folder: Path

    def host(self, name: str) -> HostFolder:
        """Return the folder of one host."""
        return HostFolder(self.folder / name)

    def uri(self, name: str) -> str:
        """Return the libvirt URI of one host."""
        return f"qemu+unix:///session?socket={self.host(name).socket}"

    @property
    def program(self) -> Path:
        """The guest program."""
        return self.folder / "pulse.elf"

    @property
    def control(self) -> Path:
        """The socket on which the lab takes commands."""
        return self.folder / "control.sock"

    @property
    def process(self) -> Path:
        """Which process is this lab, so that exactly that one is ended."""
        return self.folder / "process.json"

    @property
    def description(self) -> Path:
        """The lab for machines: hosts, guests, versions."""
        return self.folder / "lab.json"

    @property
    def lock(self) -> Path:
        """Held while the lab goes up or down."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        """What the lab's own process had to say."""
        return self.folder / "lab.log"

    @property
    def names(self) -> Path:
        """What every host sees as /etc/hosts."""
        return self.folder / "hosts"

    @property
    def people(self) -> Path:
        """What every host sees as /etc/passwd."""
        return self.folder / "passwd"

    @property
    def groups(self) -> Path:
        """What every host sees as /etc/group."""
        return self.folder / "group"

    @property
    def emulator(self) -> Path:
        """The machine's own QEMU, where a host sees another one in its place."""
        return self.folder / "qemu-real"

    @property
    def acceleration(self) -> Path:
        """What the last look for KVM found on this kernel with this QEMU."""
        return self.folder / "acceleration.json"

    @property
    def consoles(self) -> Path:
        """The serial consoles of all guests, wherever they run."""
        return self.folder / "log"

    @property
    def shared(self) -> Path:
        """The storage all hosts share."""
        return self.folder / "shared"

    @property
    def local(self) -> Path:
        """Where each host sees the storage only it has."""
        return self.folder / "local"

    @property
    def leases(self) -> Path:
        """One lease for each guest, on storage all hosts share: whoever has it runs the guest."""
        return self.folder / "leases"

    def console(self, guest: str) -> Path:
        """Return the serial console of one guest."""
        return self.consoles / f"{guest}.log"


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return XENWEB_LAB, or a short path of this user: the paths of QEMU's sockets have to stay short."""
    return Path(environment.get("XENWEB_LAB") or f"/tmp/xw-{os.getuid()}")


def check_path(folder: Path) -> None:
    """Raise LabUnavailableError when the sockets below ``folder`` would have names the kernel refuses."""
    folders.check_path(folder, LONGEST_SOCKET)


def claim(folder: Path) -> LabLayout:
    """Make ``folder`` ours and private, and return its layout; raise LabError when it cannot be had."""
    folder = folders.absolute(folder)
    check_path(folder)
    folders.claim(folder)
    return LabLayout(folder)
