"""How far two predictions of one frame are apart, whatever the truth is."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics import angles_deg
from mtshare_ros.tasks import PROBABILITY_KINDS, Task

UNITS = {
    "segmentation": "share of pixels of another class",
    "depth": "mean |a - b| / b",
    "normals": "mean angle, degrees",
    **dict.fromkeys(PROBABILITY_KINDS, "mean |p - q|"),
}
"""What a disagreement is, by kind of task."""


def disagreement(task: Task, prediction: NDArray[Any], reference: NDArray[Any]) -> float:
    """Return how far a prediction is from a reference; 0 is equal, the unit is in ``UNITS``.

    Pixels that are invalid in both are left out; depth that is invalid in one of them counts as
    a relative error of 1, a normal as 180 degrees.
    """
    if task.kind == "segmentation":
        return float(np.mean(prediction != reference))
    if task.kind == "depth":
        a, b = prediction.astype(np.float64), reference.astype(np.float64)
        seen = np.isfinite(a) | np.isfinite(b)
        relative = np.nan_to_num(np.abs(a - b)[seen] / b[seen], nan=1.0)
        return float(relative.mean()) if relative.size else 0.0
    if task.kind in PROBABILITY_KINDS:
        return float(cv2.absdiff(prediction, reference).mean() / 255)
    angle = angles_deg(prediction, reference)
    seen = np.isfinite(prediction).all(-1) | np.isfinite(reference).all(-1)
    angle = np.nan_to_num(angle[seen], nan=180.0)
    return float(angle.mean()) if angle.size else 0.0
