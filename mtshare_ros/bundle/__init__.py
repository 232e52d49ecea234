"""A model on disk: manifest, checks, folder and description."""
