"""A small training set, really rendered."""

ROOMS = 11
"""Two shards, the second one short."""
SIZE = (48, 36)
