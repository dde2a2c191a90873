"""Append-only, chained records of what was asked, refused, done and by whom."""
