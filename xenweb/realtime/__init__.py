"""Typed, numbered events: published on commit, kept for those who were away."""
