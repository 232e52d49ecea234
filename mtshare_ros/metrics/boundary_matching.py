"""How well predicted boundaries meet the true ones: the counts behind odsF.

The protocol of Martin, Fowlkes and Malik ("Learning to detect natural image boundaries using local
brightness, color, and texture cues", PAMI 2004) with the non-maximum suppression of Dollar and
Zitnick ("Fast edge detection using structured forests", PAMI 2015), as the field's MATLAB code has
it: suppress what is no ridge, cut at 101 thresholds, thin each cut to lines, and match their
pixels one to one with those of the true lines, near ones only.

Three things differ. The MATLAB matching minimises distances with a cost per unmatched pixel that
outweighs every distance, so it also has the largest possible number of pairs, and only that number
counts: here a maximum flow (Dinic) finds it exactly. And predictions next to the border are not
faded out, so that the true lines score 1. And where the mixed derivative is zero its sign counts
as positive: else exactly horizontal ridges would never be suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from mtshare_ros.datasets.lines import Mask, thin

THOUSANDTHS = np.array([1, *range(10, 1000, 10), 999])
"""The thresholds, in thousandths of a probability; a pixel has to be above."""
LEVELS = THOUSANDTHS * 255 // 1000 + 1
"""The same as the smallest 8-bit probability that is above."""
MAX_DISTANCE = 0.011
"""How far a pair may be apart, in image diagonals: NYUD's; PASCAL-Context has 0.0075."""

_BLUR = np.array([1, 2, 3, 4, 5, 4, 3, 2, 1], np.float32) / 25
"""A triangle of radius 4, before the orientation is taken."""
_SLACK = 1.01
"""Factor by which a neighbour has to be larger to suppress: keeps plateaus."""


@dataclass(frozen=True)
class BoundaryCounts:
    """Pixels of one frame.

    Attributes:
        matched: (101,) int64 pairs at each threshold.
        predicted: (101,) int64 pixels of the predicted lines at each threshold.
        actual: Pixels of the true lines.
    """

    matched: NDArray[np.int64]
    predicted: NDArray[np.int64]
    actual: int


def count_boundaries(
    probability: NDArray[np.uint8],
    truth: NDArray[np.float32],
    max_distances: Sequence[float] = (MAX_DISTANCE,),
) -> list[BoundaryCounts]:
    """Return the counts of one frame for each of several tolerances.

    A threshold at which no pixel falls away gives the same lines as the one before, hence the
    same counts; it is not computed again.

    Args:
        probability: (H, W), 0-255.
        truth: (H, W), above 0.5 on a boundary, NaN where predictions are ignored.
        max_distances: Farthest distances of a pair in image diagonals.
    """
    actual = thin(np.nan_to_num(truth) > 0.5)
    ridges = np.where(np.isnan(truth), 0, suppress(probability))
    diagonal = float(np.hypot(*truth.shape))
    matchers = [_Matcher(actual, distance * diagonal) for distance in max_distances]
    above = np.cumsum(np.bincount(ridges.ravel(), minlength=257)[::-1])[::-1][LEVELS]
    matched = np.zeros((len(matchers), len(LEVELS)), np.int64)
    predicted = np.zeros(len(LEVELS), np.int64)
    for index, level in enumerate(LEVELS):
        if index and above[index] == above[index - 1]:
            matched[:, index], predicted[index] = matched[:, index - 1], predicted[index - 1]
        elif above[index]:
            lines = thin(ridges >= level)
            predicted[index] = np.count_nonzero(lines)
            matched[:, index] = [matcher.pairs(lines) for matcher in matchers]
    total = int(np.count_nonzero(actual))
    return [BoundaryCounts(pairs, predicted, total) for pairs in matched]


def suppress(probability: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a probability (H, W) with 0 where it is no maximum across the ridge it lies on.

    A pixel is compared with the bilinear values one pixel away on both sides of the ridge, whose
    direction comes from the second derivatives of the blurred map.
    """
    values = probability.astype(np.float32)
    blurred = cv2.sepFilter2D(values, -1, _BLUR, _BLUR, borderType=cv2.BORDER_REFLECT)
    by_y, by_x = np.gradient(blurred)
    by_xy, by_xx = np.gradient(by_x)
    by_yy = np.gradient(by_y, axis=0)
    across = np.arctan(by_yy * np.where(by_xy > 0, -1, 1) / (by_xx + 1e-5))
    y, x = np.indices(values.shape, np.float32)
    step_x, step_y = np.cos(across).astype(np.float32), np.sin(across).astype(np.float32)
    largest = np.zeros_like(values)
    for side in (-1, 1):
        beside = cv2.remap(
            values,
            x + side * step_x,
            y + side * step_y,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        np.maximum(largest, beside, out=largest)
    return np.where(values * _SLACK >= largest, probability, 0).astype(np.uint8)


class _Matcher:
    """Pairs pixels with those of fixed lines."""

    def __init__(self, lines: Mask, radius: float) -> None:
        """Take lines (H, W) and the farthest distance of a pair in pixels."""
        self._reach = reach = int(radius)
        self._shape = tuple(side + 2 * reach for side in lines.shape)
        dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        near = dy * dy + dx * dx <= radius * radius
        self._offsets = (dy * self._shape[1] + dx)[near]
        self._fixed = self._places(lines)

    def _places(self, lines: Mask) -> NDArray[np.int64]:
        """Return where the pixels are in a flat image with a margin of ``reach``."""
        y, x = np.nonzero(lines)
        return (y + self._reach) * self._shape[1] + x + self._reach

    def pairs(self, lines: Mask) -> int:
        """Return the largest number of pairs with pixels of ``lines`` (H, W)."""
        # The flow starts where there are fewer: a tenth to a half of the time.
        few, many = sorted((self._places(lines), self._fixed), key=len)
        numbers = np.full(self._shape, -1, np.int32).ravel()
        numbers[many] = np.arange(len(many))
        near = numbers[few[:, None] + self._offsets]
        near = near[(near >= 0).any(1)]
        if not len(near):
            return 0
        # A flow of 1 from a source through each of the few, one near pixel of the many and on to
        # a sink: rows of the graph in this order.
        is_near = near >= 0
        ours, sink = len(near), 1 + len(near) + len(many)
        sizes = np.concatenate([[0, ours], is_near.sum(1), np.ones(len(many), np.int64), [0]])
        targets = np.concatenate(
            [1 + np.arange(ours), 1 + ours + near[is_near], np.full(len(many), sink)]
        )
        flows = np.ones(len(targets), np.int32)
        graph = csr_array((flows, targets.astype(np.int32), np.cumsum(sizes, dtype=np.int32)))
        return int(maximum_flow(graph, 0, sink).flow_value)
