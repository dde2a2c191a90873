import gc

import django_rq
from django.core.management.base import BaseCommand
from django.db import connections
from rq import Worker

from xenweb.drivers.registry import preload
from xenweb.livemigration.doorbell import QUEUE
from xenweb.worker import doors


class PlainWorker(Worker):
    """RQ's worker under the name that it was started by: processes are found, and ended, by it."""

    def procline(self, message: str) -> None:
        """Leave the command line alone, whatever is installed that could change it."""


class Command(BaseCommand):
    """Drive moves that are in the queue."""

    help = "Run one RQ worker for the queue of moves."

    def handle(self, *_args: object, **_options: object) -> None:
        """Work until ended by a signal."""
        queue = django_rq.get_queue(QUEUE)
        # The door and the drivers are imported before the fork, so that a move need not
        # wait for them; no database connection may cross the fork.
        preload()
        self.stdout.write(f"waiting at {doors.__name__}")
        connections.close_all()
        # A forked worker that swept what the parent has loaded would copy every page of it first.
        gc.collect()
        gc.freeze()
        worker = PlainWorker([queue], connection=queue.connection, serializer=queue.serializer)
        worker.work(logging_level="WARNING")
