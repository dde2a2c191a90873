"""Keep a lease while this process does one thing that may take longer than the lease lasts."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection, connections

from xenweb.livemigration.transitions import Lease, LeaseLostError, lease_renew

log = logging.getLogger(__name__)

RENEW_EVERY = 1.0
"""Seconds between two renewals: several may fail before the lease is over."""


@contextmanager
def kept(lease: Lease) -> Iterator[None]:
    """Renew a lease from a thread of its own while the body runs.

    Raises LeaseLostError after the body if the lease was lost meanwhile; the body
    itself goes on, and so must have no side effect. A database that is away for a
    moment is asked again: whether the lease was lost, the fence says in the end.
    """
    over = threading.Event()

    def renew() -> None:
        try:
            while not over.wait(RENEW_EVERY):
                try:
                    lease_renew(lease)
                except DatabaseError as error:
                    log.warning("move %s: its lease could not be renewed yet: %s", lease.migration, error)
                    connection.close()
        except LeaseLostError:
            log.warning("move %s: the lease went to another process meanwhile", lease.migration)
        finally:
            connections.close_all()

    thread = threading.Thread(target=renew, name=f"lease-{lease.migration}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    lease_renew(lease)
