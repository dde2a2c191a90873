"""QEMU/KVM and Xen through libvirt; the only place of the product that imports libvirt."""

from xenweb.drivers.contract import DriverUnavailableError, HypervisorDriver


def create() -> HypervisorDriver:
    """Make the driver; raise DriverUnavailableError if libvirt's Python binding is missing."""
    try:
        from xenweb.drivers.libvirt_driver.driver import LibvirtDriver
    except ImportError as error:
        msg = f"The Python binding of libvirt cannot be used here ({error}); install libvirt-python."
        raise DriverUnavailableError(msg) from error
    return LibvirtDriver()
