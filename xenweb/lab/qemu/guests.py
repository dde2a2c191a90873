"""The guests of the lab: a small company, each with its habits.

What a guest does is the command line of our own guest program (guest/pulse.c).
"""

import uuid
from dataclasses import dataclass
from typing import Final, Literal

Disk = Literal["none", "shared", "local"]

_NAMESPACE: Final = uuid.UUID("8a3fe7a5-5c11-4c5c-8f0e-7d1d3f8f2b11")
BEAT_MS: Final = 50
TICKS_PER_SECOND: Final = 20
DISK_MIB: Final = 32


@dataclass(frozen=True, slots=True)
class GuestSpec:
    """One guest: where it starts and how it behaves.

    ``memory``, ``span`` (working set) and ``fill`` (data that never changes) are MiB,
    ``rate`` is pages of 4 KiB changed a second.
    """

    name: str
    host: str
    role: str
    memory: int
    fill: int
    span: int = 4
    rate: int = 0
    disk: Disk = "none"
    running: bool = True

    @property
    def uuid(self) -> str:
        """The same identity in every lab, so that a lab started again shows the same VMs."""
        return str(uuid.uuid5(_NAMESPACE, self.name))

    def arguments(self, *, flush: bool) -> str:
        """Return the command line of the guest program; ``flush`` is the cure for QEMU < 9 without KVM."""
        knobs = {
            "hz": TICKS_PER_SECOND,
            "beat": BEAT_MS,
            "rate": self.rate,
            "span": self.span,
            "fill": self.fill,
            "disk": int(self.disk != "none"),
            "flush": int(flush),
        }
        return " ".join(f"{name}={value}" for name, value in knobs.items())


GUESTS: Final = (
    GuestSpec("dns-1", "host-a", "idle", memory=64, fill=12),
    GuestSpec("ldap-1", "host-a", "idle", memory=128, fill=24, rate=10),
    GuestSpec("web-1", "host-a", "idle", memory=128, fill=32, rate=20),
    # 15.6 MiB a second in 48 MiB: three times what a link of 40 Mbit/s carries.
    GuestSpec("hot-db", "host-a", "changes faster than a limited link", memory=256, fill=48, span=48, rate=4000),
    GuestSpec("shop-db", "host-a", "disk on shared storage", memory=128, fill=32, span=8, rate=100, disk="shared"),
    GuestSpec("dns-2", "host-b", "idle", memory=64, fill=12),
    GuestSpec("web-2", "host-b", "idle", memory=128, fill=32, rate=20),
    GuestSpec("mail-2", "host-b", "idle", memory=128, fill=40, rate=10),
    GuestSpec("cache-1", "host-b", "busy", memory=192, fill=32, span=24, rate=768),
    GuestSpec("ledger", "host-b", "disk on storage of one host", memory=128, fill=24, rate=50, disk="local"),
    # Little of its memory is used, yet host-c must refuse it: a promise of memory counts, not its use.
    GuestSpec("big-etl", "host-b", "too big for the small host", memory=1024, fill=16),
    GuestSpec("git-1", "host-c", "idle", memory=128, fill=24, rate=10),
    GuestSpec("wiki", "host-c", "idle", memory=64, fill=16),
    GuestSpec("build-7", "host-c", "busy", memory=192, fill=32, span=32, rate=512),
    GuestSpec("old-wiki", "host-c", "halted", memory=128, fill=16, running=False),
)
