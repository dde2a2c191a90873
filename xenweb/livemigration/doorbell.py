"""Ring for a worker. Redis may lose the ring: the reconciler rings again for what stayed queued."""

import logging

import django_rq
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import DuplicateJobError, NoSuchJobError
from rq.job import Job

log = logging.getLogger(__name__)

QUEUE = "moves"
DOOR = "xenweb.worker.doors.drive_migration"
WAITING = frozenset({"queued", "deferred", "scheduled"})


def enqueue(migration_id: str) -> None:
    """Put one id into the queue; a ring that fails is written to the log, and is no error.

    Ringing twice is harmless: whoever comes second finds the lease taken.
    """
    try:
        queue = django_rq.get_queue(QUEUE)
        try:
            _put(queue, migration_id)
        except DuplicateJobError:
            _replace_lost(queue, migration_id)
    except (RedisError, OSError) as error:
        log.warning("move %s could not be rung for: %s", migration_id, error)


def _rq_job_id(migration_id: str) -> str:
    return f"move-{migration_id}"


def _put(queue: Queue, migration_id: str) -> None:
    rq_job_id = _rq_job_id(migration_id)
    queue.enqueue_call(DOOR, args=(migration_id,), job_id=rq_job_id, unique=True, result_ttl=0, failure_ttl=600)


def _replace_lost(queue: Queue, migration_id: str) -> None:
    """Ring anew where the old ring is no longer waiting: its worker was lost on the way.

    A worker that dies between taking a ring and beginning with it leaves one that
    says "queued" and lies in no queue.
    """
    rq_job_id = _rq_job_id(migration_id)
    try:
        lost = Job.fetch(rq_job_id, connection=queue.connection, serializer=queue.serializer)
        is_waiting = str(lost.get_status().value) in WAITING and queue.get_job_position(rq_job_id) is not None
    except NoSuchJobError:
        return
    if not is_waiting:
        lost.delete()
        _put(queue, migration_id)
