"""Ask both hosts where the VM is, and say only what their answers prove."""

from concurrent.futures import ThreadPoolExecutor

from xenweb.core.migration import TRANSITIONS, Conclusion, Copy, Proof, State, conclude, reconcile
from xenweb.drivers.contract import (
    CompletedStats,
    DriverError,
    Endpoint,
    HypervisorDriver,
    MigrationPlan,
    VmSighting,
)
from xenweb.livemigration.models import Migration
from xenweb.livemigration.transitions import Failure, Figure, Lease, Place, state_change

UNPROVEN = Failure(
    "place_unproven",
    "The hosts do not prove yet where the VM runs.",
    "Nothing is started or stopped meanwhile. Look at both hosts if this lasts.",
)
RUNS_TWICE = Failure(
    "vm_runs_twice",
    "Both hosts say that they run the VM.",
    "Decide which copy is right, and stop the other one by hand at once: both write to the same disks.",
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
STAYED = Failure(
    "move_failed",
    "The VM stayed where it was.",
    "See the hosts' logs for the cause, then move again.",
)


_ENDED_ELSEWHERE = {Conclusion.STOPPED: STOPPED, Conclusion.GONE: GONE}


def proof_of(driver: HypervisorDriver, plan: MigrationPlan) -> Proof:
    """Ask source and target at the same time what they know of the VM."""

    def ask(endpoint: Endpoint) -> VmSighting:
        try:
            return driver.locate(endpoint, plan.vm_uuid)
        except DriverError:
            return VmSighting(Copy.NO_ANSWER)

    with ThreadPoolExecutor(max_workers=2) as asking:
        source, target = asking.map(ask, (plan.source, plan.target))
    return Proof(source.copy, target.copy, busy=source.busy)


def settle(lease: Lease, row: Migration, proof: Proof, stats: CompletedStats, cause: Failure | None) -> State:
    """Write down what a proof allows for a move in VERIFYING or UNCERTAIN; answer the new state.

    ``cause`` is why the call ended with an error, told if the VM stayed.
    """
    seen = State(row.state)
    conclusion = conclude(proof)
    following = reconcile(conclusion, cancel_asked=row.cancel_requested_at is not None)
    if following is not seen and following not in TRANSITIONS[seen]:
        # The source still works on a move whose call is over: nobody can say how it ends.
        following = State.UNCERTAIN
    if following is seen:
        return seen
    figures: dict[str, Figure] = {}
    if following is State.DONE:
        figures = {
            "downtime": stats.downtime,
            "total": stats.total if stats.total is not None else row.elapsed,
            "total_is_measured": stats.total is not None,
            "total_share": 1.0,
            "remaining": 0,
        }
    state_change(
        row.pk,
        seen,
        following,
        lease=lease,
        failure=_failure(following, conclusion, cause),
        place=_place(row, conclusion),
        figures=figures,
    )
    return following


def _failure(following: State, conclusion: Conclusion, cause: Failure | None) -> Failure | None:
    if conclusion in _ENDED_ELSEWHERE:
        return _ENDED_ELSEWHERE[conclusion]
    if following is State.FAILED:
        return cause or STAYED
    if conclusion is Conclusion.BOTH_RUNNING:
        return RUNS_TWICE
    return UNPROVEN if following is State.UNCERTAIN else Failure("", "", "")


def _place(row: Migration, conclusion: Conclusion) -> Place | None:
    if conclusion is Conclusion.ON_TARGET:
        return Place(row.target_id, row.source_id)
    if conclusion is Conclusion.ON_SOURCE:
        return Place(row.source_id, row.target_id)
    return None
