"""Look at a real XenServer or XCP-ng pool, change nothing, and say whether the driver would find its way there."""

import getpass
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from xenweb.drivers.contract import DriverError
from xenweb.drivers.registry import look_at

PASSWORD_FILE = "XENWEB_XAPI_PASSWORD_FILE"  # noqa: S105 - the name of a variable that names a file


class Command(BaseCommand):
    """``manage.py xapi_check xapi://USER@HOST/?sha256=FINGERPRINT``; the password is asked for, or read from a file."""

    help = (
        "Look at a XAPI pool without changing anything. The password is asked for, "
        f"or read from the file that {PASSWORD_FILE} names."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address; a password is no argument: other users of the machine could read it."""
        parser.add_argument("url")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the report; end with an error if the driver would miss something."""
        faults = 0
        try:
            for text, is_fault in look_at("xapi", options["url"], _password()):
                faults += is_fault
                self.stdout.write(f"{'FAULT ' if is_fault else '      '}{text}")
        except DriverError as error:
            raise CommandError(error.sentence) from error
        if faults:
            msg = f"{faults} faults"
            raise CommandError(msg)
        self.stdout.write("everything that the driver needs is there")


def _password() -> str:
    named = os.environ.get(PASSWORD_FILE, "")
    if not named:
        return getpass.getpass("Password of the pool's user: ")
    try:
        return Path(named).read_text().splitlines()[0]
    except (OSError, IndexError) as error:
        msg = f"The password cannot be read from {named}."
        raise CommandError(msg) from error
