"""What an administrator sets up at the console: pools, whose VMs are whose, and the word for storage."""

from xenweb.accounts.administering import administering
from xenweb.accounts.policy import Action, Actor
from xenweb.accounts.selectors import team_names
from xenweb.audit.services import refusals_recorded
from xenweb.drivers.registry import kinds
from xenweb.inventory.errors import AmbiguousNameError, PoolRefusedError, RepositoryNotFoundError
from xenweb.inventory.models import Pool
from xenweb.inventory.selectors import storage_repositories_for, visible_vms
from xenweb.inventory.services import pool_ensure, repository_vouch, vm_assign_team

LONGEST_NAME = 100


def pool_add(by: Actor, name: str, driver: str) -> None:
    """Make a pool for hosts that one driver speaks with. Raises AccountsForbiddenError or PoolRefusedError."""
    with administering(by, Action.MANAGE_HOSTS, "pool_add", "pool", name, driver=driver):
        if driver not in kinds():
            msg = f"There is no driver called {driver}; there are {', '.join(kinds())}."
            raise PoolRefusedError(msg)
        if not name.strip() or len(name) > LONGEST_NAME or Pool.objects.filter(name=name).exists():
            msg = f"There is a pool {name} already, or that is no name: 1 to {LONGEST_NAME} characters."
            raise PoolRefusedError(msg)
        pool_ensure(name, driver)


def vm_give(by: Actor, vm: str, team: str | None) -> None:
    """Give a VM, by its UUID or its name, to a team or to none.

    Raises AccountsForbiddenError, PoolRefusedError or AmbiguousNameError.
    """
    with administering(by, Action.MANAGE_PEOPLE, "team_give", "vm", vm, team=team):
        ids = {name: number for number, name in team_names().items()}
        if team is not None and team not in ids:
            msg = f"There is no team {team}."
            raise PoolRefusedError(msg)
        uuid = _only([row.uuid for row in visible_vms(by) if vm in {row.uuid, row.name}], f"VM {vm}")
        vm_assign_team(uuid, None if team is None else ids[team])


def storage_vouch(by: Actor, storage: str, *, is_shared: bool) -> None:
    """Vouch for a storage repository by its id or name, or take the word back.

    Raises RepositoryNotFoundError or AmbiguousNameError.
    """
    named = [each for each in storage_repositories_for(by) if storage in {str(each.id), each.name}]
    # A name that storage bore which no host reaches any more means what is reached today.
    found = [str(each.id) for each in named if each.hosts] or [str(each.id) for each in named]
    with refusals_recorded(by.username, "storage_vouch", "storage_repository", storage, "", is_shared=is_shared):
        if not found:
            raise RepositoryNotFoundError
        key = _only(found, f"storage {storage}")
    repository_vouch(by, key, is_shared=is_shared)


def _only(found: list[str], called: str) -> str:
    if len(found) != 1:
        choice = f"these: {', '.join(found)}" if found else "none"
        msg = f"One {called} is needed, there are {choice}."
        raise AmbiguousNameError(msg)
    return found[0]
