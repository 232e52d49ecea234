"""A camera before a flat scene, what a network would say about it, and where it was."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.view import View, view_of

SIZE = (128, 96)
SPEC = InputSpec(*SIZE, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8)
FRAME_NS = 33_333_333
EDGE = 70
"""Where class 1 ends and class 2 begins, in pixels of the first view."""


@lru_cache
def _scene() -> NDArray[np.uint8]:
    coarse = np.random.default_rng(3).integers(40, 200, (6, 20, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (320, SIZE[1]), interpolation=cv2.INTER_CUBIC), np.uint8)


def image(shift: int) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) of the scene, ``shift`` pixels further to the right."""
    return np.ascontiguousarray(_scene()[:, shift : shift + SIZE[0]])


def view(shift: int, frame: int, focal_length: float | None = None) -> View:
    """Return the view of that image, of a frame number."""
    return view_of(image(shift), frame * FRAME_NS, SPEC, focal_length)


def labels(shift: int) -> NDArray[np.uint8]:
    """Return the classes in that image."""
    right = np.arange(SIZE[0])[None].repeat(SIZE[1], 0) >= EDGE - shift
    return np.where(right, 2, 1).astype(np.uint8)


def predictions(
    shift: int, frame: int, *tasks: str, metres: float = 2.0, sure: int = 200
) -> Predictions:
    """Return what a network says about an image: a wall, straight ahead, of two classes.

    Args:
        shift: Of the image.
        frame: Its number.
        tasks: The tasks; all three by default.
        metres: How far the wall is.
        sure: Confidence of the classes.
    """
    wall = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
    wall[..., 2] = -1.0
    maps = {
        "normals": wall,
        "depth": np.full(SIZE[::-1], metres, np.float32),
        "segmentation": labels(shift),
    }
    maps = {name: maps[name] for name in tasks or maps}
    confidence = {}
    if "segmentation" in maps:
        confidence["segmentation"] = np.full(SIZE[::-1], sure, np.uint8)
    dirty = np.ones(SPEC.grid, np.bool_)
    return Predictions(frame * FRAME_NS, maps, confidence, dirty, None, {"total": 1.0})
