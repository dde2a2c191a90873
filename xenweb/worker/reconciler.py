"""Care for moves that nobody drives: ring again, or ask the hosts and go on watching.

A process of its own, because RQ notices a lost worker after minutes and would
repeat its work; a lost move needs seconds, and a question to both hosts.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from django.db import close_old_connections, connections
from django.utils import timezone

from xenweb.livemigration.disk_moves import disk_move_settle, disk_moves_due
from xenweb.livemigration.doorbell import enqueue
from xenweb.livemigration.drive import adopt
from xenweb.livemigration.guard_care import guard_settle, guards_due
from xenweb.livemigration.holding import held_volume_settle, held_volumes_due
from xenweb.livemigration.leftovers import leftover_disk_settle, leftover_disks_due
from xenweb.livemigration.reconciling import Care, orphans, release_leases_of_the_dead
from xenweb.livemigration.services import overdue_cancel
from xenweb.maintenance.care import maintenance_settle, maintenances_due
from xenweb.maintenance.transitions import holds_of_the_dead_release
from xenweb.realtime.publish import prune
from xenweb.worker.owners import is_proven_dead, owner_name

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
PRUNE_EVERY = 60.0
KEEP_EVENTS = 20_000


class Reconciler:
    """Remember what is being cared for here, so that each move is adopted, and each disk deleted, once."""

    def __init__(self) -> None:
        self.owner = owner_name("reconciler")
        self._caring: dict[str, threading.Thread] = {}

    def look(self) -> None:
        """Give every orphan the care it needs."""
        self._caring = {key: thread for key, thread in self._caring.items() if thread.is_alive()}
        overdue_cancel(timezone.now())
        release_leases_of_the_dead(is_proven_dead)
        for disk in leftover_disks_due():
            self._care(f"disk {disk}", leftover_disk_settle, disk)
        for volume in held_volumes_due(timezone.now()):
            self._care(f"volume {volume}", held_volume_settle, volume)
        for guard in guards_due(timezone.now()):
            self._care(f"guard {guard}", guard_settle, guard)
        holds_of_the_dead_release(is_proven_dead)
        for maintenance in maintenances_due(timezone.now()):
            self._care(f"maintenance {maintenance}", maintenance_settle, maintenance, self.owner)
        for disk_move in disk_moves_due():
            self._care(f"disk move {disk_move}", disk_move_settle, disk_move)
        for orphan in orphans(timezone.now()):
            if orphan.care is Care.RING:
                enqueue(orphan.migration)
            elif self._care(orphan.migration, adopt, orphan.migration, self.owner):
                log.info("move %s has lost its driver; asking the hosts", orphan.migration)

    def _care(self, key: str, work: Callable[..., None], *words: str | int) -> bool:
        """Do some work beside all else, unless the same is under way; say whether it was begun."""
        if key in self._caring:
            return False
        thread = threading.Thread(target=self._do, args=(key, work, *words), daemon=True)
        self._caring[key] = thread
        thread.start()
        return True

    def _do(self, key: str, work: Callable[..., None], *words: str | int) -> None:
        try:
            work(*words)
        except Exception:
            log.exception("%s could not be cared for; trying again", key)
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
