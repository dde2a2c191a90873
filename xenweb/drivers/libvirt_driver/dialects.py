"""Which hypervisor a host speaks for. What only one of them can is asked only of that one.

libvirt is one library for both, and not one hypervisor: its Xen driver (libxl) knows neither QEMU's
statistics nor its levers. What each can do is data here, and the address alone says which it is.
"""

from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from xenweb.drivers.contract import Capability


class Dialect(StrEnum):
    """The hypervisors that libvirt speaks with for us."""

    QEMU = "qemu"
    XEN = "xen"


def dialect_of(uri: str) -> Dialect:
    """Say which hypervisor an address leads to; without asking anybody."""
    is_xen = urlsplit(uri).scheme.partition("+")[0] == Dialect.XEN
    return Dialect.XEN if is_xen else Dialect.QEMU


CAPABILITIES: Final[dict[Dialect, frozenset[Capability]]] = {
    # What is copied arrives at the path where it was: nothing else can be chosen.
    Dialect.QEMU: frozenset(Capability) - {Capability.GUARD, Capability.CHOSEN_PLACES},
    # libxl takes LIVE, PEER2PEER, PERSIST_DEST and UNDEFINE_SOURCE, tells the elapsed time alone, and aborts
    # nothing. A paused guest cannot be moved: it would have to acknowledge its own suspension.
    Dialect.XEN: frozenset(),
}
WITH_PROBE: Final = frozenset({Capability.PASSES, Capability.CANCEL, Capability.MEASURED_DOWNTIME, Capability.GUARD})
"""What a Xen host can besides, while its probe answers."""


def capabilities_at(uri: str, *, has_probe: bool = False) -> frozenset[Capability]:
    """Say what a host can do; a Xen host can more while its probe answers."""
    dialect = dialect_of(uri)
    return CAPABILITIES[dialect] | (WITH_PROBE if has_probe and dialect is Dialect.XEN else frozenset())
