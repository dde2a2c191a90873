import pytest

from tests.board import Board, make_board
from xenweb.livemigration import services, watching


@pytest.fixture
def board(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Board:
    """A small board that threads see too, and moves that go quickly."""
    del transactional_db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    for name, seconds in (("LOOK_EVERY", 0.01), ("ASK_HOSTS_EVERY", 0.02), ("PROVE_EVERY", 0.02), ("PROVE_FOR", 0.3)):
        monkeypatch.setattr(watching, name, seconds)
    return make_board(monkeypatch)
