from typing import Any

from django.core.management.base import CommandParser

from xenweb.accounts.administering import team_add
from xenweb.accounts.console import ConsoleCommand
from xenweb.accounts.policy import Actor
from xenweb.inventory.administering import vm_give


class Command(ConsoleCommand):
    """Add teams, and say whose a VM is."""

    help = "team add TEAM | team give VM TEAM | team take VM; a VM by its name or its UUID"

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to do, and with which team and VM."""
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("add", help="make a team").add_argument("team")
        give = verbs.add_parser("give", help="give a VM to a team")
        give.add_argument("vm")
        give.add_argument("team")
        verbs.add_parser("take", help="let a VM be of no team").add_argument("vm")

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Add a team, or give or take one VM."""
        if options["verb"] == "add":
            team_add(by, options["team"])
            self.stdout.write(f"There is a team {options['team']}.")
            return
        team = options.get("team")
        vm_give(by, options["vm"], team)
        self.stdout.write(f"{options['vm']} is {f'of {team}' if team else 'of no team'} now.")
