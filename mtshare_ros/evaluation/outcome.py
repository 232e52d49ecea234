"""What a frame gave, and the truth about it, by task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.derived import DERIVED
from mtshare_ros.tasks import KINDS, Task

Maps = Mapping[str, NDArray[Any]]
"""Task -> decoded map."""


def truths_of(frame: Any, tasks: Collection[Task]) -> Maps:
    """Return the truth that a frame of a clip or of stills has, or that follows from it."""
    truths = {}
    for task in tasks:
        # A frame of a bag has no field for the truth of a kind that bags do not hold.
        array = getattr(frame, KINDS[task.kind].truth, None)
        if array is not None:
            truths[task.name] = DERIVED.get(task.kind, np.asarray)(array)
    return truths


@dataclass(frozen=True)
class Outcome:
    """What one frame gave.

    Attributes:
        rgb: (H, W, 3) uint8.
        predictions: Task -> map.
        truths: Task -> map; a task without ground truth is missing.
        dirty: (rows, columns) bool, the recomputed tokens; None if unknown.
        milliseconds: Stage -> time; None if unknown, as of a recorded bag.
        reference: The maps of the dense network, or None if it was not run.
        label: What to call the frame besides its number: a time, or a file's name.
    """

    rgb: NDArray[np.uint8]
    predictions: Maps
    truths: Maps
    dirty: NDArray[np.bool_] | None = None
    milliseconds: Mapping[str, float] | None = None
    reference: Maps | None = None
    label: str = ""

    @property
    def dirty_fraction(self) -> float:
        """Share of the tokens that were recomputed; 1 if unknown."""
        return 1.0 if self.dirty is None else float(self.dirty.mean())


def to_size(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return a map at another height and width, nearest neighbour.

    Nearest, because a mean of two class ids, or of the depths on both sides of an edge, is a
    value that the network never gave.
    """
    if array.shape[:2] == shape:
        return array
    height, width = shape
    return np.asarray(cv2.resize(array, (width, height), interpolation=cv2.INTER_NEAREST_EXACT))


def time_label(nanoseconds: int) -> str:
    """Return a time since the first frame as a label."""
    return f"{nanoseconds / 1e9:.2f} s"
