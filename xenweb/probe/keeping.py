"""The verbs of a probe that are about storage: what there is, which volumes are active here, and guards of VMs."""

import threading
from collections.abc import Callable
from typing import Any

from .commands import Commands
from .configuration import Configuration
from .guards import Guards, State
from .guests import Xen
from .remedies import RemedyRefusedError
from .storage import Storage
from .volumes import Volumes

Asked = dict[str, Any]


class StorageVerbs:
    """What a daemon answers about the storage of its host; ``moves`` tells what the relays have seen."""

    def __init__(
        self, configuration: Configuration, xen: Xen, commands: Commands, moves: Callable[..., list[Asked]]
    ) -> None:
        self.configuration, self.xen, self.moves = configuration, xen, moves
        self.storage = Storage(commands, self.is_handing_over)
        self.volumes = Volumes(commands)
        self.guards = Guards(self.volumes, xen, configuration.run, configuration.states)
        self._changing = threading.Lock()

    def verbs(self) -> dict[str, Callable[[Asked], object]]:
        """Answer what can be asked."""
        return {
            "storage": lambda _asked: self.storage.told(),
            "volumes": lambda asked: self.volumes.seen(paths_of(asked)),
            "activate": self._activate,
            "deactivate": self._deactivate,
            "guard_foresee": lambda asked: self.guards.foresee(paths_of(asked), _size(asked)),
            "guard_look": lambda asked: self.guards.look(
                str(asked["guard"]), paths_of(asked), with_memory=asked.get("with_memory") is True
            ),
            "guard_memory": lambda asked: self.guards.memory(str(asked["guard"]), str(asked["vm"])),
            "guard_begin": self._begin_guard,
            "guard_remove": self._remove_guard,
            "guard_roll_back": self._roll_back,
        }

    def _begin_guard(self, asked: Asked) -> None:
        if self.has_helper(str(asked["vm"])):
            raise RemedyRefusedError("This VM is being moved: a guard is made before that.")
        size = _size(asked)
        state = None if size is None else State(str(asked["description"]), size)
        self.guards.begin(str(asked["guard"]), str(asked["vm"]), paths_of(asked), state)

    def _remove_guard(self, asked: Asked) -> None:
        try:
            self.guards.remove(str(asked["guard"]), paths_of(asked))
        finally:
            self.storage.forget()

    def _roll_back(self, asked: Asked) -> None:
        if self.has_helper(str(asked["vm"])):
            raise RemedyRefusedError("This VM is being moved: nothing is laid over its disks.")
        self.guards.roll_back(str(asked["guard"]), str(asked["vm"]), paths_of(asked))

    def is_handing_over(self) -> bool:
        """Say whether a guest stands still at this moment because its move hands it over."""
        return any(
            each["alive"] and (each.get("suspend_asked") is not None or each.get("results") is not None)
            for each in self.moves()
        )

    def has(self, vm: str) -> bool:
        """Say whether Xen has any copy of a VM on this host, or a helper works on one; raises XenError."""
        return self.has_helper(vm) or bool(self.xen.of(vm))

    def has_helper(self, vm: str) -> bool:
        """Say whether a helper works on a move of a VM."""
        return any(each["alive"] and each["vm"] == vm for each in self.moves())

    def _activate(self, asked: Asked) -> object:
        with self._changing:
            try:
                return self.volumes.activate(paths_of(asked))
            finally:
                self.storage.forget()

    def _deactivate(self, asked: Asked) -> None:
        vm = str(asked["vm"])
        if not vm:
            raise RemedyRefusedError("It is not said whose volumes these are.")
        with self._changing:
            try:
                self.volumes.deactivate(paths_of(asked), lambda: self.has(vm))
            finally:
                self.storage.forget()


def paths_of(asked: Asked) -> list[str]:
    """Read the paths of a question; raises KeyError or TypeError."""
    paths = asked["paths"]
    if not isinstance(paths, list):
        raise TypeError("paths")
    return [str(each) for each in paths]


def _size(asked: Asked) -> int | None:
    """Read how much memory is to be kept as well; None for none."""
    size = asked.get("memory")
    return size if isinstance(size, int) else None
