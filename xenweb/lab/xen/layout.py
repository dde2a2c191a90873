"""Which machines the Xen lab has, and where everything of one lab lies.

Standard library only. A lab is one folder; labs in different folders do not see each other.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xenweb.lab.errors import LabError

NETWORK: Final = "10.77.0"
# The longest path of a socket below the folder of the lab: ssh adds 17 characters of its own while it makes one.
LONGEST_SOCKET: Final = "/xen-1/ssh.0123456789abcdef"


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """One machine as it is built. A machine that ``is_host`` runs Xen, the other has the storage.

    ``memory`` in MiB is the least it has: a host has more where its lab's guests need it.
    """

    name: str
    number: int
    uuid: str
    memory: int
    is_host: bool = True

    @property
    def address(self) -> str:
        """Its address on the lab's own network, where storage and moves go."""
        return f"{NETWORK}.{self.number}"

    def card(self, place: int) -> str:
        """Return the hardware address of its network card: 0 for commands from outside, 1 for the lab's network."""
        return f"52:58:57:00:{place:02x}:{self.number:02x}"


MACHINES: Final = (
    MachineSpec("xen-1", 1, "7e2d1f0a-0d6a-4c0e-9b5e-010101010101", 2048),
    MachineSpec("xen-2", 2, "7e2d1f0a-0d6a-4c0e-9b5e-020202020202", 2048),
    MachineSpec("store", 3, "7e2d1f0a-0d6a-4c0e-9b5e-030303030303", 512, is_host=False),
)
HOSTS: Final = tuple(machine for machine in MACHINES if machine.is_host)
HOST_ITSELF: Final = 1000
"""MiB that Xen and a host's own Linux take; the rest is the guests'."""


def machine_spec(name: str) -> MachineSpec:
    """Return the machine of that name; raise LabError naming the ones there are."""
    for machine in MACHINES:
        if machine.name == name:
            return machine
    known = ", ".join(machine.name for machine in MACHINES)
    msg = f"The Xen lab has no machine {name!r}; its machines are {known}."
    raise LabError(msg)


def host_spec(name: str) -> MachineSpec:
    """Return the Xen host of that name; raise LabError when it is none."""
    machine = machine_spec(name)
    if not machine.is_host:
        msg = f"{name} is the lab's storage and runs no libvirt."
        raise LabError(msg)
    return machine


@dataclass(frozen=True, slots=True)
class MachineFolder:
    """The folder of one machine."""

    path: Path

    @property
    def disk(self) -> Path:
        """What the machine has changed of the image they all share."""
        return self.path / "root.qcow2"

    @property
    def serial(self) -> Path:
        """What the machine said on its console since it was built."""
        return self.path / "serial.log"

    @property
    def log(self) -> Path:
        """What QEMU had to say."""
        return self.path / "qemu.log"

    @property
    def monitor(self) -> Path:
        """Where QEMU takes orders."""
        return self.path / "qmp"

    @property
    def process(self) -> Path:
        """Which process the machine is."""
        return self.path / "process.json"

    @property
    def shell(self) -> Path:
        """The connection that all commands for the machine share."""
        return self.path / "ssh"


@dataclass(frozen=True, slots=True)
class LabLayout:
    """The folder of one lab, and every place in it."""

    folder: Path

    def machine(self, name: str) -> MachineFolder:
        """Return the folder of one machine."""
        return MachineFolder(self.folder / name)

    @property
    def key(self) -> Path:
        """The key that opens the lab's machines; its public half lies beside it."""
        return self.folder / "key"

    @property
    def known_machines(self) -> Path:
        """What the machines' own keys are, as ssh has learned them."""
        return self.folder / "known_hosts"

    @property
    def description(self) -> Path:
        """The image the lab was started from, its hosts' memory, and the ports of this machine that lead into it."""
        return self.folder / "lab.json"

    @property
    def links(self) -> Path:
        """Whose link is down, and how."""
        return self.folder / "links.json"

    @property
    def block_unit(self) -> Path:
        """The disk that the hosts share for the volume group."""
        return self.folder / "san.img"

    @property
    def file_unit(self) -> Path:
        """The disk that the hosts share for the cluster file system."""
        return self.folder / "ocfs2.qcow2"

    @property
    def lock(self) -> Path:
        """Held while the lab goes up or down."""
        return self.folder / "lock"


def default_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return XENWEB_XEN_LAB, or a short path of this user: sockets lie in it, and their paths have to stay short."""
    return Path(environment.get("XENWEB_XEN_LAB") or f"/tmp/xw-xen-{os.getuid()}")
