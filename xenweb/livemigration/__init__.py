"""Moves: asked for, judged, driven, watched, proven, and kept."""
