"""The options of the confirmation: what a driver offers, within which bounds."""

from xenweb.core.facts import Kind
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import Capability, MoveOptions
from xenweb.livemigration.errors import OptionRefusedError
from xenweb.realtime.wire import OptionWire

BANDWIDTH = (1 * MIB, 100_000 * MIB)
DOWNTIME_MS = (1, 60_000)
DEADLINE_S = (5, 86_400)

_OFFERS = {
    Capability.BANDWIDTH_LIMIT: OptionWire(
        name="bandwidth_limit",
        label="Copy speed limit",
        help="Leaves room on the link for others; a busy VM may then never finish.",
        unit="bytes/s",
        minimum=BANDWIDTH[0],
        maximum=BANDWIDTH[1],
    ),
    Capability.DOWNTIME_LIMIT: OptionWire(
        name="downtime_limit_ms",
        label="Allowed pause",
        help="The VM is handed over once the rest can be copied within this time.",
        unit="ms",
        minimum=DOWNTIME_MS[0],
        maximum=DOWNTIME_MS[1],
    ),
    Capability.AUTO_CONVERGE: OptionWire(
        name="auto_converge",
        label="Let it converge",
        help="Slows the VM's CPUs down, step by step, until copying is faster than its changes.",
        unit=None,
        minimum=None,
        maximum=None,
    ),
    Capability.POST_COPY: OptionWire(
        name="post_copy",
        label="Keep post-copy at hand",
        help="It can then be chosen while the move runs. If it is, no host holds the whole memory until it ends.",
        unit=None,
        minimum=None,
        maximum=None,
    ),
    Capability.GUARD: OptionWire(
        name="guard",
        label="Guard the disks first",
        help="Keeps the disks as they were before the move, for a way back; with ``guard_memory`` the memory as well. "
        "The VM stands still meanwhile.",
        unit=None,
        minimum=None,
        maximum=None,
    ),
    Capability.CANCEL: OptionWire(
        name="deadline_s",
        label="Give up after",
        help="A move that has not ended by then is cancelled, and the VM stays where it is.",
        unit="s",
        minimum=DEADLINE_S[0],
        maximum=DEADLINE_S[1],
    ),
}


# A VM that does not run changes nothing: there is no pause to allow, and nothing to slow down or to finish.
_FOR_RUNNING = frozenset({Capability.DOWNTIME_LIMIT, Capability.AUTO_CONVERGE, Capability.POST_COPY, Capability.GUARD})
_NOT_FOR: dict[Kind, frozenset[Capability]] = {
    Kind.LIVE: frozenset(),
    Kind.PAUSED: _FOR_RUNNING,
    Kind.COLD: _FOR_RUNNING | {Capability.BANDWIDTH_LIMIT},
}


def offered(capabilities: frozenset[Capability], kind: Kind) -> list[OptionWire]:
    """List the options that a host with these capabilities offers for a kind of move."""
    able = capabilities - _NOT_FOR[kind]
    return [offer for capability, offer in _OFFERS.items() if capability in able]


def _within(name: str, value: float | None, bounds: tuple[int, int]) -> None:
    if value is not None and not bounds[0] <= value <= bounds[1]:
        msg = f"{name} must lie between {bounds[0]} and {bounds[1]}."
        raise OptionRefusedError(msg, option=name, minimum=bounds[0], maximum=bounds[1])


def options_check(
    capabilities: frozenset[Capability], kind: Kind, options: MoveOptions, deadline_s: int | None
) -> None:
    """Raise OptionRefusedError for an option out of bounds, or one that is not offered for this kind."""
    asked = {
        "bandwidth_limit": options.bandwidth_limit is not None,
        "downtime_limit_ms": options.downtime_limit is not None,
        "auto_converge": options.auto_converge,
        "post_copy": options.post_copy,
        "guard": options.guard is True,
        "deadline_s": deadline_s is not None,
    }
    names = {offer.name for offer in offered(capabilities, kind)}
    for name, is_asked in asked.items():
        if is_asked and name not in names:
            msg = f"This hypervisor does not offer {name} for a move of this kind."
            raise OptionRefusedError(msg, option=name)
    if options.guard_memory and options.guard is not True:
        msg = "Memory is kept with a guard of the disks, and none is asked for."
        raise OptionRefusedError(msg, option="guard_memory")
    _within("bandwidth_limit", options.bandwidth_limit, BANDWIDTH)
    _within("downtime_limit_ms", options.downtime_limit, DOWNTIME_MS)
    _within("deadline_s", deadline_s, DEADLINE_S)
