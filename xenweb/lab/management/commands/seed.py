import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from xenweb.accounts.services import token_create
from xenweb.inventory.probing import probe_set
from xenweb.lab.seed import SeedHost, administrator, hosts_seed, people_seed


class Command(BaseCommand):
    """Fill an empty installation with a small company and the lab's hosts."""

    help = "Seed people and the hosts of a lab; prints how they sign in, and the keys of its probes, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the description of the hosts."""
        parser.add_argument(
            "--hosts",
            type=Path,
            required=True,
            help="JSON: {driver, hosts: [{uri, address, name, probe, credential}], beside: [{pool, driver, hosts}]}",
        )
        parser.add_argument("--token", action="store_true", help="also make a token for the administrator")

    def handle(self, *_args: object, **options: Any) -> None:
        """Seed, and print one JSON document."""
        described = json.loads(options["hosts"].read_text())
        sign_ins = people_seed(Path(settings.XENWEB_DATA) / "sign-ins.json")
        hosts_seed(described["driver"], _hosts(described["hosts"]))
        for beside in described.get("beside", []):
            hosts_seed(beside["driver"], _hosts(beside["hosts"]), beside["pool"])
        said: dict[str, Any] = {"sign_ins": [asdict(sign_in) for sign_in in sign_ins]}
        if options["token"]:
            said["token"] = token_create(administrator(), "smoke", days=1)
        said["probe_keys"] = {
            host["name"]: probe_set(administrator(), host["name"], host["probe"])
            for host in described["hosts"]
            if host.get("probe")
        }
        self.stdout.write(json.dumps(said))


def _hosts(described: list[dict[str, str]]) -> list[SeedHost]:
    return [SeedHost(host["uri"], host.get("address", ""), host.get("credential", "")) for host in described]
