"""What the screens are told of the person who looks at them."""

from xenweb.accounts.policy import Action, Actor, Role, may_somewhere
from xenweb.realtime.wire import ActorWire


def actor_wire(actor: Actor) -> ActorWire:
    """Shape an actor; ``role`` is the weightiest of the roles, empty for none."""
    return ActorWire(
        username=actor.username,
        name=actor.name,
        role=next((role.value for role in Role if role in actor.roles), ""),
        teams=list(actor.team_names),
        may_move=may_somewhere(actor, Action.MOVE_VM),
        may_read_history=may_somewhere(actor, Action.READ_HISTORY),
        may_manage_hosts=may_somewhere(actor, Action.MANAGE_HOSTS),
        may_vouch_storage=may_somewhere(actor, Action.VOUCH_STORAGE),
    )
