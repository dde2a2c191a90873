"""Fill an empty installation with a small company: people, teams, and the lab's hosts.

Seeding twice changes nothing. Passwords are drawn once and kept in a file that
only its owner can read; nothing else knows them.
"""

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.utils import timezone

from xenweb.accounts import services as accounts
from xenweb.accounts.policy import Actor, Role
from xenweb.accounts.selectors import actor_for
from xenweb.drivers.registry import driver_for
from xenweb.inventory.errors import HostExistsError
from xenweb.inventory.selectors import storage_repositories_for, watched_endpoints
from xenweb.inventory.services import HostAddress, host_add, pool_ensure, repository_vouch, vm_assign_team
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.lab.xapi.beside import LABEL

POOL = "lab"
SHARED = "shared"
FOLDER = "dir"
"""A kind of storage that no hypervisor can tell to be shared: somebody must vouch for it."""


TEAMS = {
    "Shop": ("shop-db", "web-1", "web-2", "cache-1", "mail-2", "san-1"),
    "Data": ("hot-db", "big-etl", "ledger", "busy-1"),
    "Platform": ("ldap-1", "dns-1", "dns-2", "git-1", "wiki", "build-7", "old-wiki"),
}

PEOPLE: tuple[tuple[str, str, Role, str | None], ...] = (
    ("admin", "Ada Administrator", Role.ADMINISTRATOR, None),
    ("lead-shop", "Sam, lead of Shop", Role.TEAM_LEAD, "Shop"),
    ("lead-data", "Dana, lead of Data", Role.TEAM_LEAD, "Data"),
    ("auditor", "Olu Auditor", Role.AUDITOR, None),
)


@dataclass(frozen=True, slots=True)
class SeedHost:
    """One host to put on the board."""

    uri: str
    migration_address: str = ""
    credential: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How one person of the small company signs in."""

    username: str
    password: str
    role: str


def people_seed(keep: Path) -> list[SignIn]:
    """Make the teams and one person per role; answer how they sign in."""
    passwords: dict[str, str] = json.loads(keep.read_text()) if keep.exists() else {}
    for team in TEAMS:
        accounts.team_create(team)
    for username, name, role, led in PEOPLE:
        password = passwords.setdefault(username, secrets.token_urlsafe(9))
        accounts.user_create(username, password, name)
        accounts.role_bind(username, role, led)
    keep.touch(mode=0o600)
    keep.write_text(json.dumps(passwords))
    return [SignIn(username, passwords[username], role.value) for username, _, role, _ in PEOPLE]


def administrator() -> Actor:
    """Answer the small company's administrator."""
    actor = actor_for(accounts.user_create("admin", "", ""))
    if actor is None:
        msg = "The administrator of the small company is disabled."
        raise RuntimeError(msg)
    return actor


def hosts_seed(driver: str, hosts: Iterable[SeedHost], pool: str = POOL) -> None:
    """Put the hosts on the board, look at each once, and give the VMs to their teams."""
    pool_ensure(pool, driver)
    for host in hosts:
        try:
            host_add(
                administrator(),
                pool=pool,
                where=HostAddress(uri=host.uri),
                migration_address=host.migration_address,
                credential=host.credential,
            )
        except HostExistsError:
            continue
    found: dict[str, str] = {}
    for endpoint, kind in watched_endpoints().items():
        taken_at = timezone.now()
        snapshot = driver_for(kind).inventory(endpoint)
        reading_apply(endpoint.host, HostReading(snapshot, taken_at))
        found |= {vm.name: vm.uuid for vm in snapshot.vms}
    for team, names in TEAMS.items():
        team_id = accounts.team_create(team)
        for name in (*names, *(f"{LABEL}-{name}" for name in names)):
            if name in found:
                vm_assign_team(found[name], team_id)
    for repository in storage_repositories_for(administrator()):
        if repository.name == SHARED and repository.kind == FOLDER:
            repository_vouch(administrator(), str(repository.id), is_shared=True)
