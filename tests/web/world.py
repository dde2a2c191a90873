"""Two teams, a person of each role, and clients that speak for them."""

import re
from dataclasses import dataclass, field
from typing import Any

from django.test import Client
from django.utils import timezone

from tests.board import Board
from xenweb.accounts import services as accounts
from xenweb.accounts.models import User
from xenweb.accounts.policy import Actor
from xenweb.accounts.selectors import actor_for
from xenweb.core.migration import Copy
from xenweb.core.quantities import MIB
from xenweb.drivers.contract import MoveOptions
from xenweb.inventory.models import VirtualMachine
from xenweb.inventory.services import vm_assign_team
from xenweb.livemigration.models import LeftoverDisk
from xenweb.livemigration.services import migration_request
from xenweb.maintenance.models import Maintenance
from xenweb.realtime.wire import MigrationWire
from xenweb.web.api.document import api

OTHER_UUID = "22222222-2222-4222-8222-222222222222"
SAME_ID = {"X-Request-ID": "same-for-both"}


@dataclass
class World:
    """A board whose VM is Shop's; ``other`` is Data's. ``stranger`` leads Data."""

    board: Board
    other: VirtualMachine
    nobody: Actor
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def people(self) -> dict[str, Actor]:
        """Name each actor by what it is in the tests."""
        board = self.board
        return {
            "admin": board.admin,
            "lead": board.lead,
            "stranger": board.stranger,
            "auditor": board.auditor,
            "nobody": self.nobody,
        }

    def program(self, who: str) -> Client:
        """A client that sends the bearer token of somebody; of nobody at all for an empty name."""
        if not who:
            return Client()
        if who not in self.tokens:
            self.tokens[who] = accounts.token_create(self.people[who], "tests", 1)
        return Client(headers={"Authorization": f"Bearer {self.tokens[who]}"})

    def browser(self, who: str) -> Client:
        """A client with a session, held to CSRF like a browser."""
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.get(pk=self.people[who].user_id))
        return client

    def move(self, **changes: Any) -> MigrationWire:
        """Ask for a move of Shop's VM."""
        wanted = {"vm": str(self.board.vm.pk), "target": str(self.board.target.pk), "options": MoveOptions()}
        return migration_request(self.board.admin, **(wanted | changes))

    def ended_maintenance(self) -> str:
        """Let the source have been in maintenance, with nothing moved; answer its id."""
        return Maintenance.objects.create(
            host=self.board.source,
            host_name=self.board.source.name,
            state="ended",
            requested_by_id=self.board.admin.user_id,
            requested_by_name="admin",
            requested_at=timezone.now(),
        ).pk

    def leave_disk(self, migration: str, path: str = "/srv/local/vm.img") -> int:
        """Let a move have left a disk at its source; answer the disk's id."""
        return LeftoverDisk.objects.create(
            migration_id=migration, host=self.board.source, path=path, size=32 * MIB, since=timezone.now()
        ).pk


def make_world(board: Board) -> World:
    """Add Data's VM, and a person without a role."""
    board.driver.copies[("host-a", OTHER_UUID)] = Copy.RUNNING
    board.look()
    vm_assign_team(OTHER_UUID, accounts.team_create("Data"))
    user = accounts.user_create("nobody", "correct horse")
    nobody = actor_for(user)
    assert nobody is not None
    return World(board, VirtualMachine.objects.get(uuid=OTHER_UUID), nobody)


def operations() -> list[tuple[str, str]]:
    """List every method and path of the API, from its own document."""
    paths = api.get_openapi_schema()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def filled(path: str, **keys: object) -> str:
    """Put keys into a path of the document."""
    keys = {"disk": 1, "repository": 0, "maintenance": "0000-0000", "device": "xvda", "move": "00000000", **keys}
    return re.sub(r"{(\w+)}", lambda match: str(keys[match[1]]), path)
