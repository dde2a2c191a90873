"""One policy: the verdict on one thing and the rule for a queryset say the same."""

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from xenweb.accounts import services
from xenweb.accounts.errors import NobodyNamedError
from xenweb.accounts.models import RoleBinding, Team
from xenweb.accounts.policy import Action, Actor, Role, decide, may_somewhere, visible_teams
from xenweb.accounts.selectors import actor_for, team_names, user_id_by_name
from xenweb.inventory.models import Pool, VirtualMachine
from xenweb.inventory.selectors import vm_ids_for

TEAMS = st.integers(1, 4)
actors = st.builds(
    Actor,
    user_id=st.just(1),
    username=st.just("ada"),
    name=st.just("Ada"),
    roles=st.frozensets(st.sampled_from(Role)),
    team_ids=st.frozensets(TEAMS),
    team_names=st.just(()),
)


def actor(*roles: Role, teams: tuple[int, ...] = ()) -> Actor:
    return Actor(1, "ada", "Ada", frozenset(roles), frozenset(teams), ())


@given(actors, st.none() | TEAMS)
def test_what_is_visible_as_a_set_is_visible_one_by_one(who: Actor, team: int | None) -> None:
    teams = visible_teams(who)
    in_set = teams is None or team in teams
    assert decide(who, Action.VIEW_VM, team).allowed == in_set
    assert decide(who, Action.READ_HISTORY, team).allowed == in_set


@given(actors, st.none() | TEAMS)
def test_whoever_may_move_a_vm_sees_it(who: Actor, team: int | None) -> None:
    if decide(who, Action.MOVE_VM, team).allowed:
        assert decide(who, Action.VIEW_VM, team).allowed


@given(actors, st.sampled_from(Action), st.none() | TEAMS)
def test_every_verdict_has_a_code_and_a_reason(who: Actor, action: Action, team: int | None) -> None:
    verdict = decide(who, action, team)
    assert verdict.code
    assert verdict.reason
    if verdict.allowed and (team is None or team in who.team_ids):
        assert may_somewhere(who, action)


class TestTheQuerysetAndTheVerdictAgree(TestCase):
    """With real rows: the ids a selector gives are those that decide() allows."""

    @given(who=actors, owners=st.lists(st.none() | TEAMS, max_size=5))
    def test_for_every_vm(self, who: Actor, owners: list[int | None]) -> None:
        pool, _ = Pool.objects.get_or_create(name="lab", driver="simulated")
        for team in range(1, 5):
            Team.objects.get_or_create(pk=team, defaults={"name": f"team {team}"})
        rows = [
            VirtualMachine.objects.create(uuid=f"{number:036}", name="vm", pool=pool, team_id=team)
            for number, team in enumerate(owners)
        ]
        allowed = {row.pk for row in rows if decide(who, Action.VIEW_VM, row.team_id).allowed}
        assert vm_ids_for(who) == allowed


@pytest.mark.parametrize(
    ("who", "action", "team", "expected"),
    [
        (actor(Role.ADMINISTRATOR), Action.MOVE_VM, None, True),
        (actor(Role.ADMINISTRATOR), Action.MANAGE_HOSTS, None, True),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.MOVE_VM, 1, True),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.MOVE_VM, 2, False),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.VIEW_VM, 2, False),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.VIEW_VM, None, False),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.MANAGE_HOSTS, None, False),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.READ_HISTORY, 1, True),
        (actor(Role.TEAM_LEAD, teams=(1,)), Action.READ_HISTORY, None, False),
        (actor(Role.AUDITOR), Action.VIEW_VM, 2, True),
        (actor(Role.AUDITOR), Action.READ_HISTORY, None, True),
        (actor(Role.AUDITOR), Action.MOVE_VM, 2, False),
        (actor(Role.AUDITOR), Action.MANAGE_HOSTS, None, False),
        (actor(), Action.VIEW_VM, None, False),
        (actor(teams=(1,)), Action.VIEW_VM, 1, False),
    ],
)
def test_the_roles_mean_what_they_say(who: Actor, action: Action, team: int | None, expected: bool) -> None:
    assert decide(who, action, team).allowed is expected


@pytest.mark.django_db
def test_seeding_twice_changes_nothing() -> None:
    for _ in range(2):
        user = services.user_create("ada", "first password", "Ada")
        team = services.team_create("Shop")
        services.role_bind("ada", "team_lead", "Shop")
        services.role_bind("ada", "auditor")
    who = actor_for(user)
    assert who is not None
    assert who.roles == {Role.TEAM_LEAD, Role.AUDITOR}
    assert who.team_names == ("Shop",)
    assert RoleBinding.objects.count() == 2
    assert team_names() == {team: "Shop"}
    assert user_id_by_name("ada") == user
    assert user_id_by_name("eve") is None


@pytest.mark.django_db
def test_a_disabled_user_is_nobody() -> None:
    user = services.user_create("ada", "first password")
    services.role_bind("ada", "administrator")
    services.user_disable("ada")
    assert actor_for(user) is None
    assert actor_for(user + 1) is None


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "team"), [("team_lead", None), ("auditor", "Shop"), ("owner", None)])
def test_a_role_that_makes_no_sense_is_refused(role: str, team: str | None) -> None:
    services.user_create("ada", "first password")
    services.team_create("Shop")
    with pytest.raises((IntegrityError, ValueError)), transaction.atomic():
        services.role_bind("ada", role, team)
    assert RoleBinding.objects.count() == 0


@pytest.mark.django_db
def test_a_binding_needs_a_user_and_a_team_that_exist() -> None:
    services.user_create("ada", "first password")
    with pytest.raises(NobodyNamedError):
        services.role_bind("eve", "auditor")
    with pytest.raises(NobodyNamedError):
        services.role_bind("ada", "team_lead", "Nowhere")
    with pytest.raises(NobodyNamedError):
        services.user_disable("eve")
