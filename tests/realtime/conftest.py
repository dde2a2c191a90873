import pytest

from tests.board import Board, make_board
from xenweb.livemigration import services


@pytest.fixture
def board(db: None, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A small board, with no queue behind it."""
    del db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    return make_board(monkeypatch)
