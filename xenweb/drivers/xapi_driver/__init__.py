"""XenServer and XCP-ng through the XenAPI; the only place of the product that speaks it to real pools."""

from xenweb.drivers.contract import HypervisorDriver


def create() -> HypervisorDriver:
    """Make the driver. It needs no library that the product does not have anyway."""
    from xenweb.drivers.xapi_driver.driver import XapiDriver

    return XapiDriver()
