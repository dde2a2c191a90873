"""``manage.py lab``: a thin shell over xenweb.lab.qemu, which knows no Django."""

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from xenweb.lab.errors import LabError
from xenweb.lab.qemu import cli


class Command(BaseCommand):
    """Start, end, and play with the embedded lab."""

    help = "Three real libvirt hosts with real QEMU guests on this machine."
    # The lab needs neither a database nor a checked project.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the words from the lab itself."""
        cli.add_arguments(parser)

    def handle(self, *_: object, **options: Any) -> None:
        """Obey, or say in one sentence why not."""
        try:
            cli.run(Namespace(**options), self.stdout.write)
        except LabError as error:
            raise CommandError(str(error)) from error
