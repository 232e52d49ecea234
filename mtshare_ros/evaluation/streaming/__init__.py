"""Streaming accuracy: what a robot has at each moment, against the truth of that moment."""
