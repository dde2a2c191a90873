"""A VM's logical volumes on both hosts of its move, through their probes.

Before the call they are activated on the target, and after it let go where the VM is not. Which volumes those are
the move's plan says: they were written down with the intent.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from xenweb.core.facts import StorageKind
from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import Endpoint, MigrationPlan
from xenweb.drivers.libvirt_driver.xen.probing import Probes
from xenweb.drivers.libvirt_driver.xen.storing import Group, Mount, StorageSeen

TOOLS_WITHIN: Final = 15.0
"""Seconds that a probe may take where it has to ask LVM's tools."""

CHANGE_WITHIN: Final = 120.0
"""Seconds that a probe may take to activate, or to deactivate, the volumes of one VM."""

Told = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class VolumeSeen:
    """One logical volume on one host. ``identity`` is its name in the kernel, the same on every host.

    ``hindrance`` says why it may not be active on two hosts at once, empty if it may; ``stands`` is what is at its
    path: missing, block, file or other.
    """

    identity: str
    size: Bytes | None
    active: bool
    opened: int
    hindrance: str
    stands: str


class VmVolumes:
    """What probes tell of volumes, and what they are told to do with them."""

    def __init__(self, probes: Callable[[], Probes]) -> None:
        self._probes = probes
        self._lock = threading.Lock()
        self._kept: dict[str, StorageSeen] = {}

    def storage(self, endpoint: Endpoint) -> StorageSeen | None:
        """Answer what a probe knows of its host's storage; the last word of one that is silent just now stays."""
        said = _mapped(self._probes().look(endpoint, "storage")) if endpoint.probe else {}
        with self._lock:
            if said.get("known") is True:
                self._kept[endpoint.probe] = _storage(said)
            return self._kept.get(endpoint.probe)

    def seen(self, endpoint: Endpoint, paths: tuple[str, ...]) -> dict[str, VolumeSeen] | None:
        """Answer those of some paths that name a logical volume of a host; None where nobody says."""
        said = self._probes().look(endpoint, "volumes", TOOLS_WITHIN, paths=list(paths)) if endpoint.probe else None
        if not isinstance(said, Mapping):
            return None
        return {str(path): _volume(each) for path, each in said.items()}

    def activate(self, plan: MigrationPlan) -> None:
        """Activate the plan's volumes on the target; raise MoveRefusedError, or ProbeSilentError, if they cannot be."""
        if plan.volumes:
            paths = list(plan.volumes)
            self._probes().tell(plan.target, "activate", CHANGE_WITHIN, vm=plan.vm_uuid, paths=paths)

    def release(self, endpoint: Endpoint, vm_uuid: str, path: str) -> None:
        """Deactivate one volume on a host where Xen has no copy of the VM and nothing has it open.

        Raises MoveRefusedError where that is not so, ProbeSilentError where nobody says.
        """
        self._probes().tell(endpoint, "deactivate", CHANGE_WITHIN, vm=vm_uuid, paths=[path])


def _mapped(said: object) -> Told:
    return said if isinstance(said, Mapping) else {}


def _listed(said: object) -> list[Told]:
    return [_mapped(each) for each in said] if isinstance(said, list) else []


def _size(said: object) -> Bytes | None:
    return Bytes(int(said)) if isinstance(said, int | float) and not isinstance(said, bool) else None


def _kind(said: object) -> StorageKind:
    try:
        return StorageKind(str(said))
    except ValueError:
        return StorageKind.UNKNOWN


def _storage(said: Told) -> StorageSeen:
    sizes = {}
    for each in _listed(said.get("volumes")):
        size = _size(each.get("size"))
        if size is not None:
            sizes[(str(each.get("group")), str(each.get("name")))] = size
    return StorageSeen(
        groups=tuple(_group(each) for each in _listed(said.get("groups"))),
        mounts=tuple(_mount(each) for each in _listed(said.get("mounts"))),
        sizes=sizes,
    )


def _group(said: Told) -> Group:
    targets = said.get("targets")
    return Group(
        uuid=str(said.get("uuid", "")),
        name=str(said.get("name", "")),
        size=_size(said.get("size")) or Bytes(0),
        free=_size(said.get("free")) or Bytes(0),
        kind=_kind(said.get("kind")),
        targets=tuple(map(str, targets)) if isinstance(targets, list) else (),
    )


def _mount(said: Told) -> Mount:
    return Mount(
        path=str(said.get("path", "")),
        kind=_kind(said.get("kind")),
        identity=str(said.get("identity", "")),
        size=_size(said.get("size")),
        free=_size(said.get("free")),
    )


def _volume(said: object) -> VolumeSeen:
    told = _mapped(said)
    return VolumeSeen(
        identity=str(told.get("identity", "")),
        size=_size(told.get("size")),
        active=told.get("active") is True,
        opened=int(_size(told.get("open")) or 0),
        hindrance=str(told.get("hindrance", "")),
        stands=str(told.get("stands", "")),
    )
