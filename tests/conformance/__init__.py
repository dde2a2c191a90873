"""Hold the simulated pool against the published data model of the XenAPI."""
