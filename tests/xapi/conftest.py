import pytest

from tests.xapi.fixture import xapi, xapi_process  # noqa: F401 - the fixtures of the simulated pools
from xenweb.drivers.xapi_driver.driver import XapiDriver


@pytest.fixture
def driver() -> XapiDriver:
    """A driver that has spoken with nobody yet."""
    return XapiDriver()
