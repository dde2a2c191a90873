"""What a deployment chooses is read once, and refused with one clear sentence."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from xenweb.settings.database import _database
from xenweb.settings.environment import kept_secret, read


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("XENWEB_") or name in {"DATABASE_URL", "REDIS_URL"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("XENWEB_DATA", str(tmp_path / "data"))


def test_without_any_choice_everything_lies_in_the_data_folder(tmp_path: Path) -> None:
    environment = read()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert environment.redis_url == f"unix://{tmp_path}/data/redis.sock"
    assert environment.database_url == f"sqlite:///{tmp_path}/data/db.sqlite3"
    assert not environment.debug
    assert environment.origins == ()


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first, second = read(), read()
    assert (first.secret_key, first.credential_keys) == (second.secret_key, second.credential_keys)
    assert first.secret_key not in first.credential_keys
    for name in ("secret_key", "credential_key"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


def test_processes_that_start_together_read_the_same_secret(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        read_by = pool.map(lambda number: kept_secret(tmp_path / "key", lambda: f"drawn by {number}"), range(64))
        assert len(set(read_by)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("XENWEB_DEBUG", "perhaps"),
        ("XENWEB_SIMULATED", "2"),
        ("XENWEB_ORIGINS", "xenweb.example"),
        ("XENWEB_ORIGINS", "https://xenweb.example/path"),
        ("XENWEB_ORIGINS", "https://xenweb.example:x"),
        ("XENWEB_ORIGINS", "*"),
        ("REDIS_URL", "http://localhost"),
        ("XENWEB_LOG_LEVEL", "loud"),
        ("XENWEB_DATA", "/proc/nowhere"),
    ],
)
def test_a_wrong_choice_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured, match=name):
        read()


def test_a_key_file_that_holds_no_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "credential_key").write_text("not a key\n")
    with pytest.raises(ImproperlyConfigured, match="Fernet"):
        read()


def test_the_newest_credential_key_comes_first(tmp_path: Path) -> None:
    old = read().credential_keys[0]
    new = "A" * 43 + "="
    (tmp_path / "data" / "credential_key").write_text(f"{new}\n{old}\n")
    assert read().credential_keys == (new, old)


def test_only_the_two_databases_we_test_are_taken() -> None:
    assert _database("sqlite:////tmp/x")["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert _database("postgres://u:p@h/d")["CONN_HEALTH_CHECKS"] is True
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        _database("mysql://u:p@h/d")
