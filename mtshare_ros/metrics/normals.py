"""Angles between surface normals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics.accumulator import Additive, same_size

ANGLE_BIN_DEG = 0.005
"""Width of a bin of the angle histogram: the median is exact to half of it."""

_WITHIN = {"within_11": 11.25, "within_22": 22.5, "within_30": 30.0}
"""Metric key -> degrees."""


class NormalsMetric(Additive):
    """Mean and median angle in degrees, and the shares within 11.25, 22.5 and 30 degrees.

    Valid pixels are those whose true normal is finite and not zero. A prediction that is no
    direction counts as 180 degrees.
    """

    sums = ("pixels", "sum", "histogram", "within")

    def __init__(self, bin_deg: float = ANGLE_BIN_DEG) -> None:
        """Start empty; ``bin_deg`` is the width of a bin of the histogram for the median."""
        self.bin_deg = bin_deg
        self.pixels = 0
        self.sum = 0.0
        self.histogram = np.zeros(round(180 / bin_deg), np.int64)
        self.within = np.zeros(len(_WITHIN), np.int64)

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W, 3) directions of any length."""
        same_size(prediction, truth)
        angle = angles_deg(prediction, truth)
        valid = np.isfinite(truth).all(-1) & (truth != 0).any(-1)
        angle = np.nan_to_num(angle[valid], nan=180.0)
        self.pixels += angle.size
        self.sum += float(angle.sum(dtype=np.float64))
        bins = np.minimum(angle / self.bin_deg, self.histogram.size - 1).astype(np.int64)
        self.histogram += np.bincount(bins, minlength=self.histogram.size)
        self.within += [np.count_nonzero(angle < limit) for limit in _WITHIN.values()]

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return ``mean_deg``, ``median_deg`` and ``within_11``, ``_22``, ``_30`` (0 to 1).

        ``histogram`` is (..., bins), ``within`` (..., 3).
        """
        pixels = np.asarray(state["pixels"], np.float64)
        below = np.cumsum(state["histogram"], axis=-1) < pixels[..., None] / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.moveaxis(state["within"] / pixels[..., None], -1, 0)
            return {
                "mean_deg": state["sum"] / pixels,
                "median_deg": (below.sum(-1) + 0.5) * self.bin_deg,
                **dict(zip(_WITHIN, shares, strict=True)),
            }


def angles_deg(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return the angle between directions, (..., 3) each, in degrees; NaN where one has none.

    2 * atan2(|a - b|, |a + b|) on unit vectors: unlike the arc cosine of the dot product it is
    exact for small angles (Kahan, "How futile are mindless assessments of roundoff", 2006).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        u, v = _unit(a), _unit(b)
        half = np.arctan2(_length(u - v), _length(u + v))
    return np.asarray(np.degrees(2.0 * half))


def _unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Return unit vectors with the component as the first axis."""
    # Whole planes: a sum over a last axis of three takes several times as long.
    planes = np.ascontiguousarray(np.moveaxis(vectors, -1, 0), np.float64)
    return np.asarray(planes / _length(planes))


def _length(planes: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y, z = planes
    return np.asarray(np.sqrt(x * x + y * y + z * z))
