import pytest

from tests.board import Board, make_board


@pytest.fixture
def board(db: None, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A small board."""
    del db
    return make_board(monkeypatch)
