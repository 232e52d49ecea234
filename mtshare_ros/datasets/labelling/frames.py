"""Frames of a recording that are worth a label: sharp ones that differ from each other."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL = (16, 12)
"""Width and height at which frames are compared."""
LEAST_SHARPNESS = 0.4
"""Share of the recording's median sharpness below which a frame counts as blurred."""


def thumbnail(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], float]:
    """Return the pixels of a small copy of an image (H, W, 3), (576,), and its sharpness.

    Sharpness is the standard deviation of the Laplacian, divided by that of the image so that
    contrast does not matter.
    """
    small = cv2.resize(rgb, THUMBNAIL, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)
    sharpness = float(cv2.Laplacian(grey, cv2.CV_32F).std() / (grey.std() + 1e-3))
    return np.asarray(small, np.float32).ravel(), sharpness


def choose(
    looks: Sequence[NDArray[np.float32]], sharpness: Sequence[float], count: int
) -> list[int]:
    """Return up to ``count`` frame numbers in order, as different from each other as can be.

    Farthest-first traversal (Gonzalez, "Clustering to minimize the maximum intercluster
    distance", 1985): the next frame is the one that is farthest from all chosen ones. It stops
    when every other frame equals a chosen one.

    Args:
        looks: Pixels of each frame's small copy, see ``thumbnail``.
        sharpness: Sharpness of each frame.
        count: Largest number of frames to choose.
    """
    if not looks:
        return []
    points = np.stack(looks)
    sharp = np.asarray(sharpness) >= LEAST_SHARPNESS * float(np.median(sharpness))
    first = int(np.flatnonzero(sharp)[0])
    chosen = [first]
    distance = np.where(sharp, np.square(points - points[first]).mean(1), -1.0)
    while len(chosen) < count and distance.max() > 0:
        farthest = int(distance.argmax())
        chosen.append(farthest)
        distance = np.minimum(distance, np.square(points - points[farthest]).mean(1))
    return sorted(chosen)
