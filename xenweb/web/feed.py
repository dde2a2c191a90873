"""One reader's feed: which events, in which shape, after which. Blocking; no socket here."""

from dataclasses import dataclass

from xenweb.accounts.policy import Action, Actor, decide
from xenweb.realtime.events import (
    Event,
    EventFrame,
    Frame,
    HostChanged,
    HostRemoved,
    MigrationChanged,
    ResyncFrame,
    StorageRepositoryChanged,
    VmChanged,
    VmRemoved,
)
from xenweb.realtime.selectors import StoredEvent, events_since, head, oldest

BATCH = 500


@dataclass(frozen=True, slots=True)
class Step:
    """What to send now, and where the feed stands afterwards.

    ``read`` is the newest event looked at, ``sent`` the newest one sent: they
    differ where the newest events are not for this reader.
    """

    frames: tuple[Frame, ...]
    read: int
    sent: int
    more: bool = False


def is_readable_from(sequence: int) -> bool:
    """Say whether the feed still holds everything after ``sequence``."""
    return oldest() - 1 <= sequence <= head()


def is_for(actor: Actor, stored: StoredEvent) -> bool:
    """Say whether an actor may read an event, by the same rule as the rows it tells of."""
    return stored.public or decide(actor, Action.VIEW_VM, stored.team).allowed


def personal(actor: Actor, stored: StoredEvent) -> Event:
    """Set what depends on the reader: whether this person may move, or give up a move."""
    event = stored.event
    may = decide(actor, Action.MOVE_VM, stored.team).allowed
    if isinstance(event, VmChanged):
        return event.model_copy(update={"vm": event.vm.model_copy(update={"may_move": may})})
    if isinstance(event, MigrationChanged) and not may:
        disks = [disk.model_copy(update={"removable": False}) for disk in event.migration.leftover_disks]
        shown = event.migration.model_copy(update={"cancellable": False, "offers": [], "leftover_disks": disks})
        return event.model_copy(update={"migration": shown})
    return event


def _subject(event: Event) -> tuple[str, str]:
    """Name what an event replaces. Each state of a migration is kept, its progress is not."""
    match event:
        case HostChanged():
            return "host", str(event.host.id)
        case HostRemoved():
            return "host", str(event.host_id)
        case VmChanged():
            return "vm", str(event.vm.id)
        case VmRemoved():
            return "vm", str(event.vm_id)
        case StorageRepositoryChanged():
            return "storage", str(event.storage_repository.id)
        case MigrationChanged():
            return "migration", f"{event.migration.id} {event.migration.state}"


def coalesced(events: list[StoredEvent]) -> list[StoredEvent]:
    """Keep the newest event of each subject, in order; each carries the whole shape."""
    newest = {_subject(stored.event): stored.sequence for stored in events}
    return [stored for stored in events if newest[_subject(stored.event)] == stored.sequence]


def step(actor: Actor, read: int, sent: int) -> Step:
    """Read on from ``read`` for this actor; a hole in the feed asks for a resync."""
    batch = events_since(read, BATCH)
    if not batch:
        return Step((), read, sent)
    if batch[0].sequence != read + 1:
        return resync("Events that were missed are no longer kept.")
    frames: list[Frame] = []
    for stored in coalesced([stored for stored in batch if is_for(actor, stored)]):
        frames.append(EventFrame(sequence=stored.sequence, previous=sent, event=personal(actor, stored)))
        sent = stored.sequence
    return Step(tuple(frames), batch[-1].sequence, sent, more=len(batch) == BATCH)


def resync(reason: str) -> Step:
    """Tell a reader to fetch the snapshot again, and go on from the newest event."""
    newest = head()
    return Step((ResyncFrame(reason=reason),), newest, newest)
