"""The guests of the Xen lab: paravirtual ones, each with one habit and one kind of storage.

What a guest does is the kernel line that its first process reads (image/guest-init, image/witness.c).
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from xenweb.lab.xen.layout import HOST_ITSELF, HOSTS

Storage = Literal["none", "san", "nfs", "ocfs2"]

_NAMESPACE: Final = uuid.UUID("8a3fe7a5-5c11-4c5c-8f0e-7d1d3f8f2b12")
# Every beat and record costs: an emulated CPU is slow, and a host has one for all its guests.
BEAT_MS: Final = 200
RECORD_MS: Final = 200
DISK_MIB: Final = 16
QUICKLY: Final = "quiet cryptomgr.notests init_on_alloc=0"
"""What a kernel need not do before its guest is heard: that takes an emulated CPU a second."""


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """One guest: where it starts and how it behaves.

    ``memory`` and ``span`` (the working set) are MiB, ``rate`` is MiB changed a second. ``storage`` is where its disk
    lies: a logical volume on the SAN, a file on NFS, a file on OCFS2.
    """

    name: str
    host: str
    memory: int = 96
    span: int = 4
    rate: int = 0
    storage: Storage = "none"

    @property
    def uuid(self) -> str:
        """The same identity in every lab, so that a lab started again shows the same VMs."""
        return str(uuid.uuid5(_NAMESPACE, self.name))

    @property
    def line(self) -> str:
        """The kernel line."""
        device = "none" if self.storage == "none" else "/dev/xvda"
        return (
            f"console=hvc0 {QUICKLY} beat={BEAT_MS} rate={self.rate} span={self.span} disk={device} every={RECORD_MS}"
        )


GUESTS: Final = (
    GuestSpec("idle-1", "xen-1"),
    GuestSpec("busy-1", "xen-2", memory=160, span=52, rate=16),
    GuestSpec("san-1", "xen-1", rate=1, storage="san"),
    GuestSpec("nfs-1", "xen-2", rate=1, storage="nfs"),
    GuestSpec("ocfs-1", "xen-1", rate=1, storage="ocfs2"),
)


def host_memory(guests: Iterable[GuestSpec]) -> int:
    """Return how many MiB each host needs, so that all the guests have room on one."""
    return max(HOST_ITSELF + sum(guest.memory for guest in guests), *(host.memory for host in HOSTS))
