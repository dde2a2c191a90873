"""One process of simulated pools for all tests; each test finds the world as it was made."""

from collections.abc import Iterator

import pytest

from tests.xapi.process import Pools, pools_running, prefix_of_this_process


@pytest.fixture(scope="session")
def xapi_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pools]:
    with pools_running(tmp_path_factory.mktemp("x"), prefix_of_this_process(0)) as running:
        yield running


@pytest.fixture
def xapi(xapi_process: Pools, monkeypatch: pytest.MonkeyPatch) -> Pools:
    monkeypatch.setenv("XENWEB_XAPI_LAB", "1")
    xapi_process.do("reset")
    return Pools(xapi_process.folder, xapi_process.do("about"))
