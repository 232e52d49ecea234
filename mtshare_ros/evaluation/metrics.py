"""Accuracy over a whole set, one frame at a time.

An accumulator sees every frame once (``update``) and keeps sums only, so that a metric is that of
all valid pixels of the set, as the field reports it, and not a mean of per-frame values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.tasks import UNLABELLED, Task

ANGLE_BIN_DEG = 0.005
"""Width of a bin of the angle histogram: the median is exact to half of it."""


class Metric(Protocol):
    """What every accumulator offers."""

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame; both arrays are of one size."""
        ...

    def result(self) -> dict[str, float]:
        """Return the metrics by key; empty while no valid pixel was seen."""
        ...


class SegmentationMetric:
    """Mean intersection over union, from set-wide true/false positives and false negatives.

    The mean is over the classes that occur in the truth or in a prediction. Pixels whose truth is
    ``UNLABELLED`` are ignored; a prediction of ``UNLABELLED`` elsewhere is a miss.
    """

    def __init__(self, classes: int) -> None:
        """Start empty, for class ids below ``classes``."""
        self.classes = classes
        self.confusion = np.zeros((classes, classes + 1), np.int64)

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) class ids.

        Raises:
            ValueError: The truth holds an id that the task doesn't have.
        """
        _same_size(prediction, truth)
        labelled = truth != UNLABELLED
        true = truth[labelled].astype(np.int64)
        if true.size and true.max() >= self.classes:
            raise ValueError(
                f"ground truth has class id {true.max()}, but the task has ids 0 to"
                f" {self.classes - 1} and {UNLABELLED} for unlabelled"
            )
        guess = np.minimum(prediction[labelled].astype(np.int64), self.classes)
        width = self.classes + 1
        counts = np.bincount(true * width + guess, minlength=self.classes * width)
        self.confusion += counts.reshape(self.classes, width)

    def per_class(self) -> NDArray[np.float64]:
        """Return IoU of each class, (classes,); NaN where a class never occurred."""
        hits = np.diag(self.confusion).astype(np.float64)
        union = self.confusion.sum(1) + self.confusion[:, : self.classes].sum(0) - hits
        return np.divide(hits, union, out=np.full(self.classes, np.nan), where=union > 0)

    def result(self) -> dict[str, float]:
        """Return ``miou``, 0 to 1."""
        if not self.confusion.any():
            return {}
        return {"miou": float(np.nanmean(self.per_class()))}


class DepthMetric:
    """AbsRel, RMSE (metres) and the share of pixels within a factor of 1.25.

    Eigen et al., "Depth map prediction from a single image", 2014. Valid pixels are those whose
    truth is finite and positive. A missing prediction counts as ``max_depth``: leaving it out
    would reward a network for being silent where it is unsure.
    """

    def __init__(self, max_depth: float) -> None:
        """Start empty; ``max_depth`` in metres."""
        self.max_depth = max_depth
        self.pixels = 0
        self.relative = 0.0
        self.squared = 0.0
        self.within = 0

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) metres, NaN where invalid."""
        _same_size(prediction, truth)
        valid = np.isfinite(truth) & (truth > 0)
        true = truth[valid].astype(np.float64)
        guess = prediction[valid].astype(np.float64)
        guess = np.where(np.isfinite(guess) & (guess > 0), guess, self.max_depth)
        error = np.abs(guess - true)
        self.pixels += true.size
        self.relative += float((error / true).sum())
        self.squared += float((error * error).sum())
        self.within += int(np.count_nonzero(np.maximum(guess / true, true / guess) < 1.25))

    def result(self) -> dict[str, float]:
        """Return ``abs_rel``, ``rmse`` (metres) and ``delta1`` (0 to 1)."""
        if not self.pixels:
            return {}
        return {
            "abs_rel": self.relative / self.pixels,
            "rmse": float(np.sqrt(self.squared / self.pixels)),
            "delta1": self.within / self.pixels,
        }


class NormalsMetric:
    """Mean and median angle in degrees, and the shares within 11.25, 22.5 and 30 degrees.

    Valid pixels are those whose true normal is finite and not zero. A prediction that is no
    direction counts as 180 degrees.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.pixels = 0
        self.sum = 0.0
        self.histogram = np.zeros(round(180 / ANGLE_BIN_DEG), np.int64)
        self.within = {"within_11": 0, "within_22": 0, "within_30": 0}

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W, 3) directions of any length."""
        _same_size(prediction, truth)
        angle = angles_deg(prediction, truth)
        valid = np.isfinite(truth).all(-1) & (truth != 0).any(-1)
        angle = np.nan_to_num(angle[valid], nan=180.0)
        self.pixels += angle.size
        self.sum += float(angle.sum(dtype=np.float64))
        bins = np.minimum(angle / ANGLE_BIN_DEG, self.histogram.size - 1).astype(np.int64)
        self.histogram += np.bincount(bins, minlength=self.histogram.size)
        for key, limit in zip(self.within, (11.25, 22.5, 30.0), strict=True):
            self.within[key] += int(np.count_nonzero(angle < limit))

    def result(self) -> dict[str, float]:
        """Return ``mean_deg``, ``median_deg`` and ``within_11``, ``_22``, ``_30`` (0 to 1)."""
        if not self.pixels:
            return {}
        median_bin = int(np.searchsorted(np.cumsum(self.histogram), self.pixels / 2))
        return {
            "mean_deg": self.sum / self.pixels,
            "median_deg": (median_bin + 0.5) * ANGLE_BIN_DEG,
            **{key: count / self.pixels for key, count in self.within.items()},
        }


def angles_deg(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Return the angle between directions, (..., 3) each, in degrees; NaN where one has none.

    2 * atan2(|a - b|, |a + b|) on unit vectors: unlike the arc cosine of the dot product it is
    exact for small angles (Kahan, "How futile are mindless assessments of roundoff", 2006).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        a = a / np.linalg.norm(a.astype(np.float64), axis=-1, keepdims=True)
        b = b / np.linalg.norm(b.astype(np.float64), axis=-1, keepdims=True)
        half = np.arctan2(np.linalg.norm(a - b, axis=-1), np.linalg.norm(a + b, axis=-1))
    return np.degrees(2.0 * half)


def metric_for(task: Task) -> Metric:
    """Return an empty accumulator for a task, by its kind.

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
    raise ValueError(f"task {task.name}: no metric for kind {task.kind!r}")


def class_count(tasks: Iterable[Task]) -> int | None:
    """Return the number of classes that truth may have; None where no task has classes."""
    return next((task.channels for task in tasks if task.kind == "segmentation"), None)


def _same_size(prediction: NDArray[Any], truth: NDArray[Any]) -> None:
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction is {prediction.shape}, ground truth {truth.shape}: sizes must be equal"
        )
