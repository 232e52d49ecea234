"""Reuse over time against its baselines: error and time over the frames of a clip."""
