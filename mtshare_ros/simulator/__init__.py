"""Simulated rooms: furnished, textured and lit at random from a seed, seen by a robot's camera."""
