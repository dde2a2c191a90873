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


def _database(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    engine = str(config.get("ENGINE", ""))
    if engine.endswith("sqlite3"):
        return {**config, "OPTIONS": {**config.get("OPTIONS", {}), **_SQLITE_OPTIONS}}
    if engine.endswith("postgresql"):
        return {**config, "CONN_HEALTH_CHECKS": True}
    msg = "DATABASE_URL must begin with sqlite:/// or postgres://."
    raise ImproperlyConfigured(msg)


DATABASES = {"default": _database(ENVIRONMENT.database_url)}
