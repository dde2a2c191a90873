"""One disk of a running VM that goes to other storage while its VM stays: its life, who may take it, what proves it."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from xenweb.core.facts import Ability, DiskFacts, HostFacts, HostState, PowerState, RepositoryFacts, VmFacts
from xenweb.core.findings import Finding, OwnWords, blocker
from xenweb.core.quantities import human_size
from xenweb.core.storage import free_for_copies, places_for_disks

SHOWN_WITHIN = 10.0
"""Seconds after its call within which a disk's move shows at its hypervisor, if it was begun at all."""


class DiskMoveState(StrEnum):
    """The states of a disk's move, in the order in which it meets them."""

    ASKED = "asked"
    MOVING = "moving"
    UNCERTAIN = "uncertain"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


D = DiskMoveState
TRANSITIONS: dict[DiskMoveState, frozenset[DiskMoveState]] = {
    D.ASKED: frozenset({D.MOVING, D.FAILED, D.CANCELLED}),
    D.MOVING: frozenset({D.UNCERTAIN, D.DONE, D.FAILED, D.CANCELLED}),
    D.UNCERTAIN: frozenset({D.MOVING, D.DONE, D.FAILED, D.CANCELLED}),
    D.DONE: frozenset(),
    D.FAILED: frozenset(),
    D.CANCELLED: frozenset(),
}
ENDED = frozenset(state for state, following in TRANSITIONS.items() if not following)
AT_WORK = frozenset(TRANSITIONS) - ENDED


class DiskAt(StrEnum):
    """Where a disk was found, by the records of its VM."""

    TARGET = "target"
    SOURCE = "source"
    ELSEWHERE = "elsewhere"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class DiskSeen:
    """One look at a disk's move. ``busy``: it is worked on. ``has_ended``: it is known to have been, and is no more.

    ``is_lost``: it is known to have been, and nobody tells whether it goes on or how it ended.
    ``share`` is how much is copied, 0..1 and None if nobody says; ``cause`` is why it ended otherwise,
    and ``words`` are the hypervisor's own for that.
    """

    at: DiskAt
    busy: bool = False
    has_ended: bool = False
    is_lost: bool = False
    share: float | None = None
    cause: str = ""
    words: OwnWords | None = None


def conclude_disk(seen: DiskSeen, *, cancel_asked: bool, since_call: float) -> DiskMoveState:
    """Say what a look proves of a move whose call was made so many seconds ago.

    The disk's own record counts, not the word of whoever moved it. That it is where it was proves nothing of a move
    that is lost: only the disk's arrival ends that, or a person who gives it up.
    """
    if seen.at is DiskAt.NO_ANSWER:
        return D.UNCERTAIN
    if seen.busy:
        return D.MOVING
    if seen.at is DiskAt.TARGET:
        return D.DONE
    if seen.at is DiskAt.ELSEWHERE:
        return D.UNCERTAIN
    if seen.is_lost and not cancel_asked:
        return D.UNCERTAIN
    if not seen.has_ended and not seen.is_lost and since_call < SHOWN_WITHIN:
        return D.MOVING
    return D.CANCELLED if cancel_asked else D.FAILED


def other_places(disk: DiskFacts, host: HostFacts) -> tuple[RepositoryFacts, ...]:
    """List where a disk can go on the host that runs its VM."""
    return tuple(each for each in places_for_disks(host) if each.id != disk.repository)


def judge_disk(vm: VmFacts, host: HostFacts | None, disk: DiskFacts, target: int | None) -> tuple[Finding, ...]:
    """Say every reason why a disk cannot go to a repository (an id; None if that is still to be chosen)."""
    if host is None or Ability.CHOSEN_PLACES not in host.abilities:
        sentence = f"No host that can move single disks runs {vm.name}."
        return (blocker("disk_move_unsupported", sentence, "Move the VM with its disks instead."),)
    return (*_of_vm(vm, host), *(() if target is None else _of_target(host, disk, target)))


def _of_vm(vm: VmFacts, host: HostFacts) -> Iterator[Finding]:
    if vm.moving_as:
        sentence = f"{vm.name}, or one of its disks, is already moving."
        yield blocker("vm_already_moving", sentence, "Wait for that to end, or cancel it.")
    if vm.conflict:
        yield blocker("vm_runs_twice", f"Two hosts say that they run {vm.name}.", "Find out which copy is right first.")
    if vm.state is not PowerState.RUNNING:
        sentence = f"{vm.name} is {vm.state}, and its disks are moved while it runs."
        yield blocker("vm_not_running", sentence, "Start it, or move the VM with its disks.")
    if host.state is not HostState.CONNECTED:
        yield blocker("host_unreachable", f"{host.name}, which runs it, does not answer.", "Bring it back first.")


def _of_target(host: HostFacts, disk: DiskFacts, target: int) -> Iterator[Finding]:
    if target == disk.repository:
        sentence = f"Disk {disk.device} is on {disk.repository_name} already."
        yield blocker("same_storage", sentence, "Choose other storage.")
        return
    there = next((each for each in places_for_disks(host) if each.id == target), None)
    if there is None:
        sentence = f"What was chosen for disk {disk.device} is no storage that {host.name} can put it on."
        yield blocker("storage_unsuitable", sentence, f"Choose storage that {host.name} reaches.")
        return
    if disk.capacity is None:
        sentence = f"Nobody says how large disk {disk.device} is."
        yield blocker("disk_size_unknown", sentence, "Wait until the board has heard from its host again.")
        return
    free = free_for_copies(there, host)
    if free is None or disk.capacity > free:
        said = "does not say what it has free" if free is None else f"has {human_size(free)} free"
        yield blocker(
            "storage_full",
            f"{human_size(disk.capacity)} of disk must be copied, and {there.name} on {host.name} {said}.",
            "Free space there, or choose other storage.",
            needed=disk.capacity,
            free=free,
            storage=there.name,
        )
