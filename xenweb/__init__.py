"""A web GUI that moves running VMs from host to host, and proves it."""

__version__ = "0.1.0"
