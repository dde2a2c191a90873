"""A lab for tests that need real hosts: import ``lab`` into a conftest, or name it in ``pytest_plugins``.

One lab serves a whole test session. A test leaves hosts powered, linked and without limits, as it found them.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xenweb.lab.errors import LabUnavailableError
from xenweb.lab.qemu.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Give a lab that is up, in a folder of its own; skip with its sentence where the machine cannot have one."""
    folder = Path(tempfile.mkdtemp(prefix="xw-test-", dir="/tmp"))
    lab = Lab(folder)
    try:
        lab.up()
        yield lab
    except LabUnavailableError as missing:
        pytest.skip(str(missing))
    finally:
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)
