"""Predictions of a key frame, carried along to a later frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.motion.flow import Where, pulled
from mtshare_ros.perception.motion.rigid import Pinhole, RigidMotion
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.tasks import UNLABELLED, Task

_NEAREST_DEPTH = 0.05
"""Metres; nothing that a camera comes towards gets nearer."""


@dataclass(frozen=True)
class CameraMotion:
    """How the camera has moved since the key frame, and how a later frame sees that.

    Attributes:
        where: Where in the key frame each pixel was; may be smaller than the maps.
        scene: The scene's motion before the camera.
        camera: In the pixels of ``where``.
        max_depth: Metres; what is farther becomes NaN.
    """

    where: Where
    scene: RigidMotion
    camera: Pinhole
    max_depth: float = np.inf


def _turned(normals: NDArray[Any], motion: CameraMotion) -> NDArray[Any]:
    rotation = motion.scene.rotation().astype(np.float32)
    return np.asarray(cv2.transform(normals, rotation), np.float32)


def _as_far_as_now(depth: NDArray[Any], motion: CameraMotion) -> NDArray[Any]:
    # Z' = Z (a x + b y + c) + t_z, with (a, b, c) the last row of R and the ray (x, y, 1) of a
    # pixel in the key frame, which is linear in the pixel, and smooth over the image.
    camera = motion.camera
    a, b, c = motion.scene.rotation()[2] / (camera.fx, camera.fy, 1.0)
    plane = np.array([[a, b, c - a * camera.cx - b * camera.cy]])
    factor: NDArray[Any] = cv2.transform(motion.where, plane)
    if factor.shape != depth.shape:
        factor = cv2.resize(factor, depth.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    depth = np.asarray(cv2.multiply(factor, depth), np.float32)
    depth += np.float32(motion.scene.shift[2])
    # NaN stays NaN in both.
    np.maximum(depth, np.float32(_NEAREST_DEPTH), out=depth)
    too_far = depth > motion.max_depth
    if too_far.any():
        np.copyto(depth, np.float32(np.nan), where=too_far)
    return depth


@dataclass(frozen=True)
class Rule:
    """How maps of a kind are carried along.

    Attributes:
        method: OpenCV's interpolation of the values where they were. Class ids, depth and normals
            come from the nearest pixel: there is nothing between two classes, or between the two
            sides of an edge.
        unknown: Value of a pixel of which nothing is known.
        move: Changes the values as the camera's motion does; None where it changes none.
    """

    method: int
    unknown: float | tuple[float, ...]
    move: Callable[[NDArray[Any], CameraMotion], NDArray[Any]] | None = None


_NAN = float("nan")

RULES: dict[str, Rule] = {
    "depth": Rule(cv2.INTER_NEAREST, _NAN, _as_far_as_now),
    "segmentation": Rule(cv2.INTER_NEAREST, UNLABELLED),
    "normals": Rule(cv2.INTER_NEAREST, (_NAN, _NAN, _NAN), _turned),
    "boundary": Rule(cv2.INTER_LINEAR, 0),
    "saliency": Rule(cv2.INTER_LINEAR, 0),
}
"""Kind of task -> how its maps are carried along."""


def is_moved(predictions: Predictions, tasks: Sequence[Task]) -> bool:
    """Return whether the camera's motion changes values of one of the maps."""
    return any(task.name in predictions.maps and RULES[task.kind].move for task in tasks)


def carried(
    predictions: Predictions, where: Where, tasks: Sequence[Task], fill: bool = True
) -> Predictions:
    """Return predictions of a key frame as a later frame sees them.

    Args:
        predictions: Those of the key frame, (H, W).
        where: Where in the key frame each pixel was.
        tasks: The tasks that they may be of.
        fill: Whether what comes into view gets what is at the border; if not, it is unknown:
            NaN, ``UNLABELLED``, confidence and probability 0.
    """
    maps = {}
    for task in tasks:
        if task.name in predictions.maps:
            rule = RULES[task.kind]
            outside = None if fill else rule.unknown
            maps[task.name] = pulled(predictions.maps[task.name], where, rule.method, outside)
    confidence = {
        name: pulled(array, where, cv2.INTER_NEAREST, None if fill else 0)
        for name, array in predictions.confidence.items()
    }
    return replace(predictions, maps=maps, confidence=confidence)


def moved(predictions: Predictions, motion: CameraMotion, tasks: Sequence[Task]) -> Predictions:
    """Return carried predictions with normals turned and depth as far as it is now.

    Args:
        predictions: As ``carried`` returns them.
        motion: The camera's, since the key frame.
        tasks: The tasks that they may be of.
    """
    maps = dict(predictions.maps)
    for task in tasks:
        move = RULES[task.kind].move
        if task.name in maps and move is not None:
            maps[task.name] = move(maps[task.name], motion)
    return replace(predictions, maps=maps)
