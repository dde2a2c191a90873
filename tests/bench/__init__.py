"""Benchmarks: ratios within one run, the alternatives interleaved, raw samples kept."""
