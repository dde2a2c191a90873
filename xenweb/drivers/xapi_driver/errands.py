"""Follow one of XAPI's tasks: find it again after a crash, read how far it is, wait for its end."""

import time
from dataclasses import dataclass, field

from xenweb.core.quantities import Bytes
from xenweb.drivers.contract import MigrationPlan, MoveRefusedError, Phase, Progress
from xenweb.drivers.xapi_driver.errors import RefusedError
from xenweb.drivers.xapi_driver.homes import MOVES
from xenweb.drivers.xapi_driver.pools import Pool
from xenweb.drivers.xapi_driver.records import Record, record_of
from xenweb.drivers.xapi_driver.view import NO_EVENTS

TAG = "xenweb_migration"
WAIT = 5.0
WITHOUT_EVENTS = 0.5
FELL_BACK = 0.15
"""A progress that falls by more has begun a new sequence; less is only a pass that grew."""

ENDED = frozenset({"success", "failure", "cancelled"})
"""All other states, those that we do not know included, are of a task that may go on."""


@dataclass(slots=True)
class Track:
    """How far a task was seen to be. XAPI's figure starts anew with each phase: what is told never falls in one.

    Whoever comes late cannot know whether the disks are done: then only the phase of memory is told, without a share.
    """

    has_disks: bool
    from_start: bool
    phase: Phase = Phase.STARTING
    share: float = 0.0
    last: float = field(default=0.0)

    def look(self, said: float | None, *, may_cancel: bool) -> None:
        """Lay one more look over it."""
        if not may_cancel:
            self.phase, self.share = Phase.SWITCHING, 1.0
            return
        now = 0.0 if said is None else said
        if self.phase is Phase.STARTING and now > 0:
            self.phase = Phase.COPYING_STORAGE if self.has_disks and self.from_start else Phase.COPYING
        elif self.phase is Phase.COPYING_STORAGE and now < self.last - FELL_BACK:
            self.phase, self.share = Phase.COPYING, 0.0
        self.last = now
        self.share = max(self.share, min(1.0, now))


def progress_of(plan: MigrationPlan, track: Track, *, is_cancelling: bool) -> Progress:
    """Tell a track as the contract does."""
    phase = Phase.CANCELLING if is_cancelling else track.phase
    if track.phase is Phase.COPYING_STORAGE:
        total = sum(disk.capacity for disk in plan.copied_disks)
        done = round(total * track.share)
        return Progress(phase, disk_total=Bytes(total), disk_processed=Bytes(done), disk_remaining=Bytes(total - done))
    is_told = track.phase is Phase.COPYING and (track.from_start or not track.has_disks)
    return Progress(phase, share=track.share if is_told else None)


def under_way(pool: Pool, vm: Record, plan: MigrationPlan) -> Record | None:
    """Find the task of a move that has not ended."""
    found = seen(pool, vm, plan)
    return None if found is None or has_ended(found) else found


def seen(pool: Pool, vm: Record | None, plan: MigrationPlan) -> Record | None:
    """Find a move's task, ended or not: by the tag that we left, else by what the VM says is done to it.

    An account that may not tag leaves none: then what moves the VM is taken for it, unless that bears another's tag.
    """
    said = pool.call("task.get_all_records")
    tasks = {ref: record_of("task", ref, each) for ref, each in said.items()} if isinstance(said, dict) else {}
    ours = [each for each in tasks.values() if bears_tag(each, plan)]
    if ours:
        return min(ours, key=has_ended)
    for ref, operation in vm.map("current_operations").items() if vm is not None else ():
        each = tasks.get(ref, Record("task", ref, {}))
        if operation in MOVES and not _tag_of(each):
            return each
    return None


def bears_tag(record: Record, plan: MigrationPlan) -> bool:
    """Say whether a task bears a move's tag: any other may be another hand's, and is only looked at."""
    return _tag_of(record) == plan.migration


def refuse_foreign(plan: MigrationPlan, *, is_ours: bool) -> None:
    """Raise MoveRefusedError unless a task is known to be that of a move: nobody ends what others have begun."""
    if not is_ours:
        msg = f"{plan.vm_name} is being moved, but nothing shows that this is our move: whoever began it can end it."
        raise MoveRefusedError(msg)


def _tag_of(record: Record) -> str:
    return record.map("other_config").get(TAG, "")


def has_ended(record: Record) -> bool:
    """Say whether a task has told its end."""
    return record.text_or("status") in ENDED


def is_asked_to_end(record: Record) -> bool:
    """Say whether a task shows that somebody has asked for its end."""
    return "cancel" in record.map("current_operations").values()


def tag(pool: Pool, ref: str, plan: MigrationPlan) -> None:
    """Leave our mark on a task. An account that may not is no reason to stop: the VM names the task too."""
    try:
        pool.call("task.add_to_other_config", ref, TAG, plan.migration)
    except RefusedError:
        return


def read(pool: Pool, ref: str) -> Record | None:
    """Read a task; None if the pool knows it no more, which says nothing of what it did."""
    try:
        return pool.record("task", ref)
    except RefusedError as error:
        if error.code == "HANDLE_INVALID":
            return None
        raise


def wait_for_news(pool: Pool, ref: str, token: str) -> str:
    """Wait until something changes about a task, or a while; answer the token to wait on with."""
    try:
        said = pool.call("event.from", [f"task/{ref}"], token, WAIT)
    except RefusedError as error:
        if error.code not in NO_EVENTS | {"EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENTS_LOST"}:
            raise
        time.sleep(WITHOUT_EVENTS)
        return ""
    return record_of("event batch", "", said).text_or("token")
