"""Store an event with its number, and ring the doorbell once it is committed."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from redis.exceptions import RedisError

from xenweb.realtime.events import EVENT, Event
from xenweb.realtime.models import StoredEvent, StreamHead
from xenweb.realtime.selectors import head

log = logging.getLogger(__name__)

GROUP = "board"
STORED_AT_ONCE = 200


class News(NamedTuple):
    """An event, and who may hear of it: everybody, or those who may see VMs of the team."""

    event: Event
    team: int | None = None
    public: bool = False


@contextmanager
def writing() -> Iterator[None]:
    """Hold one transaction that may publish.

    It takes its turn first: whoever else would publish waits until it is over, as on
    SQLite, so that no two ever wait for each other's rows in a circle. Nobody may wait
    for a hypervisor inside.
    """
    with transaction.atomic():
        list(StreamHead.objects.select_for_update().filter(pk=1))
        yield


def publish(event: Event, *, team: int | None = None, public: bool = False) -> int:
    """Store an event with its number inside the caller's transaction; answer its sequence.

    ``public`` events go to everybody signed in, the others to those who may see
    VMs of ``team``. The update of the head row serialises the writers, so that
    sequences are committed in order and without a gap on every database.
    """
    return publish_all([News(event, team, public)])


def publish_all(news: Sequence[News]) -> int:
    """Store events in their order and in few statements; answer the last one's sequence, 0 for none."""
    if not news:
        return 0
    with transaction.atomic():
        count, now = len(news), timezone.now()
        if not StreamHead.objects.filter(pk=1).update(sequence=F("sequence") + count):
            StreamHead.objects.bulk_create([StreamHead(pk=1)], ignore_conflicts=True)  # others may be first, too
            StreamHead.objects.filter(pk=1).update(sequence=F("sequence") + count)
        last = StreamHead.objects.values_list("sequence", flat=True).get(pk=1)
        rows = [
            StoredEvent(
                sequence=last - count + place,
                at=now,
                team=each.team,
                public=each.public,
                body=EVENT.dump_json(each.event).decode(),
            )
            for place, each in enumerate(news, 1)
        ]
        StoredEvent.objects.bulk_create(rows, batch_size=STORED_AT_ONCE)
        transaction.on_commit(_ring)
    return last


def _ring() -> None:
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(GROUP, {"type": "doorbell"})
    except (RedisError, OSError) as error:
        # A lost ring loses nothing: readers look at the feed by themselves too.
        log.warning("the doorbell could not be rung: %s", error)


def prune(*, keep: int) -> int:
    """Drop all but the newest ``keep`` events; answer how many went."""
    deleted, _ = StoredEvent.objects.filter(sequence__lte=head() - keep).delete()
    return deleted
