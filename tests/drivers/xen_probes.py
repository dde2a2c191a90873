"""A probe that says what a test puts into it, in the place of the lines to the real ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xenweb.core.quantities import MIB, Bytes
from xenweb.drivers.contract import Endpoint, MoveRefusedError
from xenweb.drivers.libvirt_driver.xen.probing import PathSeen, Probes, SeenMove, SeenPass, XenCopy

UUID = "7d2a1c1e-0000-4000-8000-000000000001"


def copy(*, paused: bool = False, reason: int | None = None, dying: bool = False, cpu_time: int = 9) -> XenCopy:
    return XenCopy(3, UUID, paused, reason is not None, dying, reason, cpu_time)


RUNS, PAUSED, SUSPENDED = copy(), copy(paused=True), copy(reason=2)
NEVER_RAN, DIES, STOPPED = copy(paused=True, cpu_time=0), copy(dying=True), copy(reason=0)


def seen(
    *,
    saves: bool = True,
    alive: bool = True,
    began: float = 100.0,
    passes: Sequence[SeenPass] = (),
    suspend_asked: float | None = None,
    results: float | None = None,
    ran: float | None = None,
    errors: tuple[str, ...] = (),
    cancel: str = "",
    now: float = 200.0,
) -> SeenMove:
    value = None if alive else 0
    return SeenMove(
        saves, alive, began, tuple(passes), suspend_asked, results, None, ran, value, errors, cancel, now
    )  # fmt: skip


PASSES = (
    SeenPass(101.0, 109.0, True, Bytes(160 * MIB), Bytes(160 * MIB)),
    SeenPass(109.0, 110.0, True, Bytes(16 * MIB), Bytes(16 * MIB)),
    SeenPass(110.0, None, True, Bytes(4 * MIB), Bytes(1 * MIB)),
)


@dataclass
class FakeProbes(Probes):
    """What each host's probe says, by the host's name; a host that is not named has none."""

    has: dict[str, tuple[XenCopy, ...]] = field(default_factory=dict)
    seen_moves: dict[str, tuple[SeenMove, ...]] = field(default_factory=dict)
    at: dict[str, dict[str, PathSeen]] = field(default_factory=dict)
    bridged: dict[str, list[str]] = field(default_factory=dict)
    done: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, dict[str, object]] = field(default_factory=dict)
    """What a host's probe answers to a look, by the host's name and the verb."""

    asked: list[tuple[str, str, dict[str, object]]] = field(default_factory=list)
    refuses: str = ""
    on: Callable[[str, str], None] = lambda host, verb: None

    def answers(self, endpoint: Endpoint) -> bool:
        return endpoint.name in self.has

    def copies(self, endpoint: Endpoint, vm_uuid: str) -> tuple[XenCopy, ...] | None:
        found = self.has.get(endpoint.name)
        return None if found is None else tuple(each for each in found if each.uuid == vm_uuid)

    def guests(self, endpoint: Endpoint) -> tuple[XenCopy, ...] | None:
        return self.has.get(endpoint.name)

    def moves(self, endpoint: Endpoint, vm_uuid: str) -> tuple[SeenMove, ...]:
        return self.seen_moves.get(endpoint.name, ())

    def paths(self, endpoint: Endpoint, paths: Sequence[str]) -> dict[str, PathSeen] | None:
        return self.at.get(endpoint.name)

    def bridges(self, endpoint: Endpoint) -> list[str] | None:
        return self.bridged.get(endpoint.name)

    def look(self, endpoint: Endpoint, verb: str, within: float = 0, **more: object) -> object:
        return self.told.get(endpoint.name, {}).get(verb)

    def tell(self, endpoint: Endpoint, verb: str, within: float = 0, **more: object) -> object:
        self.asked.append((endpoint.name, verb, more))
        if self.refuses:
            raise MoveRefusedError(self.refuses)
        return self.told.get(endpoint.name, {}).get(verb)

    def do(self, endpoint: Endpoint, verb: str, vm_uuid: str = "") -> None:
        self.done.append((endpoint.name, verb))
        if self.refuses:
            raise MoveRefusedError(self.refuses)
        self.on(endpoint.name, verb)
