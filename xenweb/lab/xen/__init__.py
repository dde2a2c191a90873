"""An embedded data centre of two nested real Xen hosts and a machine for their storage."""
