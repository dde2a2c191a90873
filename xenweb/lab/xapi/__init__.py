"""Two simulated XAPI pools that speak the real protocol: for tests, and for boards without a XenServer."""
