"""How a metric is named and shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MetricName:
    """How a metric is named and shown.

    Attributes:
        name: What the field calls it.
        factor: What a value is multiplied by to be shown.
        unit: Of a shown value; may be empty.
        higher_is_better: Whether a higher value is better.
    """

    name: str
    factor: float
    unit: str
    higher_is_better: bool

    @property
    def arrow(self) -> str:
        """The direction that is better."""
        return "↑" if self.higher_is_better else "↓"


METRICS: dict[str, MetricName] = {
    "miou": MetricName("mIoU", 100.0, "%", True),
    "abs_rel": MetricName("AbsRel", 1.0, "", False),
    "rmse": MetricName("RMSE", 1.0, "m", False),
    "delta1": MetricName("δ < 1.25", 100.0, "%", True),
    "mean_deg": MetricName("mean angle", 1.0, "°", False),
    "median_deg": MetricName("median angle", 1.0, "°", False),
    "within_11": MetricName("within 11.25°", 100.0, "%", True),
    "within_22": MetricName("within 22.5°", 100.0, "%", True),
    "within_30": MetricName("within 30°", 100.0, "%", True),
    "ods_f": MetricName("odsF", 100.0, "%", True),
    "max_f": MetricName("maxF", 100.0, "%", True),
}
"""Metric key -> how it is named and shown."""


def metric_text(value: float, key: str) -> str:
    """Return a metric as the page shows it."""
    metric = METRICS[key]
    digits = 1 if metric.factor == 100.0 or metric.unit == "°" else 3
    return f"{value * metric.factor:.{digits}f} {metric.unit}".strip().replace(" °", "°")
