"""Figures of every frame of a run, in memory that does not grow with the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CAPACITY = 1000
"""Most entries of a series: more than a curve on the page has pixels."""


class Series:
    """Named figures over the frames; neighbouring frames share an entry once there are many.

    An entry is the mean over ``frames_per_entry`` frames, 1 at first; when ``CAPACITY`` entries
    are full, each pair of neighbours becomes one entry. A frame that lacks a figure is left out
    of that figure's mean.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Start empty, for ``capacity`` entries: an even number."""
        self.frames = 0
        self.frames_per_entry = 1
        self._capacity = capacity
        self._sums: dict[str, NDArray[np.float64]] = {}

    def add(self, figures: Mapping[str, float]) -> None:
        """Add the next frame."""
        if self.frames == self._capacity * self.frames_per_entry:
            self._halve()
        entry = self.frames // self.frames_per_entry
        for name, value in figures.items():
            if name not in self._sums:
                # Sum, and how many frames had the figure.
                self._sums[name] = np.zeros((2, self._capacity))
            self._sums[name][:, entry] += (value, 1)
        self.frames += 1

    def _halve(self) -> None:
        self.frames_per_entry *= 2
        for sums in self._sums.values():
            pairs = sums.reshape(2, -1, 2).sum(-1)
            sums[:] = 0
            sums[:, : pairs.shape[1]] = pairs

    def __contains__(self, name: str) -> bool:
        """Return whether any frame had a figure."""
        return name in self._sums

    @property
    def names(self) -> list[str]:
        """Names of all figures, in the order in which they came."""
        return list(self._sums)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Number of the first frame of each entry, (entries,)."""
        return np.arange(0, self.frames, self.frames_per_entry)

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a figure, (entries,); NaN where no frame of an entry had it."""
        entries = len(self.starts)
        if name not in self._sums:
            return np.full(entries, np.nan)
        total, count = self._sums[name][:, :entries]
        return np.divide(total, count, out=np.full(entries, np.nan), where=count > 0)

    def shares(self, name: str) -> NDArray[np.float64]:
        """Return a figure, (entries,), where frames without it count 0, so that stages add up."""
        starts = self.starts
        total = self._sums[name][0, : len(starts)] if name in self._sums else np.zeros(len(starts))
        return total / np.minimum(self.frames_per_entry, self.frames - starts)

    def result(self) -> dict[str, Any]:
        """Return ``frames_per_entry`` and ``figures``: name -> list, null where there is none."""
        return {
            "frames_per_entry": self.frames_per_entry,
            "figures": {name: _rounded(self.values(name)) for name in self._sums},
        }


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers of six digits, which is more than any figure here is accurate to."""
    return [None if np.isnan(v) else float(f"{v:.6g}") for v in values]
