"""A pool: its hosts, who leads it, its records, and what of its guests the XenAPI never tells."""

import threading
from dataclasses import dataclass, field

from xenweb.core.precopy.rules import Guest
from xenweb.core.quantities import MIB, Bytes, BytesPerSecond
from xenweb.lab.xapi.model import NULL
from xenweb.lab.xapi.store import Store
from xenweb.lab.xapi.wire import XapiError

LINK = 96.0 * MIB
"""Bytes a second that one move gets across, unless the control door says otherwise."""

ACTIVE = frozenset({"Running", "Paused"})
IDLE = Guest(Bytes(0), BytesPerSecond(0.0), Bytes(0))


@dataclass(slots=True)
class Faults:
    """What is wrong by a test's will; everything else is as it should be."""

    link: float = LINK
    answers_after: float = 0.0
    drops: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    missing_fields: set[str] = field(default_factory=set)
    padding: int = 0
    drip: float = 0.0
    fail_late: str = ""
    lie: bool = False
    keep_reserved: bool = True
    pause: float = 0.0
    parted: bool = False


@dataclass(slots=True)
class Place:
    """One host of a pool. ``address`` is where it listens; a host without power has no ``is_up``."""

    name: str
    address: str
    ref: str = ""
    is_up: bool = True
    is_silent: bool = False


class Pool:
    """Everything of one pool."""

    def __init__(self, name: str, faults: Faults) -> None:
        self.name, self.faults = name, faults
        self.store = Store()
        self.ref = ""
        self.places: list[Place] = []
        self.guests: dict[str, Guest] = {}
        self.epoch = 0
        """Rises whenever the coordinator's toolstack starts anew: tasks and sessions do not outlive it."""
        self.moving = threading.Lock()
        self.logouts = 0
        """How many sessions were ended by their own word."""

    @property
    def coordinator(self) -> Place:
        """Answer the host that leads."""
        leader = self.store.text("pool", self.ref, "master")
        return next(each for each in self.places if each.ref == leader)

    def place(self, ref: str) -> Place:
        """Find a host by its reference; refuse with HANDLE_INVALID."""
        for each in self.places:
            if each.ref == ref:
                return each
        raise XapiError("HANDLE_INVALID", "host", ref)

    def guest(self, vm: str) -> Guest:
        """Answer what of a guest decides a move's length."""
        return self.guests.get(self.store.text("VM", vm, "uuid"), IDLE)

    def memory_of(self, vm: str) -> int:
        """Say what a VM takes of its host, in bytes: its memory and what keeping it costs."""
        store = self.store
        return store.number("VM", vm, "memory_dynamic_max") + store.number("VM", vm, "memory_overhead")

    def memory_free(self, host: str) -> int:
        """Say how much of a host's memory is nobody's; a VM that is being moved is charged to both."""
        store = self.store
        with store.lock:
            total = store.number("host_metrics", store.text("host", host, "metrics"), "memory_total")
            taken = store.number("host", host, "memory_overhead")
            here = set(store.listed("host", host, "resident_VMs"))
            coming = {vm for vm, row in store.tables["VM"].items() if row.record["scheduled_to_be_resident_on"] == host}
            charged = {vm for vm in here if store.text("VM", vm, "power_state") in ACTIVE} | coming
            return max(0, total - taken - sum(map(self.memory_of, charged)))

    def disks_of(self, vm: str) -> list[str]:
        """List the VDIs of a VM, CDs left out."""
        store = self.store
        bays = [vbd for vbd in store.listed("VM", vm, "VBDs") if store.text("VBD", vbd, "type") == "Disk"]
        found = [store.text("VBD", vbd, "VDI") for vbd in bays if not store.flag("VBD", vbd, "empty")]
        suspended = store.text("VM", vm, "suspend_VDI")
        return [*found, *([suspended] if suspended != NULL else [])]

    def networks_of(self, vm: str) -> list[str]:
        """List the networks of a VM."""
        return [self.store.text("VIF", vif, "network") for vif in self.store.listed("VM", vm, "VIFs")]

    def sees_storage(self, host: str, sr: str) -> bool:
        """Say whether a host has a storage repository attached now."""
        store = self.store
        pbds = store.listed("SR", sr, "PBDs") if store.has("SR", sr) else []
        return any(
            store.text("PBD", pbd, "host") == host and store.flag("PBD", pbd, "currently_attached") for pbd in pbds
        )

    def sees_network(self, host: str, network: str) -> bool:
        """Say whether a host has an interface on a network; one without interfaces is on every host."""
        pifs = self.store.listed("network", network, "PIFs")
        return not pifs or any(self.store.text("PIF", pif, "host") == host for pif in pifs)

    def reside(self, vm: str, host: str) -> None:
        """Let a VM run on a host, or nowhere, in all records that say so."""
        store = self.store
        with store.lock:
            for each in self.places:
                residents = store.listed("host", each.ref, "resident_VMs")
                wanted = [other for other in residents if other != vm] + ([vm] if each.ref == host else [])
                if wanted != residents:
                    store.set("host", each.ref, resident_VMs=list(wanted))
            store.set("VM", vm, resident_on=host, scheduled_to_be_resident_on=NULL)
