"""How long the stages of a frame take."""

from __future__ import annotations

import time
from collections.abc import Mapping


class Stopwatch:
    """Times consecutive stages.

    Attributes:
        milliseconds: Stage -> its time.
    """

    def __init__(self, start: float | None = None) -> None:
        """Start now, or at an earlier ``time.perf_counter()``."""
        self.milliseconds: dict[str, float] = {}
        self._start = self._last = time.perf_counter() if start is None else start

    def lap(self, stage: str) -> None:
        """Take the time since the last stage ended as that of ``stage``."""
        now = time.perf_counter()
        self.milliseconds[stage] = (now - self._last) * 1e3
        self._last = now

    def add(self, milliseconds: Mapping[str, float]) -> None:
        """Take the times of stages that were timed elsewhere and end now."""
        self.milliseconds.update(milliseconds)
        self._last = time.perf_counter()

    def whole(self, stage: str) -> None:
        """Take the time since the start as that of ``stage``."""
        self.milliseconds[stage] = (time.perf_counter() - self._start) * 1e3
