"""Read the feed."""

from dataclasses import dataclass

from xenweb.realtime import models
from xenweb.realtime.events import EVENT, Event


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event as it was published, and who may read it."""

    sequence: int
    event: Event
    team: int | None
    public: bool


def head() -> int:
    """Answer the newest sequence; 0 for an empty feed."""
    return models.StreamHead.objects.values_list("sequence", flat=True).filter(pk=1).first() or 0


def oldest() -> int:
    """Answer the oldest sequence still kept; one past the head for an empty feed."""
    kept = models.StoredEvent.objects.values_list("sequence", flat=True).first()
    return head() + 1 if kept is None else kept


def events_since(sequence: int, limit: int = 500) -> list[StoredEvent]:
    """List at most ``limit`` events after ``sequence``, oldest first."""
    rows = models.StoredEvent.objects.filter(sequence__gt=sequence)[:limit]
    return [StoredEvent(row.sequence, EVENT.validate_json(row.body), row.team, row.public) for row in rows]
