"""Where rows live: SQLite to try it out, PostgreSQL to run it."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from xenweb.settings.environment import ENVIRONMENT

# With Django's defaults, four writing processes lose one transaction in forty
# to "database is locked". Taking the write lock at BEGIN makes them queue.
_SQLITE_OPTIONS = {
    "timeout": 20,
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}

# A process that stands still inside a transaction (stopped, swapped out, on a machine that is
# gone) keeps the writers' one lock, and everybody else waits. It must lose it before its
# lease of 6 s runs out, so that whoever takes the move over can write. Nobody waits for
# a hypervisor inside a transaction, so none of ours is ever idle for so long.
_POSTGRESQL_SESSION = {
    "idle_in_transaction_session_timeout": "4s",
    # Longer than the wait for one that stands still; beyond it a request is answered with 503, not left to hang.
    "lock_timeout": "10s",
    # Where the client's machine no longer takes what it asked for, as when it stands still in mid-answer.
    "tcp_user_timeout": "10s",
}
# No statement_timeout: the server finishes what it was asked, whoever sleeps meanwhile, and
# an upgrade or the check of a long history may rightly take its time.
_POSTGRESQL = {
    "options": " ".join(f"-c {name}={value}" for name, value in _POSTGRESQL_SESSION.items()),
    "connect_timeout": 5,
    # A server that vanished without a word is noticed within about ten seconds, not after two hours.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    engine = str(config.get("ENGINE", ""))
    if engine.endswith("sqlite3"):
        return {**config, "OPTIONS": {**config.get("OPTIONS", {}), **_SQLITE_OPTIONS}}
    if engine.endswith("postgresql"):
        return {**config, "CONN_HEALTH_CHECKS": True, "OPTIONS": {**_POSTGRESQL, **config.get("OPTIONS", {})}}
    msg = "DATABASE_URL must begin with sqlite:/// or postgres://."
    raise ImproperlyConfigured(msg)


DATABASES = {"default": _database(ENVIRONMENT.database_url)}
