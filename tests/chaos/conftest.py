from collections.abc import Iterator

import pytest

from tests.bounce.witness import Witness
from tests.chaos import postgres
from tests.chaos.scene import Scene
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import passing_stage


@pytest.fixture(scope="session")
def database() -> Iterator[postgres.Postgres | None]:
    """A real PostgreSQL; None where the machine has none, and the stage keeps its file."""
    programs = postgres.binaries()
    if programs is None:
        yield None
        return
    cluster = postgres.Postgres(programs)
    try:
        cluster.create()
        yield cluster
    finally:
        cluster.remove()


@pytest.fixture(scope="session")
def shared_scene(database: postgres.Postgres | None) -> Iterator[Scene]:
    """A whole installation on a lab of its own, with the guests listened to."""
    url = database.url if database is not None else ""
    with passing_stage("c", workers=3, database_url=url) as stage:
        lab = Lab(stage.lab)
        witness = Witness(lab, [guest.name for guest in GUESTS if guest.running])
        witness.start()
        yield Scene(stage, lab, witness, database)
        witness.stop()


@pytest.fixture
def scene(shared_scene: Scene, record_property: object) -> Iterator[Scene]:
    """The scene, whole before and after each fault; what its oracle says is kept with the test."""
    assert callable(record_property)
    shared_scene.hear = lambda word: record_property("oracle", word)
    shared_scene.settle()
    yield shared_scene
    shared_scene.settle()
    heard = {name: diary.faults for name, diary in shared_scene.witness.diaries.items() if diary.faults}
    for diary in shared_scene.witness.diaries.values():
        diary.faults.clear()  # told once, here
    assert heard == {}, heard
