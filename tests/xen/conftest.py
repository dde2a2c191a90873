"""One Xen lab for a whole test session. A test leaves machines powered and linked, as it found them."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.windows import browser, signed_in  # noqa: F401 - fixtures
from tests.xen import wholeness
from tests.xen.equipment import HOLDER, Probed, put_holder, wait_until
from xenweb.lab.ports import free_port
from xenweb.lab.smoke import rest
from xenweb.lab.stage import Stage
from xenweb.lab.xen.lab import Lab
from xenweb.lab.xen.layout import HOSTS

IN_TURN = (
    "test_lab",
    "test_contract",
    "test_dirtying",
    "test_moves",
    "test_storage",
    "test_guard_memory",
    "test_product",
)
"""The lab before all that takes guests back in time, and last the product, which puts probes of its own there."""


BOOT_BUDGET = 90
SUITE_BUDGET = 900
"""Seconds that a lab may take to come up, and all tests on it after that; who is over them is told, and not failed."""

TOOK = pytest.StashKey[dict[str, float]]()


def pytest_configure(config: pytest.Config) -> None:
    """Have a place for what took how long."""
    config.stash[TOOK] = {}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how long the lab and the tests on it took, beside what they may."""
    took = config.stash.get(TOOK, {})
    for what, budget in (("lab's boot", BOOT_BUDGET), ("tests on the lab", SUITE_BUDGET)):
        if what in took:
            word = "within" if took[what] <= budget else "OVER"
            terminalreporter.write_line(f"{what}: {took[what]:.0f} s, {word} the {budget} s that it may take")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each module at its place, so that nothing has to be put on the hosts twice."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    is_ours = item.path.parent == Path(__file__).parent and item.path.stem in IN_TURN
    return IN_TURN.index(item.path.stem) if is_ours else -1


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Give a Xen lab that is up, in a folder of its own; who asks for Xen and cannot have it sees a failure."""
    folder = Path(tempfile.mkdtemp(prefix="xx-", dir="/tmp"))
    lab = Lab(folder)
    took = request.config.stash[TOOK]
    began = time.monotonic()
    try:
        lab.up(print)
        took["lab's boot"] = time.monotonic() - began
        yield lab
        took["tests on the lab"] = time.monotonic() - began - took["lab's boot"]
    finally:
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold every test on the lab to the oracle once more when it is over, and give the next one a lab that is whole."""
    yield
    if "lab" in request.fixturenames:
        lab = request.getfixturevalue("lab")
        wrong = wholeness.settled_faults(lab)
        if wrong:
            wholeness.mend(lab)
        assert wrong == []


@pytest.fixture
def xen(lab: Lab) -> Probed:
    """Give the lab with our probes on both hosts; who finds them there and answering puts them there no second time."""
    probed = Probed(lab)
    return probed if probed.is_equipped() else probed.equip()


def _is_reached_by_both(stage: Stage, storage: str) -> bool:
    rows = rest(stage, "GET", "/storage-repositories")["items"]
    return any(row["storage"] == storage and len(row["hosts"]) == len(HOSTS) for row in rows)


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[Stage]:
    """Give a whole installation above the lab that is up."""
    folder = Path(tempfile.mkdtemp(prefix="xy-", dir="/tmp"))
    data, place = folder / "d", lab.layout.folder
    stage = Stage(data=data, lab=place, port=free_port(), kind="xen", probe_settings={"helper": HOLDER})
    try:
        put_holder(lab)
        stage.start()
        wait_until(
            "the board shows what the probes tell of storage", lambda: _is_reached_by_both(stage, "san_block"), 60
        )
        yield stage
    finally:
        stage.stop()
        shutil.rmtree(folder, ignore_errors=True)
