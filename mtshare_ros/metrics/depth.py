"""Errors of depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics.accumulator import Additive, same_size


class DepthMetric(Additive):
    """AbsRel, RMSE (metres) and the share of pixels within a factor of 1.25.

    Eigen et al., "Depth map prediction from a single image", 2014. Valid pixels are those whose
    truth is finite and positive. A missing prediction counts as ``max_depth``: leaving it out
    would reward a network for being silent where it is unsure.
    """

    sums = ("pixels", "relative", "squared", "within")

    def __init__(self, max_depth: float) -> None:
        """Start empty; ``max_depth`` in metres."""
        self.max_depth = max_depth
        self.pixels = 0
        self.relative = 0.0
        self.squared = 0.0
        self.within = 0

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) metres, NaN where invalid."""
        same_size(prediction, truth)
        valid = np.isfinite(truth) & (truth > 0)
        true = truth[valid].astype(np.float64)
        guess = prediction[valid].astype(np.float64)
        guess = np.where(np.isfinite(guess) & (guess > 0), guess, self.max_depth)
        error = np.abs(guess - true)
        self.pixels += true.size
        self.relative += float((error / true).sum())
        self.squared += float((error * error).sum())
        self.within += int(np.count_nonzero(np.maximum(guess / true, true / guess) < 1.25))

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return ``abs_rel``, ``rmse`` (metres) and ``delta1`` (0 to 1); every sum is (...,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "abs_rel": state["relative"] / state["pixels"],
                "rmse": np.sqrt(state["squared"] / state["pixels"]),
                "delta1": state["within"] / state["pixels"],
            }
