from typing import Any

from django.core.management.base import CommandParser

from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor
from xenweb.inventory.administering import storage_vouch


class Command(ConsoleCommand):
    """Vouch that storage is shared."""

    help = "Say that a storage repository, by id or name, is the same place on all its hosts; --withdraw takes it back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take which storage."""
        parser.add_argument("storage")
        parser.add_argument("--withdraw", action="store_true")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Vouch, or take the word back."""
        storage_vouch(by, options["storage"], is_shared=not options["withdraw"])
        self.stdout.write(f"{options['storage']} is {'no longer ' if options['withdraw'] else ''}vouched for.")
