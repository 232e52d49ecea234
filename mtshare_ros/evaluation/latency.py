"""Where the time goes: percentiles of each stage over all frames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

TOTAL = "total"
"""The stage that is the whole step."""


class Latency:
    """Milliseconds of each stage of each frame."""

    def __init__(self) -> None:
        """Start empty."""
        self.stages: dict[str, list[float]] = {}

    def update(self, milliseconds: Mapping[str, float]) -> None:
        """Add one frame: stage -> milliseconds."""
        for stage, value in milliseconds.items():
            self.stages.setdefault(stage, []).append(float(value))

    def result(self) -> dict[str, dict[str, float]]:
        """Return ``{stage: {mean, p50, p95, p99, max}}`` in milliseconds."""
        return {stage: _summary(values) for stage, values in self.stages.items()}


def _summary(values: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {
        "mean": float(np.mean(values)),
        "p50": float(p50),
        "p95": float(p95),
        "p99": float(p99),
        "max": float(np.max(values)),
    }
