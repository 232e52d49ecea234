"""The benchmark: what a frame costs, against every other way to compute the same tasks."""
