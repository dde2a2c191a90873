"""Where RQ comes in: an id in, one call down. Named by dotted path, so no service knows it."""

import os
import socket

from xenweb.livemigration.drive import drive


def drive_migration(migration_id: str) -> None:
    """Drive one move to its end."""
    drive(migration_id, owner=f"worker {socket.gethostname()}:{os.getpid()}")
