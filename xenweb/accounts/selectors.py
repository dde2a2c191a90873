"""Read people: always fresh, because rights may be gone since the last look."""

from xenweb.accounts.models import RoleBinding, Team, User
from xenweb.accounts.policy import Actor, Role


def actor_for(user_id: int) -> Actor | None:
    """Build the actor of a user, in two queries; None for one disabled or gone."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return None
    bindings = list(RoleBinding.objects.filter(user_id=user_id).select_related("team"))
    led = {binding.team.id: binding.team.name for binding in bindings if binding.team is not None}
    return Actor(
        user_id=user.id,
        username=user.username,
        name=user.get_full_name() or user.username,
        roles=frozenset(Role(binding.role) for binding in bindings),
        team_ids=frozenset(led),
        team_names=tuple(sorted(led.values())),
    )


def team_names() -> dict[int, str]:
    """Map each team's id to its name."""
    return dict(Team.objects.values_list("id", "name"))


def user_id_by_name(username: str) -> int | None:
    """Answer the id of the user so named, or None."""
    return User.objects.filter(username=username).values_list("id", flat=True).first()
