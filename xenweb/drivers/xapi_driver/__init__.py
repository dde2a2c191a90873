"""XenServer and XCP-ng through the XenAPI; the only place of the product that imports XenAPI."""

from xenweb.drivers.contract import DriverUnavailableError, HypervisorDriver


def create() -> HypervisorDriver:
    """Make the driver; raise DriverUnavailableError if the package XenAPI is missing."""
    try:
        from xenweb.drivers.xapi_driver.driver import XapiDriver
    except ImportError as error:
        msg = f"The package XenAPI cannot be used here ({error}); install XenAPI."
        raise DriverUnavailableError(msg) from error
    return XapiDriver()
