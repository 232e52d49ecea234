"""Automatic exposure that hunts: now and then the brightness goes to another level."""

from __future__ import annotations

import numpy as np

SHORTEST, LONGEST = 20, 60
"""Frames between two corrections."""

RANGE = 0.45
"""Largest change of the natural logarithm of the exposure."""

FOLLOW = 0.15
"""Share of the way to the new level that each frame goes."""


class Exposure:
    """Factors on the exposure, frame by frame, beginning with 1."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Start at the level that was metered."""
        self._rng = rng
        self._level = self._target = 0.0
        self._left = int(rng.integers(SHORTEST, LONGEST))

    def step(self) -> float:
        """Return the factor of the next frame."""
        self._level += FOLLOW * (self._target - self._level)
        self._left -= 1
        if self._left < 0:
            self._left = int(self._rng.integers(SHORTEST, LONGEST))
            self._target = float(self._rng.uniform(-RANGE, RANGE))
        return float(np.exp(self._level))
