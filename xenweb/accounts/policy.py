"""The one policy: REST, WebSocket and worker ask here, and nowhere else.

``decide`` gives a verdict with its reason for one thing; ``visible_teams`` gives
the same rule as a set, for a queryset. A test holds the two together.
"""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is to the house."""

    ADMINISTRATOR = "administrator"
    TEAM_LEAD = "team_lead"
    AUDITOR = "auditor"


class Action(StrEnum):
    """What can be asked for. VM actions and history are about one team's things."""

    VIEW_VM = "view_vm"
    MOVE_VM = "move_vm"
    OVERRIDE_FINDING = "override_finding"
    READ_HISTORY = "read_history"
    REMOVE_DISK = "remove_disk"
    CLOSE_MOVE = "close_move"
    MANAGE_HOSTS = "manage_hosts"
    MANAGE_PEOPLE = "manage_people"
    VOUCH_STORAGE = "vouch_storage"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person with what they may do. ``team_ids`` are the teams they lead."""

    user_id: int
    username: str
    name: str
    roles: frozenset[Role]
    team_ids: frozenset[int]
    team_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why."""

    allowed: bool
    code: str
    reason: str


_EVERYWHERE: dict[Action, frozenset[Role]] = {
    Action.VIEW_VM: frozenset({Role.ADMINISTRATOR, Role.AUDITOR}),
    Action.MOVE_VM: frozenset({Role.ADMINISTRATOR}),
    Action.OVERRIDE_FINDING: frozenset({Role.ADMINISTRATOR}),
    Action.READ_HISTORY: frozenset({Role.ADMINISTRATOR, Role.AUDITOR}),
    Action.REMOVE_DISK: frozenset({Role.ADMINISTRATOR}),
    Action.CLOSE_MOVE: frozenset({Role.ADMINISTRATOR}),
    Action.MANAGE_HOSTS: frozenset({Role.ADMINISTRATOR}),
    Action.MANAGE_PEOPLE: frozenset({Role.ADMINISTRATOR}),
    Action.VOUCH_STORAGE: frozenset({Role.ADMINISTRATOR}),
}
_IN_OWN_TEAM = frozenset({Action.VIEW_VM, Action.MOVE_VM, Action.READ_HISTORY, Action.REMOVE_DISK})

_REFUSALS: dict[Action, str] = {
    Action.VIEW_VM: "Only the team's lead, administrators and auditors see this VM.",
    Action.MOVE_VM: "Only the lead of the VM's team and administrators may move it.",
    Action.OVERRIDE_FINDING: "Only administrators may override what forbids a move.",
    Action.READ_HISTORY: "Only the team's lead, administrators and auditors read this history.",
    Action.REMOVE_DISK: "Only the lead of the VM's team and administrators may delete what its moves left behind.",
    Action.CLOSE_MOVE: "Only administrators may close a move without a proof of where the VM runs.",
    Action.MANAGE_HOSTS: "Only administrators may add hosts, remove them or take them out of service.",
    Action.MANAGE_PEOPLE: "Only administrators may change users, roles and teams.",
    Action.VOUCH_STORAGE: "Only administrators may vouch that storage is shared.",
}


def decide(actor: Actor, action: Action, team: int | None = None) -> Decision:
    """Say whether ``actor`` may do ``action`` to a thing of ``team`` (None: of no team)."""
    for role in sorted(actor.roles & _EVERYWHERE[action]):
        return Decision(allowed=True, code=role.value, reason=f"{actor.username} is {role.value.replace('_', ' ')}.")
    if team is not None and action in _IN_OWN_TEAM and _leads(actor, team):
        return Decision(allowed=True, code=Role.TEAM_LEAD.value, reason=f"{actor.username} leads the team.")
    return Decision(allowed=False, code=f"may_not_{action.value}", reason=_REFUSALS[action])


def _leads(actor: Actor, team: int) -> bool:
    return Role.TEAM_LEAD in actor.roles and team in actor.team_ids


def visible_teams(actor: Actor) -> frozenset[int] | None:
    """Name the teams whose VMs and history an actor sees; None is everything, teamless VMs too."""
    if actor.roles & _EVERYWHERE[Action.VIEW_VM]:
        return None
    return actor.team_ids if Role.TEAM_LEAD in actor.roles else frozenset()


def may_somewhere(actor: Actor, action: Action) -> bool:
    """Say whether there is anything at all that ``actor`` may do ``action`` to."""
    return decide(actor, action).allowed or any(decide(actor, action, team).allowed for team in actor.team_ids)
