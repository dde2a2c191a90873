import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bounce.witness import Witness
from tests.chaos.scene import Scene
from xenweb.lab.qemu.guests import GUESTS
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage, free_port


@pytest.fixture(scope="session")
def shared_scene() -> Iterator[Scene]:
    """A whole installation on a lab of its own, with the guests listened to."""
    folder = Path(tempfile.mkdtemp(prefix="xc-", dir="/tmp"))
    stage = Stage(data=folder / "d", lab=folder / "l", port=free_port(), workers=3)
    try:
        stage.start()
        lab = Lab(stage.lab)
        witness = Witness(lab, [guest.name for guest in GUESTS if guest.running])
        witness.start()
        yield Scene(stage, lab, witness)
        witness.stop()
    finally:
        stage.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def scene(shared_scene: Scene) -> Iterator[Scene]:
    """The scene, whole before and after each fault."""
    shared_scene.settle()
    yield shared_scene
    shared_scene.settle()
