"""Data sets of images with files of truth: NYUD-v2, PASCAL-Context, a folder of one's own."""
