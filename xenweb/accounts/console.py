"""The form of our commands for administrators: they act as the person at the console, and refuse in sentences."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from xenweb.accounts.administering import console_actor
from xenweb.accounts.policy import Actor
from xenweb.core.refusal import RefusalError


class ConsoleCommand(BaseCommand):
    """Base of the commands that set an installation up; each is in the history under ``console:`` and who ran it."""

    def handle(self, *_args: object, **options: Any) -> None:
        """Act, or say in one line why not and what helps."""
        try:
            self.act(console_actor(), options)
        except RefusalError as refusal:
            msg = f"{refusal.sentence} {refusal.remedy}"
            raise CommandError(msg) from refusal

    def act(self, by: Actor, options: dict[str, Any]) -> None:
        """Do what the words of the command line say."""
        raise NotImplementedError
