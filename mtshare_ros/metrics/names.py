"""How people are told a metric."""

from __future__ import annotations

METRICS = {
    "miou": ("mIoU", 100.0, "%", True),
    "abs_rel": ("AbsRel", 1.0, "", False),
    "rmse": ("RMSE", 1.0, "m", False),
    "delta1": ("δ < 1.25", 100.0, "%", True),
    "mean_deg": ("mean angle", 1.0, "°", False),
    "median_deg": ("median angle", 1.0, "°", False),
    "within_11": ("within 11.25°", 100.0, "%", True),
    "within_22": ("within 22.5°", 100.0, "%", True),
    "within_30": ("within 30°", 100.0, "%", True),
    "ods_f": ("odsF", 100.0, "%", True),
    "max_f": ("maxF", 100.0, "%", True),
}
"""Metric key -> name, factor and unit on the page, and whether higher is better."""


def metric_text(value: float, key: str) -> str:
    """Return a metric as the page shows it."""
    _, factor, unit, _ = METRICS[key]
    digits = 1 if factor == 100.0 or unit == "°" else 3
    return f"{value * factor:.{digits}f} {unit}".strip().replace(" °", "°")
