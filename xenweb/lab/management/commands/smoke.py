import json
import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from xenweb.lab.errors import LabError
from xenweb.lab.smoke import proven_move
from xenweb.lab.stage import StageError, passing_stage


class Command(BaseCommand):
    """Move one VM with everything real, in a temporary folder, and print one line of JSON."""

    help = "Start the whole stack, move one VM by REST, prove it by the guest's own heartbeat."
    requires_system_checks: list[str] = []

    def handle(self, *_args: object, **_options: Any) -> None:
        """Run, print the one line, leave nothing running."""
        began = time.monotonic()
        try:
            with passing_stage("s", workers=1) as stage:
                said = proven_move(stage)
        except (StageError, LabError) as error:
            raise CommandError(str(error)) from error
        print(f"smoke took {time.monotonic() - began:.1f} s", file=sys.stderr)
        self.stdout.write(json.dumps(said))
