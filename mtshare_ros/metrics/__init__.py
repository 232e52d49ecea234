"""Accuracy over a whole set, one frame at a time: one accumulator per family of tasks."""

from __future__ import annotations

from collections.abc import Iterable

from mtshare_ros.metrics.accumulator import Additive, Metric, State
from mtshare_ros.metrics.boundary import BoundaryMetric
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE
from mtshare_ros.metrics.depth import DepthMetric
from mtshare_ros.metrics.normals import ANGLE_BIN_DEG, NormalsMetric, angles_deg
from mtshare_ros.metrics.saliency import BETA_SQUARED, SaliencyMetric
from mtshare_ros.metrics.segmentation import SegmentationMetric
from mtshare_ros.tasks import ROOM_CLASSES, Task

__all__ = [
    "ANGLE_BIN_DEG",
    "BETA_SQUARED",
    "Additive",
    "BoundaryMetric",
    "DepthMetric",
    "Metric",
    "NormalsMetric",
    "SaliencyMetric",
    "SegmentationMetric",
    "State",
    "angles_deg",
    "class_count",
    "metric_for",
]


def metric_for(task: Task, max_distance: float = MAX_DISTANCE) -> Additive:
    """Return an empty accumulator for a task, by its kind.

    Args:
        task: The task.
        max_distance: How far boundaries may be apart, in image diagonals.

    Raises:
        ValueError: The kind is not known.
    """
    if task.kind == "segmentation":
        return SegmentationMetric(task.channels)
    if task.kind == "depth":
        assert task.value_range is not None
        return DepthMetric(task.value_range[1])
    if task.kind == "normals":
        return NormalsMetric()
    if task.kind == "boundary":
        return BoundaryMetric(max_distance)
    if task.kind == "saliency":
        return SaliencyMetric()
    raise ValueError(f"task {task.name}: no metric for kind {task.kind!r}")


def class_count(tasks: Iterable[Task]) -> int | None:
    """Return the number of classes that truth may have; None where no task needs classes."""
    channels = {task.kind: task.channels for task in tasks}
    if "segmentation" not in channels and "saliency" in channels:
        return len(ROOM_CLASSES)  # What is salient is a matter of the rooms' classes.
    return channels.get("segmentation")
