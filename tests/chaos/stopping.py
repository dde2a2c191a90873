"""Processes of ours that stand still in the middle of a transaction: ``python -m tests.chaos.stopping ROLE [WORD]``.

Each says on its standard output how far it came, one word a line.
"""

import os
import signal
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

django.setup()

from django.db import Error, connection
from django.utils import timezone

from xenweb.accounts.models import RoleBinding, User
from xenweb.accounts.policy import Role
from xenweb.accounts.selectors import actor_for
from xenweb.audit.models import AuditRecord
from xenweb.core.migration import State
from xenweb.core.quantities import GIB, MIB
from xenweb.drivers.contract import MoveOptions
from xenweb.drivers.simulated_driver import SimulatedDriver
from xenweb.drivers.simulated_driver import reaching as simulated
from xenweb.drivers.simulated_driver.world import SimulatedHost, SimulatedVm, World, write
from xenweb.inventory.models import Host, Pool, VirtualMachine
from xenweb.inventory.selectors import endpoint_of
from xenweb.inventory.sync import HostReading, reading_apply
from xenweb.livemigration import drive, services, transitions
from xenweb.livemigration.models import Migration
from xenweb.realtime.events import HostRemoved
from xenweb.realtime.publish import publish, writing

STOOD_STILL = "the one that stood still"


def say(word: str) -> None:
    print(word, flush=True)


def hold() -> None:
    """Stand still with the writers' turn in hand; once woken, see what is left of it, and write again."""
    try:
        with writing():
            say("held")
            os.kill(os.getpid(), signal.SIGSTOP)
            publish(HostRemoved(host_id=0), public=True)
        say("stored")
    except Error:
        say("lost")
    connection.close()
    put()


def put() -> None:
    """Write once."""
    with writing():
        publish(HostRemoved(host_id=0), public=True)
    say("written")


def ask(folder: str) -> None:
    """Make a small world, and ask for a move that no worker is rung for."""
    path, driver = Path(folder) / "world.json", SimulatedDriver()
    mark, vm_uuid = uuid.uuid4().hex[:8], str(uuid.uuid4())
    names = (f"left-{mark}", f"right-{mark}")
    hosts = {name: SimulatedHost(name, str(uuid.uuid4()), 4 * GIB, {"shared": f"dir:{mark}"}) for name in names}
    write(path, World(hosts, {vm_uuid: SimulatedVm(vm_uuid, "vm", names[0], 128 * MIB, 96 * MIB, 8 * MIB, 0.0)}))
    pool = Pool.objects.create(name=mark, driver="simulated")
    for name in names:
        row = Host.objects.create(pool=pool, name=name, uri=f"simulated://{path}?host={name}")
        reading_apply(row.pk, HostReading(driver.inventory(endpoint_of(row)), timezone.now()))
    services.enqueue = lambda _migration: None
    vm, target = VirtualMachine.objects.get(uuid=vm_uuid), Host.objects.get(name=names[1])
    person = User.objects.create(username=mark)
    RoleBinding.objects.create(user=person, role=Role.ADMINISTRATOR)
    actor = actor_for(person.pk)
    assert actor is not None
    say(services.migration_request(actor, vm=str(vm.pk), target=str(target.pk), options=MoveOptions()).id)


def stop_in(state: str, migration: str) -> None:
    """Drive a move, and stand still inside the transaction that brings it into a state."""
    settled, lent, outside = transitions._settle, simulated.opened, threading.RLock()

    @contextmanager
    def one_at_a_time(*words: Any) -> Iterator[World]:
        with outside, lent(*words) as world:
            yield world

    def standing_still(row: Any, following: State, place: Any) -> None:
        settled(row, following, place)
        if following == state:
            with outside:  # the simulated hypervisor works in this process: it must not stop with the world locked
                say("held")
                os.kill(os.getpid(), signal.SIGSTOP)

    transitions._settle, simulated.opened = standing_still, one_at_a_time
    drive.enqueue = lambda _migration: None
    try:
        drive.drive(migration, owner=STOOD_STILL)
    except Error as error:
        say(f"ended by {type(error).__name__}")
    else:
        say("ended by itself")


def adopt(migration: str) -> None:
    """Take over a move once its lease has run out."""
    while Migration.objects.get(pk=migration).lease_owner == STOOD_STILL:
        drive.adopt(migration, owner="the one that took over")
        time.sleep(0.2)
    say("adopted")


def tell(migration: str) -> None:
    """Say how a move ended, and how many outcomes the history holds."""
    outcomes = AuditRecord.objects.filter(subject_id=migration, action="migration_outcome").count()
    say(f"{Migration.objects.get(pk=migration).state} {'once' if outcomes == 1 else outcomes}")


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    {"hold": hold, "put": put, "ask": ask, "stop_in": stop_in, "adopt": adopt, "tell": tell}[role](*words)
