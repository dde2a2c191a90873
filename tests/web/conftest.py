import pytest

from tests.board import make_board
from tests.web.world import World, make_world
from xenweb.livemigration import services


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world of two teams; moves are only asked for, no worker takes them up."""
    del db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    return make_world(make_board(monkeypatch))
