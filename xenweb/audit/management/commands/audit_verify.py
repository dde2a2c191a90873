from typing import Any

from django.core.management.base import BaseCommand, CommandError

from xenweb.audit.chain import verify
from xenweb.audit.models import AuditRecord


class Command(BaseCommand):
    """Recompute every hash of the history."""

    help = "Verify the audit chain; exit code 1 and the first broken record if it does not hold."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print one line; raise CommandError when the chain is broken."""
        broken = verify()
        if broken is not None:
            raise CommandError(broken.sentence, returncode=1)
        self.stdout.write(f"The history holds: {AuditRecord.objects.count()} records.")
