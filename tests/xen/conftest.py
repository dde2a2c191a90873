"""One Xen lab for a whole test session. A test leaves machines powered and linked, as it found them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenweb.lab.xen.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Give a Xen lab that is up, in a folder of its own; who asks for Xen and cannot have it sees a failure."""
    folder = Path(tempfile.mkdtemp(prefix="xx-", dir="/tmp"))
    lab = Lab(folder)
    try:
        lab.up(print)
        yield lab
    finally:
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)
