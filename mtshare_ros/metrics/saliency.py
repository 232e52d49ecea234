"""F-measure of salient pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics.accumulator import Additive, check_probability

BETA_SQUARED = 0.3
"""Weight of the recall in the F-measure of saliency: precision counts more."""

_COARSE = np.arange(1, 20) * 0.05
"""The thresholds of published code: 0.05, 0.1, ... 0.95; a pixel has to reach one."""
_COARSE_LEVELS = np.ceil(255 * _COARSE - 1e-9).astype(np.int64)
"""The same as the smallest 8-bit probability that reaches it."""
_SIGMOID_LEVELS = np.ceil(255 * np.log(_COARSE / (1 - _COARSE)) - 1e-9).astype(np.int64)
"""The same for the sigmoid of a probability, which is never below 0.5 nor above 0.731."""


class SaliencyMetric(Additive):
    """The best F-measure over 255 thresholds, with beta^2 = 0.3.

    Achanta et al., "Frequency-tuned salient region detection", CVPR 2009. True positives and
    positives are those of the whole set at each threshold; a pixel is positive where its 8-bit
    probability is at least 1, 2, ... 255. The probability is used as it is, not put through a
    second sigmoid as in some published code. Pixels whose truth is NaN are ignored.
    """

    sums = ("hits", "predicted")

    def __init__(self) -> None:
        """Start empty."""
        self.hits = np.zeros(256, np.int64)
        self.predicted = np.zeros(256, np.int64)

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) uint8 probability, and (H, W) float truth."""
        check_probability(prediction, truth)
        valid = ~np.isnan(truth)
        for sums, chosen in ((self.predicted, valid), (self.hits, valid & (truth > 0.5))):
            sums += np.bincount(prediction[chosen], minlength=256)[::-1].cumsum()[::-1]

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return ``max_f``, 0 to 1; NaN while no salient pixel was seen.

        Both sums are (..., 256): pixels at or above each level.
        """
        hits, predicted = state["hits"], state["predicted"]
        best = _f_measure(hits, predicted)[..., 1:].max(-1)
        return {"max_f": np.where(hits[..., 0] > 0, best, np.nan)}

    def legacy(self) -> dict[str, float]:
        """Return the variants of published tables, both over 19 thresholds 0.05 apart.

        Returns:
            ``max_f_coarse`` as ATRC and SAK have it; ``max_f_legacy`` as InvPT, TaskPrompter and
            others, whose code puts the probability through a second sigmoid.
        """
        if not self.hits[0]:
            return {}
        f = _f_measure(self.hits, self.predicted)
        reached = _SIGMOID_LEVELS[_SIGMOID_LEVELS <= 255].clip(min=0)
        return {
            "max_f_coarse": float(f[_COARSE_LEVELS].max()),
            "max_f_legacy": float(f[reached].max()),
        }


def _f_measure(hits: NDArray[Any], predicted: NDArray[Any]) -> NDArray[np.float64]:
    """Return F, (..., 256), of pixels at or above each level: right ones and all."""
    # (1 + b) P R / (b P + R) with P = hits / predicted and R = hits / actual.
    with np.errstate(invalid="ignore"):
        f = (1 + BETA_SQUARED) * hits / (BETA_SQUARED * hits[..., :1] + predicted)
    return np.asarray(f)
