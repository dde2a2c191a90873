"""Close a move that no proof can end, on an administrator's word: the way out when a host is dead for good.

Nothing is claimed of where the VM runs: the next look at each host says what is there. So what the move may have left
is listed on both hosts: volumes are let go where a proof allows it later, disks wait for a person and for a proof.
"""

from xenweb.accounts.policy import Action, Actor, Decision, decide
from xenweb.audit.services import refusals_recorded
from xenweb.core.migration import CLOSABLE, State
from xenweb.drivers.contract import Capability
from xenweb.drivers.registry import driver_for
from xenweb.livemigration.errors import CloseRefusedError, MoveForbiddenError
from xenweb.livemigration.models import CLOSED_AS_UNKNOWN, Migration
from xenweb.livemigration.overriding import LONGEST_REASON
from xenweb.livemigration.plan import driver_kind
from xenweb.livemigration.recording import move_record
from xenweb.livemigration.selectors import migration_row_for
from xenweb.livemigration.transitions import (
    Failure,
    LeaseLostError,
    LeftDisk,
    LeftVolume,
    state_change,
)
from xenweb.livemigration.wiring import migration_wire
from xenweb.realtime.publish import writing
from xenweb.realtime.wire import MigrationWire


def migration_close(actor: Actor, migration_id: str, reason: str, request_id: str = "") -> MigrationWire:
    """End an uncertain move as failed, its place unknown; whoever drives it loses it at once.

    Raises MigrationNotFoundError, MoveForbiddenError or CloseRefusedError; a refusal is recorded.
    """
    with refusals_recorded(actor.username, "migration_close", "migration", migration_id, request_id):
        row = migration_row_for(actor, migration_id)
    said = reason.strip()
    try:
        _check(row, decide(actor, Action.CLOSE_MOVE, row.vm.team_id), said)
        return migration_wire(_closed(actor, row, said, request_id))
    except (MoveForbiddenError, CloseRefusedError) as refusal:
        _record(actor, row, "refused", refusal.sentence, said, request_id)
        raise


def _check(row: Migration, right: Decision, said: str) -> None:
    if not right.allowed:
        raise MoveForbiddenError(right.reason)
    if not 0 < len(said) <= LONGEST_REASON:
        msg = f"Closing a move needs a reason of at most {LONGEST_REASON} characters."
        raise CloseRefusedError(msg)
    if row.state not in CLOSABLE:
        raise _not_closable(row)


def _closed(actor: Actor, row: Migration, said: str, request_id: str) -> Migration:
    unknown = Failure(
        CLOSED_AS_UNKNOWN,
        f"{actor.username} closed this move without a proof of where the VM runs: {said}",
        "Look at both hosts before you start the VM anywhere: it may still run on the one that is silent.",
    )
    try:
        with writing():
            _record(actor, row, "allowed", "", said, request_id)
            return state_change(
                row.pk,
                State(row.state),
                State.FAILED,
                failure=unknown,
                by=actor.username,
                left=_may_be_left(row),
                held=_may_be_held(row),
            )
    except LeaseLostError:
        # A host has answered in this very moment.
        row.refresh_from_db(fields=["state"])
        raise _not_closable(row) from None


def _may_be_left(row: Migration) -> list[LeftDisk]:
    """List both copies of each disk that the move was to copy: one of them is the VM's own, and nobody says which."""
    if Capability.TIDIES_DISKS in driver_for(driver_kind(row)).capabilities:
        return []
    ends = ((row.source_id, False), (row.target_id, True))
    copies = [(each["path"], each["capacity"]) for each in row.copied_disks]
    return [LeftDisk(host, path, size, partial) for host, partial in ends for path, size in copies]


def _may_be_held(row: Migration) -> list[LeftVolume]:
    """List the move's volumes on both hosts, without those that were active at the target before it."""
    source = [LeftVolume(row.source_id, each["path"]) for each in row.volumes]
    return source + [LeftVolume(row.target_id, each["path"]) for each in row.volumes if not each["was_active"]]


def _not_closable(row: Migration) -> CloseRefusedError:
    msg = f"A move that is {row.state.replace('_', ' ')} cannot be closed."
    return CloseRefusedError(msg, state=row.state)


def _record(actor: Actor, row: Migration, outcome: str, refusal: str, said: str, request_id: str) -> None:
    move_record(
        row,
        actor=actor.username,
        action="migration_close",
        outcome=outcome,
        reason=refusal or said,
        facts={"said": said, "doubt": row.failure_sentence},
        request_id=request_id,
    )
