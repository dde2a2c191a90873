"""The pure layer: decisions about moves, with no I/O, no clock and no framework."""
