"""What all tests share: properties without a stopwatch, and a clean end to tests that write history."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import pytest
from django.db import connection
from hypothesis import settings

from xenweb.audit.models import AuditHead, AuditRecord
from xenweb.core.evidence import GENESIS
from xenweb.realtime.models import StreamHead

# A property says what holds, not how fast: on a loaded machine any example may take long. The examples are the same in
# each run, so that a change is judged by what it changed; `pytest --hypothesis-seed=random` looks further.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _history_can_be_flushed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Lift the triggers of the history while the database is emptied, and lay its heads again."""
    marker = request.node.get_closest_marker("django_db")
    if "transactional_db" not in request.fixturenames and not (marker and marker.kwargs.get("transaction")):
        yield
        return
    request.getfixturevalue("transactional_db")
    AuditHead.objects.get_or_create(pk=1, defaults={"sequence": 0, "hash": GENESIS})
    StreamHead.objects.get_or_create(pk=1)
    yield
    empty_history()


@contextmanager
def triggers_lifted() -> Iterator[None]:
    """Do what only somebody can do who may alter the tables."""
    append_only = import_module("xenweb.audit.migrations.0002_append_only")
    _execute(append_only.LIFT[connection.vendor])
    yield
    _execute(append_only.LAY[connection.vendor])


def _execute(statements: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def empty_history() -> None:
    """Drop all records."""
    with triggers_lifted():
        AuditRecord.objects.all().delete()
