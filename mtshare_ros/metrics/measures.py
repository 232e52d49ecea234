"""How predictions are measured, by the kind of their task: against the truth, and each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics.accumulator import Additive
from mtshare_ros.metrics.boundary import BoundaryMetric
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE
from mtshare_ros.metrics.depth import DepthMetric
from mtshare_ros.metrics.normals import ANGLE_BIN_DEG, NormalsMetric, angles_deg
from mtshare_ros.metrics.saliency import SaliencyMetric
from mtshare_ros.metrics.segmentation import SegmentationMetric
from mtshare_ros.tasks import KINDS, Task


@dataclass(frozen=True)
class MetricSettings:
    """What a metric may be told.

    Attributes:
        max_distance: How far boundaries may be apart, in image diagonals.
        angle_bin_deg: Width of a bin of angles, to half of which their median is exact.
    """

    max_distance: float = MAX_DISTANCE
    angle_bin_deg: float = ANGLE_BIN_DEG


@dataclass(frozen=True)
class Measure:
    """How predictions of a kind are measured.

    Attributes:
        metric: Makes an empty accumulator for a task.
        disagreement: Tells how far two maps are apart; 0 is equal. The unit is in words in the
            kind's record.
    """

    metric: Callable[[Task, MetricSettings], Additive]
    disagreement: Callable[[NDArray[Any], NDArray[Any]], float]


def _depth_metric(task: Task, _: MetricSettings) -> DepthMetric:
    assert task.value_range is not None
    return DepthMetric(task.value_range[1])


def _other_class(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.mean(a != b))


def _relative_depth(a: NDArray[Any], b: NDArray[Any]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    seen = np.isfinite(a) | np.isfinite(b)
    relative = np.nan_to_num(np.abs(a - b)[seen] / b[seen], nan=1.0)
    return float(relative.mean()) if relative.size else 0.0


def _angle(a: NDArray[Any], b: NDArray[Any]) -> float:
    seen = np.isfinite(a).all(-1) | np.isfinite(b).all(-1)
    angle = np.nan_to_num(angles_deg(a, b)[seen], nan=180.0)
    return float(angle.mean()) if angle.size else 0.0


def _probability(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(cv2.absdiff(a, b).mean() / 255)


MEASURES: dict[str, Measure] = {
    "depth": Measure(_depth_metric, _relative_depth),
    "segmentation": Measure(lambda task, _: SegmentationMetric(task.channels), _other_class),
    "normals": Measure(lambda _, settings: NormalsMetric(settings.angle_bin_deg), _angle),
    "boundary": Measure(lambda _, settings: BoundaryMetric(settings.max_distance), _probability),
    "saliency": Measure(lambda *_: SaliencyMetric(), _probability),
}
"""Kind of task -> how its predictions are measured."""


def metric_for(task: Task, settings: MetricSettings = MetricSettings()) -> Additive:
    """Return an empty accumulator for a task, by its kind."""
    return MEASURES[task.kind].metric(task, settings)


def disagreement(task: Task, prediction: NDArray[Any], reference: NDArray[Any]) -> float:
    """Return how far a prediction is from a reference; 0 is equal, the unit is the kind's.

    Pixels that are invalid in both are left out; depth that is invalid in one of them counts as
    a relative error of 1, a normal as 180 degrees.
    """
    return MEASURES[task.kind].disagreement(prediction, reference)


def class_count(tasks: Iterable[Task]) -> int | None:
    """Return how many classes truth may have, so that every task knows them; None for any."""
    counts = [len(task.classes or KINDS[task.kind].truth_classes) for task in tasks]
    return min((count for count in counts if count), default=None)
