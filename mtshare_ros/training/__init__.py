"""Offline: training stages, losses and the loop."""
