"""A small network and a small image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.network.config import NetworkConfig

SMALL = NetworkConfig(width=48, depth=3, heads=3, hidden=96, fine_width=16, size=(128, 96))
"""A network that tests can afford: 48 tokens."""


def coarse_image(seed: int = 0, size: tuple[int, int] = (128, 96)) -> NDArray[np.uint8]:
    """Return a smooth image (H, W, 3) of ``size`` (width, height)."""
    coarse = np.random.default_rng(seed).integers(40, 200, (12, 16, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.uint8)
