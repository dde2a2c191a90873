"""Ringing for a worker: twice is harmless, and a ring that a dead worker took along is rung anew."""

from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import django_rq
import pytest
import redis
from rq import Queue
from rq.serializers import JSONSerializer

from xenweb.livemigration import doorbell
from xenweb.worker import redis_process


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    """The queue of moves, on a Redis of its own."""
    socket = tmp_path / "redis.sock"
    with Popen(redis_process.command(tmp_path, socket)) as process:
        redis_process.wait_ready(socket, process)
        connection = redis.Redis(unix_socket_path=str(socket))
        queue = Queue(doorbell.QUEUE, connection=connection, serializer=JSONSerializer)
        monkeypatch.setattr(django_rq, "get_queue", lambda _name: queue)
        yield queue
        process.terminate()


def test_a_ring_is_one_however_often_it_is_rung(queue: Queue) -> None:
    for _ in range(3):
        doorbell.enqueue("M1")
    assert queue.job_ids == ["move-M1"]


def test_a_ring_that_a_worker_took_along_into_its_death_is_rung_anew(queue: Queue) -> None:
    doorbell.enqueue("M1")
    queue.connection.lpop(queue.key)  # taken from the queue, never begun: RQ says "queued" for ever
    assert queue.job_ids == []
    doorbell.enqueue("M1")
    assert queue.job_ids == ["move-M1"]


def test_a_redis_that_is_away_is_no_error(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    queue.connection.shutdown(nosave=True)
    doorbell.enqueue("M1")
    assert "could not be rung for" in caplog.text
