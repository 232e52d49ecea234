"""Depth in a report: kept as levels while the run goes on, coloured when its range is known.

All frames share one range, so that a colour means the same distance in each of them. The range is
that of the frames that are shown, so that their colours differ. The colour map is viridis, yellow
near and violet far, which colour-blind readers can read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.evaluation.pictures.map_pictures import Picture

NEAREST, FARTHEST = 0.05, 500.0
"""Metres between which depth is kept; 254 steps of 3.7 %, logarithmic as errors of depth are."""

LARGEST_RATIO = 40.0
"""Largest ratio of the farthest to the nearest distance that the colours tell apart."""

Levels = NDArray[np.uint8]
"""(H, W) uint8: 0 invalid, 1 at ``NEAREST`` to 255 at ``FARTHEST``."""


def to_levels(depth: NDArray[np.floating]) -> Levels:
    """Return depth (H, W) in metres, not finite or not positive where invalid, as levels."""
    valid = np.isfinite(depth) & (depth > 0)
    share = np.log(np.where(valid, depth, 1) / NEAREST) / np.log(FARTHEST / NEAREST)
    return np.where(valid, 1 + np.rint(254 * np.clip(share, 0, 1)), 0).astype(np.uint8)


def to_metres(level: float) -> float:
    """Return the depth of a level."""
    return float(NEAREST * (FARTHEST / NEAREST) ** ((level - 1) / 254))


@dataclass(frozen=True)
class DepthColours:
    """The colours of levels.

    Attributes:
        near: Level that is yellow.
        far: Level that is violet.
    """

    near: float
    far: float

    def picture(self, levels: Levels) -> Picture:
        """Return levels (H, W) in colours; invalid is black."""
        share = (self.far - levels.astype(np.float32)) / (self.far - self.near)
        grey = np.rint(255 * np.clip(share, 0, 1)).astype(np.uint8)
        bgr = cv2.applyColorMap(grey, cv2.COLORMAP_VIRIDIS)
        picture = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        picture[levels == 0] = 0
        return picture

    def ticks(self) -> list[tuple[float, str]]:
        """Return the places of some distances on the scale, in percent from the near end."""
        near, far = to_metres(self.near), to_metres(self.far)
        round_metres = [m * 10.0**e for e in (-2, -1, 0, 1, 2) for m in (1, 2, 3, 5)]
        inside = [m for m in round_metres if near <= m <= far]
        return [(100 * np.log(m / near) / np.log(far / near), f"{m:g} m") for m in inside]


def colours_of(shown: Iterable[Levels]) -> DepthColours:
    """Return the colours for maps that a report shows: from their 1st to their 99th percentile."""
    counts = np.zeros(256, np.int64)
    for levels in shown:
        counts += np.bincount(levels.ravel(), minlength=256)
    counts[0] = 0
    if not counts.any():
        return DepthColours(1, 255)
    upto = np.cumsum(counts)
    low, high = (int(np.searchsorted(upto, share * upto[-1])) for share in (0.01, 0.99))
    widest = 254 * np.log(LARGEST_RATIO) / np.log(FARTHEST / NEAREST)
    # Four levels beyond at both ends, so that the range is never empty.
    return DepthColours(max(low - 4.0, high + 4.0 - widest, 1.0), high + 4.0)
