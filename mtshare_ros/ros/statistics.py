"""What happened to the frames and how long it took, from the worker to the diagnostics."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

COUNTS = ("received", "processed", "skipped", "dropped", "rejected", "failed")
"""Fates of a frame: each received frame ends as one of the others, or is still on its way."""
WINDOW = 300
"""Frames over which percentiles and means are taken."""
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Summary:
    """Statistics at one moment.

    Attributes:
        counts: Fate -> number of frames since the node was configured.
        fps: Frames processed per second since the last summary.
        milliseconds: Stage -> percentile -> time, over the last ``WINDOW`` frames.
        dirty_fraction: Mean part of the tokens that were recomputed; None before the first frame.
        received_fps: Frames received per second since the last summary.
        resets: Frames before which the cache was dropped, since the node was configured.
        last_reset: Why it was dropped the last time, or None.
        reasons: Fate -> why the last frame had it, where that is known.
        carried_fraction: Part of the last ``WINDOW`` frames that was carried along, not computed.
    """

    counts: dict[str, int]
    fps: float
    milliseconds: dict[str, dict[int, float]]
    dirty_fraction: float | None
    received_fps: float = 0.0
    resets: int = 0
    last_reset: str | None = None
    carried_fraction: float = 0.0
    reasons: Mapping[str, str] = field(default_factory=dict)


class Statistics:
    """Counts and times; may be used from several threads."""

    def __init__(self) -> None:
        """Start from zero."""
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(COUNTS, 0)
        self._reasons: dict[str, str] = {}
        self._frames: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self._dirty: deque[float] = deque(maxlen=WINDOW)
        self._carried: deque[bool] = deque(maxlen=WINDOW)
        self._resets = 0
        self._last_reset: str | None = None
        self._summarised = (time.monotonic(), 0, 0)

    def count(self, fate: str, reason: str | None = None) -> None:
        """Count a frame with one of the fates in ``COUNTS``, and keep why it had that."""
        with self._lock:
            self._counts[fate] += 1
            if reason is not None:
                self._reasons[fate] = reason

    def processed(
        self,
        milliseconds: Mapping[str, float],
        dirty_fraction: float,
        reset: str | None = None,
        *,
        carried: bool = False,
    ) -> None:
        """Count a frame that was published.

        Args:
            milliseconds: Stage -> its time.
            dirty_fraction: Part of the tokens that was recomputed.
            reset: Why the cache had been dropped before this frame, or None.
            carried: Whether it was carried along and not computed.
        """
        with self._lock:
            self._counts["processed"] += 1
            self._dirty.append(dirty_fraction)
            self._carried.append(carried)
            self._frames.append(milliseconds)
            if reset is not None:
                self._resets += 1
                self._last_reset = reset

    def summary(self) -> Summary:
        """Return the statistics; the frame rates are counted from here on again."""
        now = time.monotonic()
        with self._lock:
            counts, reasons = dict(self._counts), dict(self._reasons)
            frames = list(self._frames)
            dirty = float(np.mean(self._dirty)) if self._dirty else None
            carried = float(np.mean(self._carried)) if self._carried else 0.0
            resets, last_reset = self._resets, self._last_reset
            then, processed, received = self._summarised
            self._summarised = (now, counts["processed"], counts["received"])
        # Gathered by frame, so that a task that is no longer computed drops out of the window.
        times: dict[str, list[float]] = {}
        for frame in frames:
            for stage, value in frame.items():
                times.setdefault(stage, []).append(value)
        milliseconds = {
            stage: {p: float(np.percentile(values, p)) for p in PERCENTILES}
            for stage, values in times.items()
        }
        seconds = max(now - then, 1e-6)
        return Summary(
            counts=counts,
            fps=(counts["processed"] - processed) / seconds,
            milliseconds=milliseconds,
            dirty_fraction=dirty,
            received_fps=(counts["received"] - received) / seconds,
            resets=resets,
            last_reset=last_reset,
            carried_fraction=carried,
            reasons=reasons,
        )
