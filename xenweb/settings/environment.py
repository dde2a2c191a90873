"""The environment, read once: typed, checked, and refused with one clear sentence."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parents[2]
MOST_MOVES = 1000


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything that a deployment may choose. Paths are absolute.

    ``moves`` limits the moves under way: on one host, between two hosts, in all.
    ``guards_kept`` says how long a guard is kept after a move that arrived, and after any other.
    """

    debug: bool
    data: Path
    secret_key: str
    credential_keys: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    origins: tuple[str, ...]
    database_url: str
    redis_url: str
    simulated: bool
    libvirt_socket_folders: tuple[Path, ...]
    frontend_dev_server: bool
    log_level: str
    moves: tuple[int, int, int]
    guards_kept: tuple[timedelta, timedelta]


def _data_folder(text: str) -> Path:
    folder = Path(text).expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"XENWEB_DATA: the folder {folder} cannot be made ({error.strerror})."
        raise ImproperlyConfigured(msg) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        msg = f"XENWEB_DATA: the folder {folder} cannot be written to."
        raise ImproperlyConfigured(msg)
    return folder


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Read a secret file, making it (0600) when it is absent.

    Several processes may start at once: the one that links its file first wins,
    and all of them read that file.
    """
    if not path.exists():
        draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make() + "\n")
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def _credential_keys(path: Path) -> tuple[str, ...]:
    keys = tuple(kept_secret(path, lambda: Fernet.generate_key().decode()).split())
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            msg = f"{path} must hold one Fernet key a line, newest first."
            raise ImproperlyConfigured(msg) from error
    if not keys:
        msg = f"{path} is empty: it must hold one Fernet key a line, newest first."
        raise ImproperlyConfigured(msg)
    return keys


def _origin(text: str) -> str:
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = -1
    plain = f"{parts.scheme}://{parts.netloc}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1 or text.rstrip("/") != plain:
        msg = f"XENWEB_ORIGINS: {text!r} is not an origin such as https://xenweb.example:8443."
        raise ImproperlyConfigured(msg)
    return plain.lower()


def _redis_url(text: str) -> str:
    if urlsplit(text).scheme not in {"unix", "redis", "rediss"}:
        msg = "REDIS_URL must begin with unix://, redis:// or rediss://."
        raise ImproperlyConfigured(msg)
    return text


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        msg = "XENWEB_LOG_LEVEL must be debug, info, warning or error."
        raise ImproperlyConfigured(msg)
    return level


def _truth(env: environ.Env, name: str) -> bool:
    text = str(env.str(name, default="0")).strip().lower()
    if text not in {"0", "1", "true", "false", "yes", "no", "on", "off", ""}:
        msg = f"{name} must be 1 or 0, not {text!r}."
        raise ImproperlyConfigured(msg)
    return text in {"1", "true", "yes", "on"}


def _texts(env: environ.Env, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(item.strip() for item in env.list(name, default=list(default)) if item.strip())


def _count(env: environ.Env, name: str, default: int) -> int:
    text = str(env.str(name, default=str(default))).strip()
    if not text.isdecimal() or not 1 <= int(text) <= MOST_MOVES:
        msg = f"{name} must be a number from 1 to {MOST_MOVES}, not {text!r}."
        raise ImproperlyConfigured(msg)
    return int(text)


def read() -> Environment:
    """Read the process environment; raise ImproperlyConfigured naming what is wrong."""
    env = environ.Env()
    data = _data_folder(env.str("XENWEB_DATA", default=str(ROOT / "data")))
    secret_key = env.str("XENWEB_SECRET_KEY", default="")
    return Environment(
        debug=_truth(env, "XENWEB_DEBUG"),
        data=data,
        secret_key=secret_key or kept_secret(data / "secret_key", lambda: secrets.token_urlsafe(64)),
        credential_keys=_credential_keys(data / "credential_key"),
        allowed_hosts=_texts(env, "XENWEB_ALLOWED_HOSTS", ("localhost", "127.0.0.1", "[::1]")),
        origins=tuple(_origin(text) for text in _texts(env, "XENWEB_ORIGINS")),
        database_url=env.str("DATABASE_URL", default=f"sqlite:///{data / 'db.sqlite3'}"),
        redis_url=_redis_url(env.str("REDIS_URL", default=f"unix://{data / 'redis.sock'}")),
        simulated=_truth(env, "XENWEB_SIMULATED"),
        libvirt_socket_folders=tuple(Path(text) for text in _texts(env, "XENWEB_LIBVIRT_SOCKET_FOLDERS")),
        frontend_dev_server=_truth(env, "XENWEB_FRONTEND_DEV"),
        log_level=_log_level(env.str("XENWEB_LOG_LEVEL", default="info")),
        moves=(
            _count(env, "XENWEB_MOVES_PER_HOST", 2),
            _count(env, "XENWEB_MOVES_PER_LINK", 2),
            _count(env, "XENWEB_MOVES_IN_ALL", 8),
        ),
        guards_kept=(
            timedelta(hours=_count(env, "XENWEB_GUARD_HOURS_AFTER_SUCCESS", 1)),
            timedelta(hours=_count(env, "XENWEB_GUARD_HOURS_AFTER_FAILURE", 72)),
        ),
    )


ENVIRONMENT = read()
