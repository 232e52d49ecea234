"""Where the time goes: percentiles of each stage over all frames, in memory that doesn't grow."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

TOTAL = "total"
"""The stage that is the whole step."""

PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0}

_SMALLEST = 1e-4
"""Milliseconds below which a time counts as 0: the clock does not resolve less."""
_LARGEST = 1e7
"""Milliseconds from which on times share the last bin: nearly three hours."""
PRECISION = 1e-3
"""Width of a bin relative to the times in it: percentiles are exact to half of it."""
_BINS = math.ceil(math.log(_LARGEST / _SMALLEST) / PRECISION)


class Times:
    """The distribution of times in milliseconds; 200 KB, however many are added.

    A histogram with bins of equal width in log(time): mean and maximum are exact, percentiles to
    ``PRECISION / 2``, whatever the order and the number of the times.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.count = 0
        self.sum = 0.0
        self.largest = 0.0
        self._bins: NDArray[np.int64] = np.zeros(_BINS + 1, np.int64)

    def add(self, milliseconds: float) -> None:
        """Add a time; one that is not finite makes the mean so too."""
        self.count += 1
        self.sum += milliseconds
        self.largest = max(self.largest, milliseconds)
        index = 0
        if milliseconds >= _SMALLEST and math.isfinite(milliseconds):
            index = min(1 + int(math.log(milliseconds / _SMALLEST) / PRECISION), _BINS)
        self._bins[index] += 1

    def summary(self) -> dict[str, float]:
        """Return ``mean``, ``p50``, ``p95``, ``p99`` and ``max`` in milliseconds.

        Percentiles are interpolated between the two times next to them, as in NumPy.
        """
        upto = np.cumsum(self._bins)
        percentiles = {}
        for name, percent in PERCENTILES.items():
            rank = percent / 100 * (self.count - 1)
            low, high = (self._at(upto, int(r)) for r in (math.floor(rank), math.ceil(rank)))
            percentiles[name] = min(low + (high - low) * (rank - math.floor(rank)), self.largest)
        return {"mean": self.sum / self.count, **percentiles, "max": self.largest}

    @staticmethod
    def _at(upto: NDArray[np.int64], rank: int) -> float:
        """Return the time of a rank (from 0): the middle of its bin."""
        index = int(np.searchsorted(upto, rank, side="right"))
        return _SMALLEST * math.exp((index - 0.5) * PRECISION) if index else 0.0


class Latency:
    """Milliseconds of each stage over the frames that had it."""

    def __init__(self) -> None:
        """Start empty."""
        self.stages: dict[str, Times] = {}

    def update(self, milliseconds: Mapping[str, float]) -> None:
        """Add one frame: stage -> milliseconds."""
        for stage, value in milliseconds.items():
            self.stages.setdefault(stage, Times()).add(float(value))

    def result(self) -> dict[str, dict[str, float]]:
        """Return ``{stage: {mean, p50, p95, p99, max}}`` in milliseconds."""
        return {stage: times.summary() for stage, times in self.stages.items()}
