"""Pre-copy: the passes seen of a move, the rules by which hypervisors end them, and the forecast."""
