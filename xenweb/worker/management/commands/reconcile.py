from django.core.management.base import BaseCommand

from xenweb.worker.reconciler import reconcile_all


class Command(BaseCommand):
    """Care for moves whose driver was lost."""

    help = "Find moves that nobody drives, ask both hosts, and go on from there."

    def handle(self, *_args: object, **_options: object) -> None:
        """Reconcile until ended by a signal."""
        reconcile_all()
