import pytest

from tests.board import make_board
from tests.maintenance.hosts import Hosts, SwitchingDriver
from xenweb.livemigration import services, watching


@pytest.fixture
def hosts(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """Three hosts whose hypervisor can be told to take no VMs; the tests drive the moves themselves, and quickly."""
    del transactional_db
    monkeypatch.setattr(services, "enqueue", lambda _migration: None)
    for name, seconds in (("LOOK_EVERY", 0.01), ("ASK_HOSTS_EVERY", 0.02), ("PROVE_EVERY", 0.02), ("PROVE_FOR", 0.3)):
        monkeypatch.setattr(watching, name, seconds)
    monkeypatch.setattr("tests.board.ScriptedDriver", SwitchingDriver)
    return Hosts(make_board(monkeypatch))
