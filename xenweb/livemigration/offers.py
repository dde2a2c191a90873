"""The convergence desk: what can be chosen for a move under way, and what each choice costs."""

from dataclasses import dataclass

from xenweb.core.facts import Kind
from xenweb.core.migration import NOT_CALLED, Repair, State
from xenweb.drivers.contract import LEVERS, Capability, Lever
from xenweb.inventory.selectors import capabilities_of
from xenweb.livemigration.models import Migration
from xenweb.livemigration.options import BANDWIDTH, DOWNTIME_MS
from xenweb.realtime.wire import ChoiceOfferWire


@dataclass(frozen=True, slots=True)
class _Text:
    """What a choice is called, and what it costs."""

    label: str
    cost: str
    unit: str | None = None
    bounds: tuple[int, int] | None = None


_TEXTS: dict[Lever | Repair, _Text] = {
    Lever.BANDWIDTH: _Text(
        "Copy faster or slower",
        "Takes as much of the link from everybody else who uses it.",
        "bytes/s",
        BANDWIDTH,
    ),
    Lever.DOWNTIME: _Text(
        "Allow a longer pause",
        "The VM stands still for up to this long while the rest is copied.",
        "ms",
        DOWNTIME_MS,
    ),
    Lever.PAUSE: _Text(
        "Pause the VM and finish",
        "The VM stands still from now on until everything is copied. It goes on by itself on the target.",
    ),
    Lever.POST_COPY: _Text(
        "Finish by post-copy",
        "The VM goes on at the target at once, and fetches what is missing. Until that ends no host holds "
        "its whole memory: if either host or the link fails, the VM is lost. There is no way back.",
    ),
    Repair.RESUME_SOURCE: _Text(
        "Let the VM go on at the source",
        "It stands still there, and the target is proven to have no copy.",
    ),
    Repair.REMOVE_SOURCE_COPY: _Text(
        "Remove the copy at the source",
        "The VM runs on the target. What stands still at the source is proven again, then removed.",
    ),
    Repair.REMOVE_TARGET_COPY: _Text(
        "Remove the incomplete copy at the target",
        "The VM runs on at the source. What the target has received so far is thrown away.",
    ),
    Repair.PAUSE_SOURCE: _Text(
        "Pause the copy at the source",
        "Choose this if the copy on the target is the right one. Nothing is removed; both wrote to the same disks.",
    ),
    Repair.PAUSE_TARGET: _Text(
        "Pause the copy at the target",
        "Choose this if the copy at the source is the right one. Nothing is removed; both wrote to the same disks.",
    ),
    Repair.REMOVE_PAUSED_SOURCE: _Text(
        "Remove the paused copy at the source",
        "The VM runs on the target. What the paused copy alone holds in memory is lost; its disks stay as they are.",
    ),
    Repair.REMOVE_PAUSED_TARGET: _Text(
        "Remove the paused copy at the target",
        "The VM runs at the source. What the paused copy alone holds in memory is lost; its disks stay as they are.",
    ),
    Repair.REMOVE_HALF_BUILT: _Text(
        "Remove the half-built copy, and let the VM go on at the source",
        "The copy at the target never ran, as its host proves again. It is thrown away, and then the VM, which stands "
        "still at the source, goes on there.",
    ),
    Repair.CORRECT_SOURCE: _Text(
        "Let the source's daemon see that the VM runs",
        "The VM runs, and the daemon takes it for paused. It is held for a moment so that the daemon can let it go on.",
    ),
}
_LEVERS_WORK_IN = frozenset({State.PRE_COPY, State.STOP_AND_COPY})


def can_be_given_up(row: Migration) -> bool:
    """Say whether a move can be given up where it stands: once called, only its source's hypervisor can do so."""
    return row.state in NOT_CALLED or Capability.CANCEL in capabilities_of(row.source)


def tells_passes(row: Migration) -> bool:
    """Say whether passes of a move can be seen: they were, or its source can tell them."""
    return bool(row.passes.all()) or Capability.PASSES in capabilities_of(row.source)


def _kinds(row: Migration) -> list[Lever | Repair]:
    if row.state in _LEVERS_WORK_IN and row.cancel_requested_at is None:
        capabilities = capabilities_of(row.source)
        able = [lever for lever, capability in LEVERS.items() if capability in capabilities]
        levers = [lever for lever in able if lever in _TEXTS]  # giving up is no offer: it has a button of its own
        if row.kind != Kind.LIVE:
            levers = [lever for lever in levers if lever is Lever.BANDWIDTH]
        return [lever for lever in levers if lever is not Lever.POST_COPY or row.post_copy]
    if row.state in {State.CANCELLING, State.UNCERTAIN}:
        return [Repair(each) for each in row.repairs.split()]
    return []


def offers_for(row: Migration) -> list[ChoiceOfferWire]:
    """List what can be chosen for a move now; the move's pool must be loaded with it."""
    return [
        ChoiceOfferWire(
            kind=kind.value,
            label=text.label,
            cost=text.cost,
            unit=text.unit,
            minimum=text.bounds[0] if text.bounds else None,
            maximum=text.bounds[1] if text.bounds else None,
        )
        for kind in _kinds(row)
        for text in (_TEXTS[kind],)
    ]
