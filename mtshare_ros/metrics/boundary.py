"""F-measure of boundaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics.accumulator import Additive, check_probability
from mtshare_ros.metrics.boundary_matching import LEVELS, MAX_DISTANCE, count_boundaries


class BoundaryMetric(Additive):
    """The best F-measure of boundaries at one threshold for the whole set: odsF.

    The counts are those of ``boundary_matching.count_boundaries``.
    """

    sums = ("matched", "predicted", "actual")

    def __init__(self, max_distance: float = MAX_DISTANCE) -> None:
        """Start empty; pixels match up to ``max_distance`` image diagonals apart."""
        self.max_distance = max_distance
        self.matched, self.predicted = np.zeros((2, len(LEVELS)), np.int64)
        self.actual = 0

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) uint8 probability, and (H, W) float truth."""
        check_probability(prediction, truth)
        (counts,) = count_boundaries(prediction, truth, [self.max_distance])
        self.matched = self.matched + counts.matched
        self.predicted = self.predicted + counts.predicted
        self.actual += counts.actual

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return ``ods_f``, 0 to 1; ``matched`` and ``predicted`` are (..., 101)."""
        actual = np.asarray(state["actual"])
        # 2 P R / (P + R) with P = matched / predicted and R = matched / actual.
        with np.errstate(invalid="ignore"):
            f = 2 * state["matched"] / (state["predicted"] + actual[..., None])
        return {"ods_f": np.where(actual > 0, f.max(-1), np.nan)}
