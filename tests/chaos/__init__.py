"""Faults on purpose, on real hypervisors and on the simulated ones, each with what must come of it."""
