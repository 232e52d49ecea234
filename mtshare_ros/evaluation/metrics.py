"""Accuracy over a whole set, one frame at a time.

An accumulator sees every frame once (``update``) and keeps sums only, so that a metric is that of
all valid pixels of the set, as the field reports it, and not a mean of per-frame values.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.evaluation.boundaries import LEVELS, MAX_DISTANCE, count_boundaries
from mtshare_ros.tasks import ROOM_CLASSES, UNLABELLED, Task

ANGLE_BIN_DEG = 0.005
"""Width of a bin of the angle histogram: the median is exact to half of it."""


BETA_SQUARED = 0.3
"""Weight of the recall in the F-measure of saliency: precision counts more."""


class Metric(Protocol):
    """What every accumulator offers."""

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame; both arrays are of one size."""
        ...

    def result(self) -> dict[str, float]:
        """Return the metrics by key; empty while no valid pixel was seen."""
        ...


State = dict[str, NDArray[Any]]
"""Sums by name; with leading axes, those of many parts at once."""

_WITHIN = {"within_11": 11.25, "within_22": 22.5, "within_30": 30.0}
"""Metric key -> degrees."""

_Sums = TypeVar("_Sums", bound="Additive")


class Additive(ABC):
    """An accumulator that is nothing but sums: those of the parts add up to those of the whole."""

    sums: ClassVar[tuple[str, ...]]
    """Names of the attributes that are the sums."""

    @abstractmethod
    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """See ``Metric.update``."""

    @abstractmethod
    def result(self) -> dict[str, float]:
        """See ``Metric.result``."""

    @abstractmethod
    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """Return the metrics of sums with any leading axes (...,), each (...,).

        NaN where no valid pixel was seen.
        """

    def state(self) -> State:
        """Return the sums by name."""
        return {name: np.array(getattr(self, name)) for name in self.sums}

    def from_state(self: _Sums, state: Mapping[str, NDArray[Any]]) -> _Sums:
        """Return an accumulator of the same settings that holds the sums of ``state``."""
        other = copy.copy(self)
        for name in self.sums:
            setattr(other, name, np.array(state[name]))
        return other

    def __add__(self: _Sums, other: _Sums) -> _Sums:
        """Return the accumulator of both parts; their settings are the same."""
        mine, theirs = self.state(), other.state()
        return self.from_state({name: mine[name] + theirs[name] for name in self.sums})


class SegmentationMetric(Additive):
    """Mean intersection over union, from set-wide true/false positives and false negatives.

    The mean is over the classes that occur in the truth or in a prediction. Pixels whose truth is
    ``UNLABELLED`` are ignored; a prediction of ``UNLABELLED`` elsewhere is a miss.
    """

    sums = ("confusion",)

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
        return _class_iou(self.confusion)

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """See ``Additive.scores``; ``confusion`` is (..., classes, classes + 1)."""
        iou = _class_iou(state["confusion"])
        occurs = np.isfinite(iou)
        with np.errstate(invalid="ignore"):
            return {"miou": np.where(occurs, iou, 0.0).sum(-1) / occurs.sum(-1)}

    def result(self) -> dict[str, float]:
        """Return ``miou``, 0 to 1."""
        return _floats(self.scores(self.state())) if self.confusion.any() else {}


