from pathlib import Path

import pytest

from tests.contract.rig import LabRig, Rig, SimulatedRig
from tests.lab.fixture import lab  # noqa: F401 - the fixture of the lab


@pytest.fixture(params=["simulated", pytest.param("libvirt", marks=pytest.mark.lab)])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Each driver with its world, one after the other."""
    if request.param == "simulated":
        monkeypatch.setenv("XENWEB_SIMULATED", "1")
        return SimulatedRig(tmp_path)
    running = request.getfixturevalue("lab")
    monkeypatch.setenv("XENWEB_LIBVIRT_SOCKET_FOLDERS", str(running.layout.folder))
    return LabRig(running)
