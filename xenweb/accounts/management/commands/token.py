from typing import Any

from django.core.management.base import CommandParser

from xenweb.accounts.administering import token_issue, token_revoke
from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor
from xenweb.accounts.selectors import tokens_shown


class Command(ConsoleCommand):
    """Make tokens for programs, list them, and end them before their time."""

    help = "token issue NAME --name FOR [--days N] | token list | token revoke PREFIX"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do; for whom a token is, what it is called, and how long it lives."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        issue = verbs.add_parser("issue", help="make a token that acts as a user, and print it, this once")
        issue.add_argument("username")
        issue.add_argument("--name", required=True, help="what the token is for")
        issue.add_argument("--days", type=int, default=90)
        verbs.add_parser("list", help="show all tokens by their prefix, never the tokens themselves")
        verbs.add_parser("revoke", help="end a token").add_argument("prefix", help="as `token list` shows it")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Print nothing but a new token, so that a script can take it."""
        if options["verb"] == "issue":
            self.stdout.write(token_issue(by, options["username"], options["name"], options["days"]))
        elif options["verb"] == "revoke":
            token_revoke(by, options["prefix"])
            self.stdout.write(f"Nobody is let in by {options['prefix']} any more.")
        else:
            self._list()

    def _list(self) -> None:
        for each in tokens_shown():
            used = "never used" if each.last_used_at is None else f"last used {each.last_used_at:%Y-%m-%d %H:%M} UTC"
            until = f"until {each.expires_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"{each.prefix}  {each.username}  {each.name}  {until}  {used}")
