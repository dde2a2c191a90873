import json
from typing import Any

from django.core.management.base import BaseCommand

from xenweb.web.api.document import api


class Command(BaseCommand):
    """Print the document from which the front end's types are made."""

    help = "Print the OpenAPI document, the same bytes for the same code."
    requires_system_checks: list[str] = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Write JSON with sorted keys to standard output."""
        self.stdout.write(json.dumps(api.get_openapi_schema(), indent=2, sort_keys=True, default=str))
