"""Hosts taken out of service: their VMs moved away by plan, and back again."""
