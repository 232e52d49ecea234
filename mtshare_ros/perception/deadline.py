"""How many tokens fit into a deadline, from this machine's own times, learned while running.

The time of a stage that computes K rows is close to a line, t(K) = a + b K. Each stage has one of
its own, so that the set of wanted tasks may change from frame to frame. What the lines don't
explain - other processes on the same cores - is a factor on the whole frame. Its peak is
remembered and fades, so that a load that comes and goes is met by the budget of its worst time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

BASE = "base"
"""Stage of the base; each task's stage has the task's name."""

_MEMORY = 0.995
"""Weight of an observation after one more: lines follow the last few hundred frames."""
_SPREAD = 0.01
"""Least standard deviation of K, over all rows, from which a slope can be told."""
_SETTLING = 5
"""Frames before a line is trusted enough to call a frame slow."""
_FADE = 0.998
"""Of the peak factor with each frame: half of it is forgotten in 350 frames."""
_AIM = 0.9
"""Part of the deadline that is aimed at: now and then a frame is slower than any before it."""


class _Line:
    """t = a + b K by least squares, old observations fading; a and b are not negative."""

    def __init__(self, rows: int) -> None:
        self._least_variance = (_SPREAD * rows) ** 2
        self._weight = self._k = self._t = self._kk = self._kt = 0.0
        self.intercept = self.slope = 0.0

    def observe(self, k: int, milliseconds: float) -> None:
        self._weight = _MEMORY * self._weight + 1.0
        self._k = _MEMORY * self._k + k
        self._t = _MEMORY * self._t + milliseconds
        self._kk = _MEMORY * self._kk + k * k
        self._kt = _MEMORY * self._kt + k * milliseconds
        mean_k, mean_t = self._k / self._weight, self._t / self._weight
        variance = self._kk / self._weight - mean_k**2
        if variance > self._least_variance:
            covariance = self._kt / self._weight - mean_k * mean_t
            self.slope = max(0.0, covariance / variance)
        elif not self.slope:
            self.slope = mean_t / max(mean_k, 1.0)
        self.slope = min(self.slope, mean_t / max(mean_k, 1e-9))
        self.intercept = mean_t - self.slope * mean_k

    def at(self, k: float) -> float:
        return self.intercept + self.slope * k


class FrameTime:
    """Learns the time of a frame and says how many tokens a deadline has room for."""

    def __init__(self, rows: int) -> None:
        """Know nothing yet about an engine with ``rows`` token rows."""
        self._rows = rows
        self._lines: dict[str, _Line] = {}
        self._rest = _Line(rows)
        self._factor = 1.0
        self._frames = 0

    def observe(self, rows: Mapping[str, int], milliseconds: Mapping[str, float]) -> None:
        """Learn from a frame.

        Args:
            rows: Stage (``BASE`` and the wanted tasks) -> rows that it computed.
            milliseconds: Stage -> time, and ``total`` of the whole frame.
        """
        self._frames += 1
        if self._frames > _SETTLING:
            slower = milliseconds["total"] / max(self.expected(rows), 1e-9)
            self._factor = max(1.0, _FADE * self._factor, slower)
        for stage, k in rows.items():
            self._lines.setdefault(stage, _Line(self._rows)).observe(k, milliseconds[stage])
        staged = sum(milliseconds[stage] for stage in rows)
        self._rest.observe(0, milliseconds["total"] - staged)

    def expected(self, rows: Mapping[str, int]) -> float:
        """Return the time of a frame in milliseconds, as the lines have it."""
        lines = {stage: self._lines.get(stage) for stage in rows}
        return self._rest.at(0) + sum(
            line.at(rows[stage]) for stage, line in lines.items() if line is not None
        )

    def tokens(
        self, deadline_ms: float, tasks: Collection[str], pending: Mapping[str, int]
    ) -> int:
        """Return how many tokens may be recomputed; 0 or less where not one has room.

        Args:
            deadline_ms: Time that the frame has.
            tasks: Tasks that are computed. One that was never observed is taken as free.
            pending: Task -> rows that it computes besides: those it missed before.
        """
        fixed = self.expected({BASE: 0, **{task: pending.get(task, 0) for task in tasks}})
        stages = [self._lines[name] for name in (BASE, *tasks) if name in self._lines]
        each = sum(line.slope for line in stages)
        room = _AIM * deadline_ms / self._factor - fixed
        return int(min(room / each, self._rows)) if each > 0 else self._rows
