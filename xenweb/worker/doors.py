"""Where RQ comes in: an id in, one call down. Named by dotted path, so no service knows it."""

from xenweb.livemigration.drive import drive
from xenweb.worker.owners import owner_name


def drive_migration(migration_id: str) -> None:
    """Drive one move to its end."""
    drive(migration_id, owner=owner_name("worker"))
