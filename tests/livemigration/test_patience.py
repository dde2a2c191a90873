"""What the hosts proved waits for a database that is away, but not for one whose whole folder is gone."""

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from tests.board import Board
from xenweb.core.migration import State
from xenweb.drivers.contract import MoveOptions
from xenweb.drivers.registry import driver_for
from xenweb.livemigration import watching
from xenweb.livemigration.models import Migration
from xenweb.livemigration.plan import driver_kind, plan_of
from xenweb.livemigration.services import migration_request
from xenweb.livemigration.transitions import lease_take
from xenweb.livemigration.watching import Watching


@pytest.fixture
def watch(board: Board, monkeypatch: pytest.MonkeyPatch) -> Watching:
    """The watch over a move that is under way, which waits but shortly."""
    monkeypatch.setattr(watching, "PATIENCE", 0.01)
    wire = migration_request(board.admin, vm=str(board.vm.pk), target=str(board.target.pk), options=MoveOptions())
    Migration.objects.filter(pk=wire.id).update(state=State.PRE_COPY)
    lease = lease_take(wire.id, "test")
    assert lease is not None
    row = Migration.objects.with_all().get(pk=wire.id)
    return Watching(lease, row, driver_for(driver_kind(row)), plan_of(row))


class Away:
    """A write to a database that is away for some tries, and the end of the test if it is tried for ever."""

    tries = 0

    def __init__(self, tries: int) -> None:
        self.away_for = tries

    def __call__(self) -> str:
        self.tries += 1
        if self.tries > 50:
            pytest.fail("It is tried for ever.")
        if self.tries <= self.away_for:
            msg = "unable to open database file"
            raise OperationalError(msg)
        return "written"


def test_a_write_waits_for_the_database_to_come_back(watch: Watching) -> None:
    assert watch._with_patience(Away(3)) == "written"


def test_without_the_folder_of_the_installation_nothing_is_waited_for(
    watch: Watching, settings: Any, tmp_path: Path
) -> None:
    settings.XENWEB_DATA = tmp_path / "deleted"
    write = Away(1000)
    with pytest.raises(OperationalError):
        watch._with_patience(write)
    assert write.tries == 1
