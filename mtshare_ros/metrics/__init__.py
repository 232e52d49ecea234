"""Accuracy over a whole set, one frame at a time: one accumulator per family of tasks."""

from mtshare_ros.metrics.accumulator import Additive, State
from mtshare_ros.metrics.measures import MetricSettings, class_count, disagreement, metric_for
from mtshare_ros.metrics.normals import angles_deg

__all__ = [
    "Additive",
    "MetricSettings",
    "State",
    "angles_deg",
    "class_count",
    "disagreement",
    "metric_for",
]
