"""Ask both hosts where the VM is, and say only what their answers prove."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from xenweb.core.facts import Kind, PowerState
from xenweb.core.migration import TRANSITIONS, Conclusion, Copy, Proof, State, Unclear, conclude, reconcile
from xenweb.core.pulse import Pulse, felt, is_beating
from xenweb.drivers.contract import (
    Capability,
    CompletedStats,
    DiskExistsError,
    DriverError,
    Endpoint,
    HypervisorDriver,
    MigrationPlan,
    VmSighting,
)
from xenweb.drivers.registry import driver_for
from xenweb.livemigration.models import Migration
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.transitions import (
    Failure,
    Figure,
    Lease,
    LeftDisk,
    LeftVolume,
    Place,
    doubt_change,
    state_change,
)

UNPROVEN = Failure(
    "place_unproven",
    "The hosts do not prove yet where the VM runs.",
    "Nothing is started or stopped meanwhile. Look at both hosts if this lasts.",
)
TARGET_UNPROVEN = Failure(
    "target_unproven",
    "The VM stands still on {source}, and that {target} has no copy of it is the word of its daemon alone.",
    "Have the probe of {target} answer: once Xen itself says that it has no copy there, the VM goes on by itself.",
)
RUNS_TWICE = Failure(
    "vm_runs_twice",
    "Both hosts say that they run the VM.",
    "Decide which copy is right, and stop the other one by hand at once: both write to the same disks.",
)
SET_ASIDE = Failure(
    "copy_set_aside",
    "The VM runs on {runs}. Its other copy, on {stands}, is paused, as was chosen.",
    "If the copy on {runs} is right, choose to remove the paused one. "
    "If it is not, pause it by hand first; let the one on {stands} go on only then.",
)
STOPPED = Failure(
    "vm_stopped",
    "The VM runs on neither host: it was stopped or has crashed meanwhile.",
    "Start it where its disks are whole, and see the source's log for the cause.",
)
GONE = Failure(
    "vm_gone",
    "Neither host knows the VM any more: somebody removed it meanwhile.",
    "Nothing is left on the target. Ask whoever removed it.",
)
ELSEWHERE = Failure(
    "vm_elsewhere",
    "The VM is on neither of the two hosts: by its pool's own record it is on {elsewhere}, where somebody moved it.",
    "Nothing to do: the board shows it there.",
)
STAYED = Failure(
    "move_failed",
    "The VM stayed where it was.",
    "See the hosts' logs for the cause, then move again.",
)


DEFINED_TWICE = Failure(
    "vm_defined_twice",
    "Both hosts keep a definition of the halted VM.",
    "Undefine the one that is not wanted; do not start both, they use the same disks.",
)

UNTOLD = {
    Unclear.LOST: Failure(
        "move_lost",
        "The hypervisor has lost sight of this move: it tells neither that it goes on nor how it ended. "
        "The VM is on {source}, and may yet arrive on {target}.",
        "Nothing to do at first: it is looked at until it arrives. Close the move only once neither host works on it.",
    ),
    Unclear.UNASKED: Failure(
        "move_cancelled_unasked",
        "The hypervisor calls this move cancelled, although nobody had asked for that: it does so when a host's own "
        "software starts anew. The VM is on {source}, and may yet arrive on {target}.",
        "Nothing to do at first: it is looked at until it arrives. Close the move only once neither host works on it.",
    ),
}

_ENDED_ELSEWHERE = {
    Conclusion.STOPPED: STOPPED,
    Conclusion.GONE: GONE,
    Conclusion.DEFINED_TWICE: DEFINED_TWICE,
}
NOTHING_BEGUN = frozenset({DiskExistsError.code, "not_started"})
"""Causes after which the target has nothing of ours."""

_STATES = {Copy.RUNNING: PowerState.RUNNING, Copy.PAUSED: PowerState.PAUSED, Copy.INACTIVE: PowerState.HALTED}


@dataclass(frozen=True, slots=True)
class Beats:
    """Whether the CPU time of each copy grows; None where that is not known."""

    source: bool | None = None
    target: bool | None = None


class Hosts:
    """Both hosts of one move, asked for their copies as often as it takes."""

    def __init__(self, driver: HypervisorDriver, plan: MigrationPlan) -> None:
        self._driver, self._plan = driver, plan
        self._pulses: tuple[Pulse | None, Pulse | None] = (None, None)

    def ask(self) -> Proof:
        """Ask source and target at the same time what they know of the VM."""
        with ThreadPoolExecutor(max_workers=2) as asking:
            source, target = asking.map(self._sighting, (self._plan.source, self._plan.target))
        now, (at_source, at_target) = time.monotonic(), self._pulses
        self._pulses = (felt(at_source, now, source.cpu_time), felt(at_target, now, target.cpu_time))
        return Proof(
            source.copy,
            target.copy,
            source.busy,
            self._plan.kind,
            source.misread,
            target_proven=target.proven,
            one_record=bool(source.record) and source.record == target.record,
            elsewhere=source.elsewhere or target.elsewhere,
            halted=source.halted or target.halted,
        )

    def _sighting(self, endpoint: Endpoint) -> VmSighting:
        try:
            return self._driver.locate(endpoint, self._plan.vm_uuid)
        except DriverError:
            return VmSighting(Copy.NO_ANSWER)

    @property
    def beats(self) -> Beats:
        """Say which copies were seen to use their CPUs."""
        source, target = self._pulses
        return Beats(is_beating(source), is_beating(target))

    @property
    def is_pulse_unclear(self) -> bool:
        """Say whether a copy's CPU time was not looked at for long enough to say that it stands still."""
        return any(pulse is not None and is_beating(pulse) is None for pulse in self._pulses)


