"""A thousand moves over fifty hosts and four workers, in rows and in virtual time."""

import random
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from tests.board import person
from xenweb.accounts.models import Team
from xenweb.accounts.policy import Role
from xenweb.core.migration import State
from xenweb.inventory.models import Host, Pool, VirtualMachine
from xenweb.livemigration import queueing
from xenweb.livemigration.models import Migration
from xenweb.livemigration.queueing import take_turn, tell_places
from xenweb.livemigration.transitions import Lease

MOVES, HOSTS, WORKERS = 1000, 50, 4
LIMITS = (1, 1, WORKERS)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """Rows that wait, and a clock that jumps from one end of a move to the next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dice, self.now = random.Random(7), 0.0
        monkeypatch.setattr(timezone, "now", lambda: BEGAN + timedelta(seconds=self.now))
        actor, pool = person("admin", Role.ADMINISTRATOR), Pool.objects.create(name="p", driver="simulated")
        hosts = [Host.objects.create(pool=pool, name=f"h{n}", uri=f"simulated:{n}") for n in range(HOSTS)]
        teams = [Team.objects.create(name=f"T{n}") for n in range(3)]
        vms = VirtualMachine.objects.bulk_create(
            VirtualMachine(pool=pool, uuid=str(n), name=f"vm-{n}", memory=1, vcpus=1, team=self.dice.choice(teams))
            for n in range(MOVES)
        )
        Migration.objects.bulk_create(self._row(actor.user_id, vm, hosts, n) for n, vm in enumerate(vms))

    def _row(self, user: int, vm: VirtualMachine, hosts: list[Host], number: int) -> Migration:
        # Every tenth move wants the same two hosts: those must neither starve nor hold up the others.
        source, target = hosts[:2] if number % 10 == 0 else self.dice.sample(hosts, 2)
        return Migration(
            id=f"M{number:07}",
            vm=vm,
            vm_uuid=vm.uuid,
            source=source,
            target=target,
            requested_by_id=user,
            state=State.QUEUED,
            requested_at=BEGAN + timedelta(milliseconds=number),
        )

    def run(self) -> dict[str, float]:
        """Let four workers take turns until nothing waits; answer when each move began."""
        running: list[tuple[float, str]] = []
        began: dict[str, float] = {}
        self.busy = 0.0
        while True:
            while len(running) < WORKERS and (lease := take_turn("", f"worker {len(running)}")):
                began[lease.migration] = self.now
                length = self.dice.uniform(5, 15)
                self.busy += length
                running.append((self.now + length, lease.migration))
                hold_limits(lease)
            if not running:
                return began
            running.sort()
            self.now, ended = running.pop(0)
            Migration.objects.filter(pk=ended).update(state=State.DONE, lease_until=None)


def hold_limits(lease: Lease) -> None:
    """Fail if the move that has just begun is one too many anywhere."""
    under_way = Migration.objects.exclude(state__in=[State.QUEUED, State.DONE]).values_list("source_id", "target_id")
    hosts = Counter(host for link in under_way for host in link)
    links = Counter(frozenset(link) for link in under_way)
    assert len(under_way) <= LIMITS[2], lease
    assert max(hosts.values()) <= LIMITS[0], lease
    assert max(links.values()) <= LIMITS[1], lease


def test_a_thousand_moves_end_near_the_bound_within_every_limit_and_nobody_starves(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.XENWEB_MOVES = LIMITS
    world = World(monkeypatch)
    began = world.run()
    assert len(began) == MOVES
    assert not Migration.objects.exclude(state=State.DONE).exists()
    # The limit lets four run at once; the two hosts that every tenth move wants take one at a time.
    assert world.now <= 1.1 * world.busy / LIMITS[2]
    firsts = sorted(began, key=began.__getitem__)[:300]
    teams = Counter(Migration.objects.filter(pk__in=firsts).values_list("vm__team_id", flat=True))
    assert max(teams.values()) - min(teams.values()) <= 30  # of 100 each
    for team in Team.objects.values_list("pk", flat=True):
        wanted = Migration.objects.filter(vm__team_id=team, source__name="h0", target__name="h1")
        hot = [began[pk] for pk in wanted.order_by("requested_at").values_list("pk", flat=True)]
        assert hot == sorted(hot)  # of a team's moves between the same two hosts the oldest always comes first


def test_everybody_in_a_long_queue_is_told_the_place_in_little_time(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.XENWEB_MOVES = LIMITS
    World(monkeypatch)
    told: list[str] = []
    monkeypatch.setattr(queueing, "tell", lambda row: told.append(row.pk))
    clock = time.perf_counter()
    tell_places()
    seconds = time.perf_counter() - clock
    places = Migration.objects.order_by("queue_place").values_list("queue_place", flat=True)
    assert list(places) == list(range(1, MOVES + 1))
    assert len(told) == queueing.TOLD
    assert seconds < 5
