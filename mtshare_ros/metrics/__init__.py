"""Accuracy over a whole set, one frame at a time: one accumulator per family of tasks."""

from mtshare_ros.metrics.accumulator import Additive, State
from mtshare_ros.metrics.boundary import BoundaryMetric
from mtshare_ros.metrics.depth import DepthMetric
from mtshare_ros.metrics.measures import (
    MetricSettings,
    class_count,
    disagreement,
    metric_for,
)
from mtshare_ros.metrics.normals import ANGLE_BIN_DEG, NormalsMetric, angles_deg
from mtshare_ros.metrics.saliency import BETA_SQUARED, SaliencyMetric
from mtshare_ros.metrics.segmentation import SegmentationMetric

__all__ = [
    "ANGLE_BIN_DEG",
    "BETA_SQUARED",
    "Additive",
    "BoundaryMetric",
    "DepthMetric",
    "MetricSettings",
    "NormalsMetric",
    "SaliencyMetric",
    "SegmentationMetric",
    "State",
    "angles_deg",
    "class_count",
    "disagreement",
    "metric_for",
]
