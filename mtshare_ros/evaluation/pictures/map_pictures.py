"""Pictures for people: predictions, truths, errors and recomputed tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.metrics import angles_deg
from mtshare_ros.perception.palette import (
    colour_depth,
    colour_labels,
    colour_normals,
    colour_probability,
    label_table,
)
from mtshare_ros.tasks import UNLABELLED, Task

Map = NDArray[Any]
Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

WORST = {"depth": 0.5, "normals": 60.0}
"""Error that gets the brightest colour: a relative one for depth, degrees for normals."""

NO_TRUTH = (60, 60, 60)
DIRTY = (230, 159, 0)
"""Orange of Okabe and Ito's colours for all kinds of colour vision."""


def _class_error(prediction: Map, truth: Map) -> tuple[Map, Map]:
    return np.where(prediction == truth, 0.0, 1.0), truth != UNLABELLED


def _depth_error(prediction: Map, truth: Map) -> tuple[Map, Map]:
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(prediction - truth) / truth / WORST["depth"]
    return error, np.isfinite(truth) & (truth > 0)


def _normals_error(prediction: Map, truth: Map) -> tuple[Map, Map]:
    valid = np.isfinite(truth).all(-1) & (truth != 0).any(-1)
    return angles_deg(prediction, truth) / WORST["normals"], valid


def _probability_error(prediction: Map, truth: Map) -> tuple[Map, Map]:
    return np.abs(_share(prediction) - truth), np.isfinite(truth)


def _probability_colours(task: Task, array: Map, far: float) -> Picture:
    return colour_probability(np.rint(255 * np.nan_to_num(_share(array))).astype(np.uint8))


@dataclass(frozen=True)
class KindPicture:
    """How maps of a kind are shown.

    Attributes:
        colours: Returns the picture of a task's map; the depth in metres of the coldest colour is
            the last argument.
        error: Returns how wrong a prediction is, where 1 gets the brightest colour, and (H, W)
            bool, where there is truth.
        legend: What explains the colours on a page: ``classes``, ``metres``, ``directions`` or
            ``probability``.
    """

    colours: Callable[[Task, Map, float], Picture]
    error: Callable[[Map, Map], tuple[Map, Map]]
    legend: str


PICTURES: dict[str, KindPicture] = {
    "depth": KindPicture(lambda _, array, far: colour_depth(array, far), _depth_error, "metres"),
    "segmentation": KindPicture(
        lambda task, array, _: colour_labels(array, label_table(task.palette)),
        _class_error,
        "classes",
    ),
    "normals": KindPicture(
        lambda _, array, far: colour_normals(np.nan_to_num(array)), _normals_error, "directions"
    ),
    "boundary": KindPicture(_probability_colours, _probability_error, "probability"),
    "saliency": KindPicture(_probability_colours, _probability_error, "probability"),
}
"""Kind of task -> how its maps are shown."""


def with_legend(tasks: Iterable[Task], legend: str) -> list[str]:
    """Return the names of the tasks whose colours a legend explains."""
    return [task.name for task in tasks if PICTURES[task.kind].legend == legend]


def far_depth(tasks: Iterable[Task], maps: Iterable[Mapping[str, Map]]) -> float:
    """Return the depth in metres of the coldest colour: one for all maps, so colours compare.

    Args:
        tasks: The tasks that have maps.
        maps: Task -> map, of predictions and of truths.
    """
    names = with_legend(tasks, "metres")
    arrays = [array for group in maps for name, array in group.items() if name in names]
    values = np.concatenate([np.empty(0), *(array[np.isfinite(array)] for array in arrays)])
    return float(np.ceil(np.percentile(values, 99))) if values.size else 10.0


def map_picture(task: Task, array: Map, far: float) -> Picture:
    """Return a map in colours; ``far`` is the depth in metres of the coldest colour."""
    return PICTURES[task.kind].colours(task, array, far)


def error_picture(task: Task, prediction: Map, truth: Map) -> Picture:
    """Return where a prediction is wrong: dark is right, bright is wrong, grey has no truth."""
    error, valid = PICTURES[task.kind].error(prediction, truth)
    level = np.rint(255 * np.clip(np.nan_to_num(error, nan=1.0), 0, 1)).astype(np.uint8)
    picture = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    picture[~valid] = NO_TRUTH
    return np.asarray(picture, np.uint8)


def _share(probability: Map) -> Map:
    """Return a prediction (0-255) as the truth has it: 0 to 1."""
    return probability / np.float32(255) if probability.dtype == np.uint8 else probability


def dirty_picture(rgb: Picture, dirty: NDArray[np.bool_]) -> Picture:
    """Return the frame in grey with the recomputed tokens in orange."""
    height, width = rgb.shape[:2]
    mask = cv2.resize(
        dirty.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT
    )
    grey = cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    tinted = cv2.addWeighted(grey, 0.55, np.full_like(grey, DIRTY), 0.45, 0)
    return np.where(mask[..., None] > 0, tinted, grey).astype(np.uint8)
