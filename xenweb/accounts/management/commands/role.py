from typing import Any

from django.core.management.base import CommandParser

from xenweb.accounts.administering import role_give, role_take
from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor, Role


class Command(ConsoleCommand):
    """Give and take roles."""

    help = "role give|take NAME administrator|auditor, or role give|take NAME team_lead --team TEAM"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take who, and which role."""
        parser.add_argument("verb", choices=["give", "take"])
        parser.add_argument("username")
        parser.add_argument("role", choices=[role.value for role in Role])
        parser.add_argument("--team", help="the team that a team lead leads")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Give or take one role."""
        username, role, team = options["username"], Role(options["role"]), options["team"]
        (role_give if options["verb"] == "give" else role_take)(by, username, role, team)
        says = "is now" if options["verb"] == "give" else "is no longer"
        self.stdout.write(f"{username} {says} {role.value.replace('_', ' ')}{f' of {team}' if team else ''}.")
