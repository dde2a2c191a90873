from typing import Any

from django.core.management.base import CommandParser

from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor
from xenweb.inventory.administering import pool_add


class Command(ConsoleCommand):
    """Add pools."""

    help = "pool add NAME: make a pool, to which hosts are added on the board or by REST."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name, and how its hosts are spoken with."""
        parser.add_argument("verb", choices=["add"])
        parser.add_argument("name")
        parser.add_argument("--driver", default="libvirt")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Add one pool."""
        pool_add(by, options["name"], options["driver"])
        self.stdout.write(f"Hosts can be added to the pool {options['name']}.")
