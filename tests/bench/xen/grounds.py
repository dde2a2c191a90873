"""A Xen lab without the product, for what is measured of hypervisors alone."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xenweb.lab.xen.guests import GuestSpec
from xenweb.lab.xen.lab import Lab


@contextmanager
def passing_lab(mark: str, guests: tuple[GuestSpec, ...]) -> Iterator[Lab]:
    """Lend a lab in a temporary folder of a short name; nothing of it is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"x{mark}-", dir="/tmp"))
    lab = Lab(folder / "l", guests)
    try:
        lab.up(lambda line: print(line, flush=True))
        yield lab
    finally:
        lab.down()
        shutil.rmtree(folder, ignore_errors=True)