def settle(
    lease: Lease, row: Migration, proof: Proof, stats: CompletedStats, cause: Failure | None, beats: Beats
) -> State:
    """Write down what a proof allows for a move in VERIFYING or UNCERTAIN; answer the new state.

    ``cause`` is why the call ended with an error, told if the VM stayed. ``beats``
    are noted, and prove nothing.
    """
    seen = State(row.state)
    conclusion = conclude(proof)
    following = reconcile(conclusion, cancel_asked=row.cancel_requested_at is not None)
    if following is not seen and following not in TRANSITIONS[seen]:
        # The source still works on a move whose call is over: nobody can say how it ends.
        following = State.UNCERTAIN
    failure = _failure(row, following, proof, cause, beats)
    if conclusion is Conclusion.INTERRUPTED and not proof.target_proven:
        failure = _named(TARGET_UNPROVEN, source=row.source_name, target=row.target_name)
    if failure is not None and failure.code and cause is not None:
        failure = replace(failure, own_words=failure.own_words or cause.own_words)
    if following is seen:
        if failure is not None:
            doubt_change(row.pk, failure, lease=lease)
        return seen
    figures: dict[str, Figure] = {}
    if following is State.DONE:
        figures = {
            # A VM that did not run had no pause, whatever the hypervisor counts as one.
            "downtime": stats.downtime if row.kind == Kind.LIVE else None,
            "memory_hand_over": stats.memory_hand_over,
            "total": stats.total if stats.total is not None else row.elapsed,
            "total_is_measured": stats.total is not None,
            "transferred": stats.transferred if stats.transferred is not None else row.transferred,
            "total_share": 1.0,
            "remaining": 0,
        }
    state_change(
        row.pk,
        seen,
        following,
        lease=lease,
        failure=failure,
        place=_place(row, conclusion, proof),
        figures=figures,
        facts={"cpu_time_grows_at_source": beats.source, "cpu_time_grows_at_target": beats.target},
        left=_left_by(row, following, conclusion, cause),
        held=_held_by(row, following),
    )
    return following


