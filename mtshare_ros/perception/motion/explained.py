"""Where the flow explains an image: what was in view of the key frame, and looks as it did."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.motion.flow import Where, pulled
from mtshare_ros.perception.tokens import Cells


def in_view(where: Where, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels were inside a key frame of some width and height, (H, W)."""
    inside = cv2.inRange(where, (-0.5, -0.5), (size[0] - 0.5, size[1] - 0.5))
    return np.asarray(inside > 0)


def explained(
    cells: Cells, key: Cells, where: Where, largest_change: float
) -> NDArray[np.bool_]:
    """Return which cells were in view of the key frame and are what the flow says they were.

    Args:
        cells: Low-passed image of a frame, (h, w, 3).
        key: That of the key frame.
        where: Where in the key frame each pixel of the frame was, at any size.
        largest_change: Grey levels of 255, in the mean of the three colours, that a cell may
            differ from where the flow says it was.

    Returns:
        (h, w).
    """
    height, width = cells.shape[:2]
    scale = np.array([width / where.shape[1], height / where.shape[0]], np.float32)
    # Pixel centres are at half coordinates.
    small = np.asarray(cv2.resize(where, (width, height), interpolation=cv2.INTER_AREA))
    there = ((small + 0.5) * scale - 0.5).astype(np.float32)
    before = pulled(key, there, cv2.INTER_LINEAR)
    change = cv2.transform(cv2.absdiff(cells, before), np.full((1, 3), 1 / 3, np.float32))
    inside = ((there >= -1) & (there <= (width, height))).all(axis=-1)
    return np.asarray(inside & (change <= largest_change))
