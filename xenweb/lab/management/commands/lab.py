"""``manage.py lab``: a thin shell over xenweb.lab.cli, which knows no Django."""

from argparse import ArgumentParser, Namespace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from xenweb.lab import cli
from xenweb.lab.errors import LabError


class Command(BaseCommand):
    """Start, end, and play with the embedded lab."""

    help = "Real libvirt hosts with real guests on this machine: three with QEMU, or two nested Xen hosts."
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
