"""Care for moves that nobody drives: ring again, or ask the hosts and go on watching.

A process of its own, because RQ notices a lost worker after minutes and would
repeat its work; a lost move needs seconds, and a question to both hosts.
"""

import logging
import threading
import time
from typing import NoReturn

from django.db import close_old_connections, connections
from django.utils import timezone

from xenweb.livemigration.doorbell import enqueue
from xenweb.livemigration.drive import adopt
from xenweb.livemigration.reconciling import Care, orphans, release_leases_of_the_dead
from xenweb.livemigration.services import overdue_cancel
from xenweb.realtime.publish import prune
from xenweb.worker.owners import is_proven_dead, owner_name

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
PRUNE_EVERY = 60.0
KEEP_EVENTS = 20_000


class Reconciler:
    """Remember which moves are being adopted here, so that each is adopted once."""

    def __init__(self) -> None:
        self.owner = owner_name("reconciler")
        self._adopting: dict[str, threading.Thread] = {}

    def look(self) -> None:
        """Give every orphan the care it needs."""
        self._adopting = {key: thread for key, thread in self._adopting.items() if thread.is_alive()}
        overdue_cancel(timezone.now())
        release_leases_of_the_dead(is_proven_dead)
        for orphan in orphans(timezone.now()):
            if orphan.care is Care.RING:
                enqueue(orphan.migration)
            elif orphan.migration not in self._adopting:
                log.info("move %s has lost its driver; asking the hosts", orphan.migration)
                thread = threading.Thread(target=self._adopt, args=(orphan.migration,), daemon=True)
                self._adopting[orphan.migration] = thread
                thread.start()

    def _adopt(self, migration_id: str) -> None:
        try:
            adopt(migration_id, self.owner)
        except Exception:
            log.exception("move %s could not be adopted; trying again", migration_id)
        finally:
            connections.close_all()


def reconcile_all() -> NoReturn:
    """Care for orphans for ever."""
    reconciler, pruned = Reconciler(), time.monotonic()
    while True:
        try:
            reconciler.look()
            if time.monotonic() - pruned > PRUNE_EVERY:
                prune(keep=KEEP_EVENTS)
                pruned = time.monotonic()
        except Exception:
            log.exception("a look for orphans failed; trying again")
            close_old_connections()
        time.sleep(LOOK_EVERY)
