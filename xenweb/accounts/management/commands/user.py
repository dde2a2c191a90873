import getpass
import sys
from typing import Any

from django.core.management.base import CommandError, CommandParser

from xenweb.accounts.administering import password_set, user_add, user_close, user_open
from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor


class Command(ConsoleCommand):
    """Add users, give them other passwords, close the door to them and open it again."""

    help = "user add|password NAME (asks for the password, or reads one line) | user disable|enable NAME"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, and to whom."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="make a user without a role; see the command role")
        add.add_argument("username")
        add.add_argument("--name", default="", help="how people call this person")
        for verb, what in (
            ("password", "give a user another password; what is signed in with the old one ends"),
            ("disable", "close the door to a user"),
            ("enable", "open the door again"),
        ):
            verbs.add_parser(verb, help=what).add_argument("username")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Do one thing about one user."""
        username = options["username"]
        if options["verb"] == "add":
            user_add(by, username, self._password(), options["name"])
            self.stdout.write(f"{username} can sign in, and has no role yet: manage.py role give {username} ROLE")
        elif options["verb"] == "password":
            password_set(by, username, self._password())
            self.stdout.write(f"{username} has another password.")
        elif options["verb"] == "disable":
            user_close(by, username)
            self.stdout.write(f"{username} can no longer sign in.")
        else:
            user_open(by, username)
            self.stdout.write(f"{username} can sign in again.")

    def _password(self) -> str:
        """Ask twice at a terminal; take one line from a pipe. Never from the command line, which others can read."""
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\n")
        password = getpass.getpass("Password (at least 12 characters): ")
        if getpass.getpass("Once more: ") != password:
            msg = "The two passwords differ. Nothing was changed."
            raise CommandError(msg)
        return password
