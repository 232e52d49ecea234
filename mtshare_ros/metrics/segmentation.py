"""Mean intersection over union."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics.accumulator import Additive, same_size
from mtshare_ros.tasks import UNLABELLED


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
        same_size(prediction, truth)
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
        """Return ``miou``, 0 to 1; ``confusion`` is (..., classes, classes + 1)."""
        iou = _class_iou(state["confusion"])
        occurs = np.isfinite(iou)
        with np.errstate(invalid="ignore"):
            return {"miou": np.where(occurs, iou, 0.0).sum(-1) / occurs.sum(-1)}

    def legacy(self) -> dict[str, float]:
        """Return ``miou_legacy``: a class that occurs nowhere counts 0, as in InvPT's tables."""
        if not self.confusion.any():
            return {}
        return {"miou_legacy": float(np.nan_to_num(self.per_class()).mean())}


def _class_iou(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Return the IoU of each class, (..., classes), of (..., classes, classes + 1) counts."""
    classes = confusion.shape[-2]
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).astype(np.float64)
    union = confusion.sum(-1) + confusion[..., :classes].sum(-2) - hits
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)
