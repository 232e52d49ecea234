"""Accuracy, disagreement, latency and examples of one run, frame by frame."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.derived import DERIVED
from mtshare_ros.evaluation.boundaries import MAX_DISTANCE
from mtshare_ros.evaluation.disagreement import disagreement
from mtshare_ros.evaluation.latency import TOTAL, Latency
from mtshare_ros.evaluation.metrics import metric_for
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.tasks import Task

EXAMPLES = 4
"""Frames that a report shows."""

FIELDS = {"depth": "depth", "segmentation": "labels", "normals": "normals"}
"""Kind of task -> the field of a clip's frame that holds its truth; others follow from labels."""

Maps = dict[str, NDArray[Any]]
"""Task -> decoded map."""


def maps_of(predictions: Predictions, tasks: Collection[Task]) -> Maps:
    """Return the maps that predictions have, by task."""
    fields = {"depth": predictions.depth, "normals": predictions.normals}
    found: dict[str, NDArray[Any] | None] = {
        task.name: fields[task.kind] for task in tasks if task.kind in fields
    }
    found |= {name: labels for name, (labels, _) in predictions.masks.items()}
    found |= predictions.probabilities
    return {name: value for name, value in found.items() if value is not None}


def truths_of(frame: Any, tasks: Collection[Task]) -> Maps:
    """Return the truth that a frame of a clip or of stills has, or that follows from it."""
    truths = {}
    for task in tasks:
        derive = DERIVED.get(task.kind)
        found = getattr(frame, "labels" if derive else FIELDS[task.kind])
        if found is not None:
            truths[task.name] = derive(found) if derive else found
    return truths


def to_size(array: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Return a map at another height and width, nearest neighbour.

    Nearest, because a mean of two class ids, or of the depths on both sides of an edge, is a
    value that the network never gave.
    """
    if array.shape[:2] == shape:
        return array
    height, width = shape
    return cv2.resize(array, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)


@dataclass(frozen=True)
class Example:
    """A frame that the report shows.

    Attributes:
        index: Number of the frame in the run, from 0.
        rgb: (H, W, 3) uint8.
        predictions: Task -> map, at the image's size.
        truths: Task -> map, at the image's size; a task without ground truth is missing.
        dirty: (rows, columns) bool, or None where it isn't known (a recorded bag).
    """

    index: int
    rgb: NDArray[np.uint8]
    predictions: Maps
    truths: Maps
    dirty: NDArray[np.bool_] | None

    @property
    def dirty_fraction(self) -> float:
        """Share of the tokens that were recomputed; 1 where it isn't known."""
        return 1.0 if self.dirty is None else float(self.dirty.mean())


@dataclass
class Scores:
    """Everything that a report says about one run; filled by ``update``.

    Attributes:
        tasks: The tasks that are scored.
        shown: Numbers of the frames that are kept as examples.
        max_distance: Tolerance of boundaries in image diagonals.
    """

    tasks: Sequence[Task]
    shown: Collection[int]
    max_distance: float = MAX_DISTANCE
    frames: int = 0
    examples: list[Example] = field(default_factory=list)
    latency: Latency = field(default_factory=Latency)
    reference_latency: Latency = field(default_factory=Latency)
    dirty_fractions: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start one accumulator per task."""
        self.metrics = {task.name: metric_for(task, self.max_distance) for task in self.tasks}
        self.disagreements: dict[str, list[float]] = {}

    def update(
        self,
        rgb: NDArray[np.uint8],
        predictions: Maps,
        truths: Maps,
        dirty: NDArray[np.bool_] | None = None,
        milliseconds: Mapping[str, float] | None = None,
    ) -> None:
        """Add one frame; predictions are brought to the size of the truth (``to_size``)."""
        for name, truth in truths.items():
            if name in predictions:
                self.metrics[name].update(to_size(predictions[name], truth.shape[:2]), truth)
        if dirty is not None:
            self.dirty_fractions.append(float(dirty.mean()))
        if milliseconds is not None:
            self.latency.update(milliseconds)
        if self.frames in self.shown:
            shape = rgb.shape[:2]
            self.examples.append(
                Example(
                    self.frames,
                    rgb.copy(),
                    {name: to_size(value, shape).copy() for name, value in predictions.items()},
                    {name: to_size(value, shape).copy() for name, value in truths.items()},
                    None if dirty is None else dirty.copy(),
                )
            )
        self.frames += 1

    def compare(
        self, predictions: Maps, reference: Maps, milliseconds: Mapping[str, float]
    ) -> None:
        """Add one frame's disagreement with the dense network, which took ``milliseconds``."""
        for task in self.tasks:
            value = disagreement(task, predictions[task.name], reference[task.name])
            self.disagreements.setdefault(task.name, []).append(value)
        self.reference_latency.update(milliseconds)

    def accuracy(self) -> dict[str, dict[str, float]]:
        """Return the metrics of each task that had ground truth."""
        results = {name: metric.result() for name, metric in self.metrics.items()}
        return {name: result for name, result in results.items() if result}

    def legacy(self) -> dict[str, dict[str, float]]:
        """Return the further variants that published tables have, by task."""
        results = {name: metric.legacy() for name, metric in self.metrics.items()}
        return {name: result for name, result in results.items() if result}

    def timeline(self) -> list[float]:
        """Return the milliseconds of each frame."""
        return self.latency.stages.get(TOTAL, [])


def spread(count: int, wanted: int) -> list[int]:
    """Return up to ``wanted`` frame numbers, evenly spread over ``count`` frames."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(wanted, count)).round()})
