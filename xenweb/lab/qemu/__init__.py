"""Three real libvirt hosts with real QEMU guests on one machine, started by one command, without root."""
