"""How much predictions change where the image does not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.evaluation.outcome import Maps
from mtshare_ros.metrics import disagreement
from mtshare_ros.tasks import Task

WINDOW = 5
"""Side of the squares that the image is averaged over, which takes most of a sensor's noise."""
LARGEST_CHANGE = 2.0
"""Change of the averaged image up to which a pixel is static, in levels of 255."""


class Flicker:
    """The mean change of static pixels from frame to frame, in the units of ``disagreement``.

    A pixel is static if no channel of the averaged image changed by more than ``LARGEST_CHANGE``
    since the frame before. There, predictions should stay as they were. While the camera moves,
    few pixels are static, and those are without texture.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Start empty."""
        self._tasks = tasks
        self._before: tuple[NDArray[np.float32], Maps] | None = None
        self._sums = {task.name: 0.0 for task in tasks}
        self._pixels = 0

    def update(self, rgb: NDArray[np.uint8], maps: Maps) -> None:
        """Add the next frame: an image (H, W, 3) and its maps, of the same size."""
        smooth = np.asarray(cv2.blur(rgb.astype(np.float32), (WINDOW, WINDOW)), np.float32)
        before, self._before = self._before, (smooth, maps)
        if before is None or before[0].shape != smooth.shape:
            return
        static = np.abs(smooth - before[0]).max(-1) <= LARGEST_CHANGE
        count = int(np.count_nonzero(static))
        if not count:
            return
        self._pixels += count
        for task in self._tasks:
            old, new = before[1][task.name][static], maps[task.name][static]
            self._sums[task.name] += count * disagreement(task, new, old)

    def result(self) -> dict[str, float]:
        """Return the mean over all static pixels by task; empty where there was none."""
        if not self._pixels:
            return {}
        return {name: total / self._pixels for name, total in self._sums.items()}
