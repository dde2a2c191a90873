import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from xenweb.lab.qemu.errors import LabError
from xenweb.lab.smoke import proven_move
from xenweb.lab.stage import Stage, StageError, free_port


class Command(BaseCommand):
    """Move one VM with everything real, in a temporary folder, and print one line of JSON."""

    help = "Start the whole stack, move one VM by REST, prove it by the guest's own heartbeat."
    requires_system_checks: list[str] = []

    def handle(self, *_args: object, **_options: Any) -> None:
        """Run, print the one line, leave nothing running."""
        folder = Path(tempfile.mkdtemp(prefix="xs-", dir="/tmp"))
        stage = Stage(
            data=folder / "d",
            lab=folder / "l",
            port=free_port(),
            workers=1,
            say=lambda line: print(line, file=sys.stderr),
        )
        began = time.monotonic()
        try:
            stage.start()
            said = proven_move(stage)
        except (StageError, LabError) as error:
            raise CommandError(str(error)) from error
        finally:
            stage.stop()
            shutil.rmtree(folder, ignore_errors=True)
        print(f"smoke took {time.monotonic() - began:.1f} s", file=sys.stderr)
        self.stdout.write(json.dumps(said))
