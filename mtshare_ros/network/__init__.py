"""Offline: the transformer, its private units and its heads (torch)."""
