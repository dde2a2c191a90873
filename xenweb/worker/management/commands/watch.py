from django.core.management.base import BaseCommand

from xenweb.worker.watcher import watch_all


class Command(BaseCommand):
    """Keep the inventory as fresh as the hypervisors."""

    help = "Watch every host and keep rows and browsers fresh."

    def handle(self, *_args: object, **_options: object) -> None:
        """Watch until ended by a signal."""
        watch_all()
