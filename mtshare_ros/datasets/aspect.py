"""Whether truth can be that of an image, by the sizes of the two."""

from __future__ import annotations

MOST_STRETCHED = 1.1
"""Largest factor between two aspect ratios that rounding explains."""


def have_one_aspect(first: tuple[int, int], second: tuple[int, int]) -> bool:
    """Return whether one size (width, height) can be the other one scaled and rounded.

    Each side of the smaller one may be off by a pixel, and the aspect ratio by a tenth.
    """
    small, large = sorted((first, second), key=lambda size: size[0] * size[1])
    least = max((s - 1) / n for s, n in zip(small, large, strict=True))
    most = min((s + 1) / n for s, n in zip(small, large, strict=True))
    ratio = small[0] * large[1] / (small[1] * large[0])
    return least <= most and 1 / MOST_STRETCHED <= ratio <= MOST_STRETCHED
