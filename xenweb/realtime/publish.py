"""Store an event with its number, and ring the doorbell once it is committed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

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
    with transaction.atomic():
        if not StreamHead.objects.filter(pk=1).update(sequence=F("sequence") + 1):
            StreamHead.objects.create(pk=1, sequence=1)
        sequence = StreamHead.objects.values_list("sequence", flat=True).get(pk=1)
        StoredEvent.objects.create(
            sequence=sequence,
            at=timezone.now(),
            team=team,
            public=public,
            body=EVENT.dump_json(event).decode(),
        )
        transaction.on_commit(_ring)
    return sequence


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
