"""The clock of a recording: when images were sent and outputs came, in the time of the bag."""

from __future__ import annotations

import time


class BagClock:
    """The stamp of the first image, and from its turn on what has elapsed, times the rate.

    So an image that is sent at its turn is sent at its stamp, and an output comes so much later as
    it does on a robot; at twice the pace, twice as much. What comes before the first image has
    that image's time.
    """

    def __init__(self, start: int = 0, rate: float = 1.0) -> None:
        """Stand still.

        Args:
            start: Stamp of the first image, in nanoseconds.
            rate: Factor on the recorded pace.
        """
        self._rate = rate
        self._began: tuple[int, float] | None = None
        self._start = max(0, start)

    def begin(self, stamp: int, moment: float) -> None:
        """Run, if it doesn't yet.

        Args:
            stamp: Stamp of the first image, in nanoseconds.
            moment: When it is its turn to be sent, as of ``time.perf_counter``.
        """
        if self._began is None:
            self._began = (stamp, moment)

    def at(self, moment: float | None = None) -> int:
        """Return the time of the bag in nanoseconds, at a ``time.perf_counter`` or now."""
        if self._began is None:
            return self._start
        stamp, began = self._began
        moment = time.perf_counter() if moment is None else moment
        return max(0, stamp + round(1e9 * self._rate * max(0.0, moment - began)))
