"""Data sets of images with files of truth: NYUD-v2, PASCAL-Context, folders of users."""
