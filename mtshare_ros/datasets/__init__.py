"""Offline: data sets that networks are trained and evaluated on."""