def _failure(row: Migration, following: State, proof: Proof, cause: Failure | None, beats: Beats) -> Failure | None:
    conclusion = conclude(proof)
    if conclusion is Conclusion.GONE and proof.elsewhere:
        return replace(ELSEWHERE, sentence=ELSEWHERE.sentence.format(elsewhere=proof.elsewhere))
    if conclusion in _ENDED_ELSEWHERE:
        return _ENDED_ELSEWHERE[conclusion]
    if following is State.FAILED:
        return cause or STAYED
    if conclusion is Conclusion.UNTOLD and proof.unclear is not None:
        return _untold(row, UNTOLD[proof.unclear])
    if conclusion is Conclusion.BOTH_RUNNING:
        return _runs_twice(row, beats)
    if conclusion is Conclusion.SOURCE_SET_ASIDE:
        return _set_aside(row.target_name, row.source_name)
    if conclusion is Conclusion.TARGET_SET_ASIDE:
        return _set_aside(row.source_name, row.target_name)
    return UNPROVEN if following is State.UNCERTAIN else Failure("", "", "")


def _runs_twice(row: Migration, beats: Beats) -> Failure:
    """Say that the VM runs twice, and which copy does not use its CPUs: that helps whoever must choose."""
    copies = ((row.source_name, beats.source), (row.target_name, beats.target))
    still = [f"The copy on {host} has not used its CPUs for a second." for host, grows in copies if grows is False]
    return replace(RUNS_TWICE, sentence=" ".join((RUNS_TWICE.sentence, *still)))


def _untold(row: Migration, why: Failure) -> Failure:
    return replace(why, sentence=why.sentence.format(source=row.source_name, target=row.target_name))


def _set_aside(runs: str, stands: str) -> Failure:
    return _named(SET_ASIDE, runs=runs, stands=stands)


def _named(failure: Failure, **names: str) -> Failure:
    return Failure(failure.code, *(each.format(**names) for each in (failure.sentence, failure.remedy)))


def _left_by(row: Migration, following: State, conclusion: Conclusion, cause: Failure | None) -> list[LeftDisk]:
    """List the disks that a move leaves: the old copies where it arrived, parts of new ones where it did not.

    What lies at the target was proven not to be there right before the call, and so is
    ours: it is cleared away by itself if the VM is proven to have stayed. An old copy
    waits for a person. A hypervisor that removes them itself leaves nothing to list.
    """
    if not row.copied_disks or Capability.TIDIES_DISKS in driver_for(driver_kind(row)).capabilities:
        return []
    if following is State.DONE:
        return [LeftDisk(row.source_id, each["path"], each["capacity"], partial=False) for each in row.copied_disks]
    nothing_begun = cause is not None and cause.code in NOTHING_BEGUN
    if nothing_begun or following not in {State.FAILED, State.CANCELLED}:
        return []
    by = "xenweb" if conclusion is Conclusion.ON_SOURCE else ""
    return [LeftDisk(row.target_id, each["path"], each["capacity"], True, by) for each in row.copied_disks]


def _held_by(row: Migration, following: State) -> list[LeftVolume]:
    """List the volumes that a move leaves active where its VM is not; what was active before it is not its own."""
    if following is State.DONE:
        return [LeftVolume(row.source_id, each["path"]) for each in row.volumes]
    if following in {State.FAILED, State.CANCELLED}:
        return [LeftVolume(row.target_id, each["path"]) for each in row.volumes if not each["was_active"]]
    return []


def _place(row: Migration, conclusion: Conclusion, proof: Proof) -> Place | None:
    if conclusion is Conclusion.ON_TARGET:
        return Place(row.target_id, row.source_id, _state(row, proof.target))
    if conclusion is Conclusion.ON_SOURCE:
        return Place(row.source_id, row.target_id, _state(row, proof.source))
    return None


def _state(row: Migration, copy: Copy) -> PowerState:
    """Read a copy's state: one that was suspended and does not run is suspended still, as far as anybody knows."""
    is_suspended = copy is Copy.INACTIVE and row.vm.state == PowerState.SUSPENDED
    return PowerState.SUSPENDED if is_suspended else _STATES[copy]
