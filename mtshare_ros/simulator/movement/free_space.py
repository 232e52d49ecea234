"""Where there is room to move: distances to what stands still and to what moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.simulator.layout import Placed, Plan, footprint

GRID = 0.15
"""Spacing of the points among which goals are chosen, metres."""

Array = NDArray[np.float64]

NOBODY: Array = np.empty((0, 3))
"""No discs."""


class FreeSpace:
    """The floor of a room without the things that move.

    Attributes:
        points: ``(n, 2)`` points of a grid over the floor, metres.
        clearances: ``(n,)`` their distances to the nearest thing or wall, metres.
    """

    def __init__(self, plan: Plan, moving: Sequence[Placed]) -> None:
        """Take a floor plan and those of its things that are not obstacles."""
        cleared = [footprint(p.thing, p.pos[0], p.pos[1], p.yaw) for p in moving]
        standing = [b for b in plan.blocked if b not in cleared]
        self._half = np.asarray(plan.half)
        self._low = np.array([b[:2] for b in standing]).reshape(-1, 2)
        self._high = np.array([b[2:] for b in standing]).reshape(-1, 2)
        x, y = (np.arange(-h + GRID, h, GRID) for h in plan.half)
        self.points: Array = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        self.clearances = self.clearance(self.points)

    def clearance(self, points: Array, discs: Array = NOBODY) -> Array:
        """Return how far points are from the nearest obstacle; negative inside one.

        Args:
            points: ``(n, 2)`` metres.
            discs: ``(m, 3)`` centre and radius of what moves, metres.

        Returns:
            ``(n,)`` metres.
        """
        best = (self._half - np.abs(points)).min(axis=1)
        if len(self._low):
            at = points[:, None]
            gap = np.maximum(self._low - at, at - self._high)
            outside = np.linalg.norm(np.maximum(gap, 0.0), axis=-1)
            inside = np.minimum(gap.max(axis=-1), 0.0)
            best = np.minimum(best, (outside + inside).min(axis=1))
        if len(discs):
            away = np.linalg.norm(points[:, None] - discs[:, :2], axis=-1) - discs[:, 2]
            best = np.minimum(best, away.min(axis=1))
        return np.asarray(best)

    def clearance_at(self, at: Array, discs: Array = NOBODY) -> float:
        """Return the distance (m) of one point ``(2,)`` to the nearest obstacle."""
        return float(self.clearance(at[None], discs)[0])

    def push(self, at: Array, discs: Array = NOBODY) -> Array:
        """Return the direction ``(2,)``, of unit length, in which the clearance grows fastest."""
        around = at + 0.01 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
        right, left, up, down = self.clearance(around, discs)
        slope = np.array([right - left, up - down])
        return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-9))
