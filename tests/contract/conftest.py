from pathlib import Path

import pytest

from tests.contract.rig import LabRig, Rig, SimulatedRig
from tests.contract.xapi_rig import XapiRig
from tests.lab.fixture import lab  # noqa: F401 - the fixture of the lab
from tests.xapi.fixture import xapi, xapi_process  # noqa: F401 - the fixtures of the simulated pools


@pytest.fixture(params=["simulated", "xapi", pytest.param("libvirt", marks=pytest.mark.lab)])
def rig(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Each driver with its world, one after the other."""
    if request.param == "simulated":
        monkeypatch.setenv("XENWEB_SIMULATED", "1")
        return SimulatedRig(tmp_path)
    if request.param == "xapi":
        return XapiRig(request.getfixturevalue("xapi"))
    running = request.getfixturevalue("lab")
    monkeypatch.setenv("XENWEB_LIBVIRT_SOCKET_FOLDERS", str(running.layout.folder))
    return LabRig(running)
