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
from mtshare_ros.tasks import Task

_NEAREST_DEPTH = 0.05
"""Metres; nothing that a camera comes towards gets nearer."""

_SUM_OF_CHANNELS = np.ones((1, 3), np.float32)


@dataclass(frozen=True)
class CameraMotion:
    """How the camera has moved since the key frame, and how a later frame sees that.

    Attributes:
        where: Where in the key frame each pixel was.
        scene: The scene's motion before the camera.
        camera: In the pixels of ``where``.
        max_depth: Metres; what is farther becomes NaN.
    """

    where: Where
    scene: RigidMotion
    camera: Pinhole
    max_depth: float = np.inf


def _nearest(array: NDArray[Any], where: Where) -> NDArray[Any]:
    return pulled(array, where, cv2.INTER_NEAREST)


def _linear(array: NDArray[Any], where: Where) -> NDArray[Any]:
    return pulled(array, where, cv2.INTER_LINEAR)


def _directions(normals: NDArray[Any], where: Where) -> NDArray[Any]:
    normals = pulled(normals, where, cv2.INTER_LINEAR)
    length = cv2.sqrt(cv2.transform(cv2.multiply(normals, normals), _SUM_OF_CHANNELS))
    length = np.maximum(length, 1e-6)
    return np.asarray(cv2.divide(normals, cv2.merge([length] * 3)), np.float32)


def _turned(normals: NDArray[Any], motion: CameraMotion) -> NDArray[Any]:
    rotation = motion.scene.rotation().astype(np.float32)
    return np.asarray(cv2.transform(normals, rotation), np.float32)


def _as_far_as_now(depth: NDArray[Any], motion: CameraMotion) -> NDArray[Any]:
    # Z' = Z (a x + b y + c) + t_z, with (a, b, c) the last row of R and the ray (x, y, 1) of a
    # pixel in the key frame, which is linear in the pixel.
    camera = motion.camera
    a, b, c = motion.scene.rotation()[2] / (camera.fx, camera.fy, 1.0)
    plane = np.array([[a, b, c - a * camera.cx - b * camera.cy]])
    depth = np.asarray(cv2.transform(motion.where, plane)) * depth
    depth += np.float32(motion.scene.shift[2])
    np.maximum(depth, np.float32(_NEAREST_DEPTH), out=depth)
    np.copyto(depth, np.float32(np.nan), where=depth > motion.max_depth)
    return depth


@dataclass(frozen=True)
class Rule:
    """How maps of a kind are carried along.

    Attributes:
        pull: Takes the values from where they were. Class ids and depth come from the nearest
            pixel, as there is nothing between two classes, or between the two sides of an edge.
        move: Changes the values as the camera's motion does; None where it changes none.
    """

    pull: Callable[[NDArray[Any], Where], NDArray[Any]]
    move: Callable[[NDArray[Any], CameraMotion], NDArray[Any]] | None = None


RULES: dict[str, Rule] = {
    "depth": Rule(_nearest, _as_far_as_now),
    "segmentation": Rule(_nearest),
    "normals": Rule(_directions, _turned),
    "boundary": Rule(_linear),
    "saliency": Rule(_linear),
}
"""Kind of task -> how its maps are carried along."""


def is_moved(predictions: Predictions, tasks: Sequence[Task]) -> bool:
    """Return whether the camera's motion changes values of one of the maps."""
    return any(task.name in predictions.maps and RULES[task.kind].move for task in tasks)


def carried(predictions: Predictions, where: Where, tasks: Sequence[Task]) -> Predictions:
    """Return predictions of a key frame as a later frame sees them.

    What comes into view gets what is at the border.

    Args:
        predictions: Those of the key frame, (H, W).
        where: Where in the key frame each pixel was.
        tasks: The tasks that they may be of.
    """
    maps = {
        task.name: RULES[task.kind].pull(predictions.maps[task.name], where)
        for task in tasks
        if task.name in predictions.maps
    }
    confidence = {name: _nearest(array, where) for name, array in predictions.confidence.items()}
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
