"""Storage that no host reaches any more: its row goes, unless somebody may still ask what it was.

A row stays while a disk is known to lie there, while an administrator's word for it stands, and for good where the
history names it. What stays is shown apart.
"""

from xenweb.audit.selectors import is_in_history
from xenweb.inventory.models import StorageRepository
from xenweb.realtime.events import StorageRepositoryRemoved
from xenweb.realtime.publish import publish

KIND = "storage_repository"


def unreached_remove(pool_id: int) -> None:
    """Remove what no host of a pool reaches and nothing refers to; call it in a transaction."""
    rows = StorageRepository.objects.filter(pool=pool_id, attachments=None, disks=None, vouched_shared=False)
    for row in rows:
        if is_in_history(KIND, str(row.pk)):
            continue
        removed = row.pk
        row.delete()
        publish(StorageRepositoryRemoved(storage_repository_id=removed), public=True)