def _class_iou(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the IoU of each class, (..., classes), of (..., classes, classes + 1) counts."""
    classes = confusion.shape[-2]
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    union = confusion.sum(-1) + confusion[..., :classes].sum(-2) - hits
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)


class DepthMetric(Additive):
    """AbsRel, RMSE (metres) and the share of pixels within a factor of 1.25.

    Eigen et al., "Depth map prediction from a single image", 2014. Valid pixels are those whose
    truth is finite and positive. A missing prediction counts as ``max_depth``: leaving it out
    would reward a network for being silent where it is unsure.
    """

    sums = ("pixels", "relative", "squared", "within")

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

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """See ``Additive.scores``; every sum is (...,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "abs_rel": state["relative"] / state["pixels"],
                "rmse": np.sqrt(state["squared"] / state["pixels"]),
                "delta1": state["within"] / state["pixels"],
            }

    def result(self) -> dict[str, float]:
        """Return ``abs_rel``, ``rmse`` (metres) and ``delta1`` (0 to 1)."""
        return _floats(self.scores(self.state())) if self.pixels else {}


class NormalsMetric(Additive):
    """Mean and median angle in degrees, and the shares within 11.25, 22.5 and 30 degrees.

    Valid pixels are those whose true normal is finite and not zero. A prediction that is no
    direction counts as 180 degrees.
    """

    sums = ("pixels", "sum", "histogram", "within")

    def __init__(self, bin_deg: float = ANGLE_BIN_DEG) -> None:
        """Start empty; ``bin_deg`` is the width of a bin of the histogram for the median."""
        self.bin_deg = bin_deg
        self.pixels = 0
        self.sum = 0.0
        self.histogram = np.zeros(round(180 / bin_deg), np.int64)
        self.within = np.zeros(len(_WITHIN), np.int64)

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W, 3) directions of any length."""
        _same_size(prediction, truth)
        angle = angles_deg(prediction, truth)
        valid = np.isfinite(truth).all(-1) & (truth != 0).any(-1)
        angle = np.nan_to_num(angle[valid], nan=180.0)
        self.pixels += angle.size
        self.sum += float(angle.sum(dtype=np.float64))
        bins = np.minimum(angle / self.bin_deg, self.histogram.size - 1).astype(np.int64)
        self.histogram += np.bincount(bins, minlength=self.histogram.size)
        self.within += [np.count_nonzero(angle < limit) for limit in _WITHIN.values()]

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """See ``Additive.scores``; ``histogram`` is (..., bins), ``within`` (..., 3)."""
        pixels = np.asarray(state["pixels"], np.float64)
        below = np.cumsum(state["histogram"], axis=-1) < pixels[..., None] / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = np.moveaxis(state["within"] / pixels[..., None], -1, 0)
            return {
                "mean_deg": state["sum"] / pixels,
                "median_deg": (below.sum(-1) + 0.5) * self.bin_deg,
                **dict(zip(_WITHIN, shares, strict=True)),
            }

    def result(self) -> dict[str, float]:
        """Return ``mean_deg``, ``median_deg`` and ``within_11``, ``_22``, ``_30`` (0 to 1)."""
        return _floats(self.scores(self.state())) if self.pixels else {}


class SaliencyMetric(Additive):
    """The best F-measure over 255 thresholds, with beta^2 = 0.3.

    Achanta et al., "Frequency-tuned salient region detection", CVPR 2009. True positives and
    positives are those of the whole set at each threshold; a pixel is positive where its 8-bit
    probability is at least 1, 2, ... 255. The probability is used as it is, not put through a
    second sigmoid as in some published code. Pixels whose truth is NaN are ignored.
    """

    sums = ("hits", "predicted")

    def __init__(self) -> None:
        """Start empty."""
        self.hits = np.zeros(256, np.int64)
        self.predicted = np.zeros(256, np.int64)

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) uint8 probability, and (H, W) float truth."""
        _check_probability(prediction, truth)
        valid = ~np.isnan(truth)
        for sums, chosen in ((self.predicted, valid), (self.hits, valid & (truth > 0.5))):
            sums += np.bincount(prediction[chosen], minlength=256)[::-1].cumsum()[::-1]

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """See ``Additive.scores``; both sums are (..., 256), pixels at or above each level."""
        hits, predicted = state["hits"], state["predicted"]
        # (1 + b) P R / (b P + R) with P = hits / predicted and R = hits / actual.
        with np.errstate(invalid="ignore"):
            f = (1 + BETA_SQUARED) * hits / (BETA_SQUARED * hits[..., :1] + predicted)
        return {"max_f": np.where(hits[..., 0] > 0, f[..., 1:].max(-1), np.nan)}

    def result(self) -> dict[str, float]:
        """Return ``max_f``, 0 to 1; empty while no salient pixel was seen."""
        return _floats(self.scores(self.state())) if self.hits[0] else {}


class BoundaryMetric(Additive):
    """The best F-measure of boundaries at one threshold for the whole set: odsF.

    The counts are those of ``boundaries.count_boundaries``.
    """

    sums = ("matched", "predicted", "actual")

    def __init__(self, max_distance: float = MAX_DISTANCE) -> None:
        """Start empty; pixels match up to ``max_distance`` image diagonals apart."""
        self.max_distance = max_distance
        self.matched, self.predicted = np.zeros((2, len(LEVELS)), np.int64)
        self.actual = 0

    def update(self, prediction: NDArray[Any], truth: NDArray[Any]) -> None:
        """Add one frame: (H, W) uint8 probability, and (H, W) float truth."""
        _check_probability(prediction, truth)
        counts = count_boundaries(prediction, truth, self.max_distance)
        self.matched = self.matched + counts.matched
        self.predicted = self.predicted + counts.predicted
        self.actual += counts.actual

    def scores(self, state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float64]]:
        """See ``Additive.scores``; ``matched`` and ``predicted`` are (..., 101)."""
        actual = np.asarray(state["actual"])
        # 2 P R / (P + R) with P = matched / predicted and R = matched / actual.
        with np.errstate(invalid="ignore"):
            f = 2 * state["matched"] / (state["predicted"] + actual[..., None])
        return {"ods_f": np.where(actual > 0, f.max(-1), np.nan)}

    def result(self) -> dict[str, float]:
        """Return ``ods_f``, 0 to 1; empty while no true boundary was seen."""
        return _floats(self.scores(self.state())) if self.actual else {}


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
    if task.kind == "boundary":
        return BoundaryMetric()
    if task.kind == "saliency":
        return SaliencyMetric()
    raise ValueError(f"task {task.name}: no metric for kind {task.kind!r}")


def class_count(tasks: Iterable[Task]) -> int | None:
    """Return the number of classes that truth may have; None where no task needs classes."""
    channels = {task.kind: task.channels for task in tasks}
    if "segmentation" not in channels and "saliency" in channels:
        return len(ROOM_CLASSES)  # What is salient is a matter of the rooms' classes.
    return channels.get("segmentation")


def _floats(scores: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    return {key: float(value) for key, value in scores.items()}


def _same_size(prediction: NDArray[Any], truth: NDArray[Any]) -> None:
    if prediction.shape != truth.shape:
        raise ValueError(
            f"prediction is {prediction.shape}, ground truth {truth.shape}: sizes must be equal"
        )


def _check_probability(prediction: NDArray[Any], truth: NDArray[Any]) -> None:
    _same_size(prediction, truth)
    if prediction.dtype != np.uint8:
        raise ValueError(f"prediction is {prediction.dtype}: expected a probability as uint8")
