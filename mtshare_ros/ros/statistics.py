"""What happened to the frames and how long it took, from the worker to the diagnostics."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

COUNTS = ("received", "processed", "unserved", "skipped", "dropped", "rejected", "failed")
"""Fates of a frame: each received frame ends as one of the others, or is still on its way."""
WINDOW = 300
"""Frames over which percentiles and means are taken."""
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Summary:
    """Statistics at one moment.

    Attributes:
        counts: Fate -> number of frames since the node was configured.
        keys: Keys since the node was configured.
        failed_keys: Frames that the network failed on, since the node was configured.
        fps: Frames processed per second since the last summary.
        milliseconds: Stage -> percentile -> time, over the last ``WINDOW`` frames and keys.
        dirty_fraction: Mean part of the tokens that keys recomputed; None before the first key.
        received_fps: Frames received per second since the last summary.
        key_fps: Keys per second since the last summary.
        coverage: Mean part of the pixels that is known, over the last ``WINDOW`` frames; None
            before the first.
        resets: Keys before which the cache was dropped, since the node was configured.
        last_reset: Why it was dropped the last time, or None.
        reasons: Fate -> why the last frame had it, where that is known.
    """

    counts: dict[str, int]
    fps: float
    milliseconds: dict[str, dict[int, float]]
    dirty_fraction: float | None
    received_fps: float = 0.0
    resets: int = 0
    last_reset: str | None = None
    keys: int = 0
    failed_keys: int = 0
    key_fps: float = 0.0
    coverage: float | None = None
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
        self._coverage: deque[float] = deque(maxlen=WINDOW)
        self._key_times: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self._keys = self._failed_keys = 0
        self._resets = 0
        self._last_reset: str | None = None
        self._summarised = (time.monotonic(), 0, 0, 0)

    def count(self, fate: str, reason: str | None = None) -> None:
        """Count a frame with one of the fates in ``COUNTS``, and keep why it had that."""
        with self._lock:
            self._counts[fate] += 1
            if reason is not None:
                self._reasons[fate] = reason

    def processed(self, milliseconds: Mapping[str, float], coverage: float) -> None:
        """Count a frame that was published.

        Args:
            milliseconds: Stage -> its time.
            coverage: Part of the pixels that is known.
        """
        with self._lock:
            self._counts["processed"] += 1
            self._coverage.append(coverage)
            self._frames.append(milliseconds)

    def key(
        self, milliseconds: Mapping[str, float], dirty_fraction: float, reset: str | None
    ) -> None:
        """Count a key.

        Args:
            milliseconds: Stage -> its time.
            dirty_fraction: Part of the tokens that was recomputed.
            reset: Why the cache had been dropped before it, or None.
        """
        with self._lock:
            self._keys += 1
            self._key_times.append(milliseconds)
            self._dirty.append(dirty_fraction)
            if reset is not None:
                self._resets += 1
                self._last_reset = reset

    def failed_key(self, reason: str) -> None:
        """Count a frame that the network failed on."""
        with self._lock:
            self._failed_keys += 1
            self._reasons["failed_keys"] = reason

    def summary(self) -> Summary:
        """Return the statistics; the frame rates are counted from here on again."""
        now = time.monotonic()
        with self._lock:
            counts, reasons = dict(self._counts), dict(self._reasons)
            frames = list(self._frames)
            dirty = float(np.mean(self._dirty)) if self._dirty else None
            frames += list(self._key_times)
            coverage = float(np.mean(self._coverage)) if self._coverage else None
            keys, failed_keys = self._keys, self._failed_keys
            resets, last_reset = self._resets, self._last_reset
            then, processed, received, keys_then = self._summarised
            self._summarised = (now, counts["processed"], counts["received"], keys)
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
            keys=keys,
            failed_keys=failed_keys,
            key_fps=(keys - keys_then) / seconds,
            coverage=coverage,
            reasons=reasons,
        )
