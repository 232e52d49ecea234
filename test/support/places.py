"""An image whose every map says where its pixels are."""

from __future__ import annotations

from typing import Any

import numpy as np

from mtshare_ros.datasets.image_sets.vocabularies import NYUD_TASKS


class Places:
    """One image whose every map says where its pixels are: column in it, row / 100 after it."""

    tasks = NYUD_TASKS

    def __init__(self, size: tuple[int, int] = (80, 48)) -> None:
        """Make an image of ``size`` (width, height)."""
        x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        normals = np.stack([np.sin(x / 100), np.zeros_like(x), -np.cos(x / 100)], -1)
        self.sample = {
            "rgb": np.stack([x, y, np.full_like(x, 7)], -1).astype(np.uint8),
            "segmentation": (x // 2).astype(np.uint8),
            "depth": (x + 1 + y / 100).astype(np.float32),
            "normals": normals.astype(np.float32),
            "boundary": (x % 2).astype(np.float32),
        }

    def __len__(self) -> int:
        """Return 1."""
        return 1

    def stored(self, index: int) -> dict[str, Any]:
        """Return the image."""
        return self.sample
