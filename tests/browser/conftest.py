"""A whole installation on a real lab, and a real browser in front of it."""

from collections.abc import Iterator

import pytest

from tests.browser.windows import browser, signed_in  # noqa: F401 - fixtures
from xenweb.lab.qemu.lab import Lab
from xenweb.lab.stage import Stage, passing_stage


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The whole stack in a temporary folder, on a lab of its own."""
    with passing_stage("b", workers=3) as stage:
        yield stage


@pytest.fixture(scope="session")
def lab(stage: Stage) -> Lab:
    """The lab below the stage, to ask the hypervisors and the guests themselves."""
    return Lab(stage.lab)
