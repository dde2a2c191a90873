from typing import Any

from django.core.management.base import CommandParser

from xenweb.accounts.administering import token_issue
from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor


class Command(ConsoleCommand):
    """Make a token for a program."""

    help = "Make a bearer token that acts as a user, and print it: the only time that it is shown."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take for whom, what it is called, and how long it lives."""
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="what the token is for")
        parser.add_argument("--days", type=int, default=90)

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Print nothing but the token, so that a script can take it."""
        self.stdout.write(token_issue(by, options["username"], options["name"], options["days"]))
