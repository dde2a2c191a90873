"""One reader's feed: which events, in which shape, after which. Blocking; no socket here."""

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from functools import cached_property

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.realtime.events import (
    FRAME,
    DiskMoveChanged,
    Event,
    EventFrame,
    Frame,
    HostChanged,
    HostRemoved,
    MaintenanceChanged,
    MigrationChanged,
    ResyncFrame,
    StorageRepositoryChanged,
    StorageRepositoryRemoved,
    VmChanged,
    VmRemoved,
)
from xenweb.realtime.selectors import StoredEvent, events_since, head, oldest

BATCH = 500


class Step:
    """What to send now, and where the feed stands afterwards.

    ``read`` is the newest event looked at, ``sent`` the newest one sent: they
    differ where the newest events are not for this reader.
    """

    def __init__(self, frames: tuple[Frame, ...], read: int, sent: int, *, more: bool = False) -> None:
        self.frames, self.read, self.sent, self.more = frames, read, sent, more

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """Write the frames as they go over the wire, once for all readers to whom they go."""
        return tuple(FRAME.dump_json(frame).decode() for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Greeting:
    """Where the feed stands, and whether it still holds everything after where a reader was."""

    newest: int
    known: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order of the feed, and the steps that readers with the same rights take over them."""

    events: tuple[StoredEvent, ...]
    more: bool
    steps: dict[tuple[Hashable, ...], Step] = field(default_factory=dict, compare=False)


def greetings(since: Collection[int | None]) -> dict[int | None, Greeting]:
    """Answer readers that come (None) or come back, all in two queries."""
    newest, first = head(), oldest()
    return {each: Greeting(newest, each is None or first - 1 <= each <= newest) for each in since}


def batches(reads: Collection[int]) -> dict[int, Batch]:
    """Read on from each of some places; those that are close to each other share one query."""
    found: dict[int, Batch] = {}
    events: list[StoredEvent] = []
    reached, more = -1, False
    for read in sorted(reads):
        if read >= reached and (more or not found):
            events = events_since(read, BATCH)
            more = len(events) == BATCH
            reached = events[-1].sequence if events else read
        found[read] = Batch(tuple(each for each in events if each.sequence > read), more)
    return found


def is_for(actor: Actor, stored: StoredEvent) -> bool:
    """Say whether an actor may read an event, by the same rule as the rows it tells of."""
    return stored.public or decide(actor, Action.VIEW_VM, stored.team).allowed


def personal(actor: Actor, stored: StoredEvent) -> Event:
    """Set what depends on the reader: whether this person may move, or give up or close a move."""
    event = stored.event
    may = decide(actor, Action.MOVE_VM, stored.team).allowed
    if isinstance(event, VmChanged):
        return event.model_copy(update={"vm": event.vm.model_copy(update={"may_move": may})})
    if isinstance(event, MaintenanceChanged) and not decide(actor, Action.MANAGE_HOSTS).allowed:
        return event.model_copy(update={"maintenance": event.maintenance.model_copy(update={"endable": False})})
    if isinstance(event, DiskMoveChanged) and not may:
        return event.model_copy(update={"disk_move": event.disk_move.model_copy(update={"cancellable": False})})
    if not isinstance(event, MigrationChanged):
        return event
    shown = event.migration
    if not decide(actor, Action.CLOSE_MOVE, stored.team).allowed:
        shown = shown.model_copy(update={"closable": False})
    if shown.guard is not None and not decide(actor, Action.REMOVE_DISK, stored.team).allowed:
        guard = shown.guard.model_copy(update={"can_roll_back": False, "removable": False})
        shown = shown.model_copy(update={"guard": guard})
    if not may:
        disks = [disk.model_copy(update={"removable": False}) for disk in shown.leftover_disks]
        shown = shown.model_copy(update={"cancellable": False, "offers": [], "leftover_disks": disks})
    return event.model_copy(update={"migration": shown})


def _subject(event: Event) -> tuple[str, str]:
    """Name what an event replaces. Each state of a migration is kept, its progress is not."""
    match event:
        case HostChanged():
            subject = "host", str(event.host.id)
        case HostRemoved():
            subject = "host", str(event.host_id)
        case VmChanged():
            subject = "vm", str(event.vm.id)
        case VmRemoved():
            subject = "vm", str(event.vm_id)
        case StorageRepositoryChanged():
            subject = "storage", str(event.storage_repository.id)
        case StorageRepositoryRemoved():
            subject = "storage", str(event.storage_repository_id)
        case MaintenanceChanged():
            subject = "maintenance", event.maintenance.id
        case MigrationChanged():
            subject = "migration", f"{event.migration.id} {event.migration.state}"
        case DiskMoveChanged():
            subject = "disk_move", f"{event.disk_move.id} {event.disk_move.state}"
    return subject


def coalesced(events: list[StoredEvent]) -> list[StoredEvent]:
    """Keep the newest event of each subject, in order; each carries the whole shape."""
    newest = {_subject(stored.event): stored.sequence for stored in events}
    return [stored for stored in events if newest[_subject(stored.event)] == stored.sequence]


def step(actor: Actor, batch: Batch, read: int, sent: int) -> Step | None:
    """Go over a batch that was read from ``read`` on for this actor; None for a hole in the feed."""
    if not batch.events:
        return Step((), read, sent)
    if batch.events[0].sequence != read + 1:
        return None
    # What somebody may see and do follows from these two alone (accounts.policy).
    rights = (actor.roles, actor.team_ids, read, sent)
    if rights not in batch.steps:
        batch.steps[rights] = _step(actor, batch, sent)
    return batch.steps[rights]


def _step(actor: Actor, batch: Batch, sent: int) -> Step:
    frames: list[Frame] = []
    for stored in coalesced([stored for stored in batch.events if is_for(actor, stored)]):
        frames.append(EventFrame(sequence=stored.sequence, previous=sent, event=personal(actor, stored)))
        sent = stored.sequence
    return Step(tuple(frames), batch.events[-1].sequence, sent, more=batch.more)


def resync(reason: str, newest: int) -> Step:
    """Tell a reader to fetch the snapshot again, and go on from the newest event."""
    return Step((ResyncFrame(reason=reason),), newest, newest)
