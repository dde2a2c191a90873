"""Every test of this folder may use the lab."""

from tests.lab.fixture import lab

__all__ = ["lab"]
