"""Pools, hosts, storage, networks, VMs and disks: what the hypervisors last said."""
