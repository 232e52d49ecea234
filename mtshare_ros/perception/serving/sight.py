"""How a frame sees the keys: what the camera's motion since made of them, and what is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.motion.carry import CameraMotion, carried, is_moved, moved
from mtshare_ros.perception.motion.explained import explained, in_view
from mtshare_ros.perception.motion.flow import Where, at_size, composed
from mtshare_ros.perception.motion.rigid import pinhole_of, rigid_motion
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.view import View
from mtshare_ros.tasks import Task

LARGEST_CHANGE = 24.0
"""Grey levels that a cell of which a key tells may differ from what the key's frame shows there.

A smaller bound takes cells for unknown, most of them at edges that moved by less than a cell,
that the key is right about: at 12, a tenth of what is in view while the camera drives.
"""
_FAR_OUTSIDE = -1e6
"""Pixels. What is between this and any pixel of a key, but for the last bit, is outside, too."""


@dataclass(frozen=True)
class Key:
    """What the network gave for a frame.

    Attributes:
        predictions: Maps of all tasks of which there is no newer key.
        view: The frame.
        depth: (h, w) metres at the size of the flow, or None: what the camera's motion is told by.
        raw: Task -> raw map, for the next key to be fused with; empty where keys aren't fused.
        back: Where in this frame each pixel of the frame was that the flow begins at; None for
            this very frame.
    """

    predictions: Predictions
    view: View
    depth: NDArray[np.float32] | None
    raw: dict[str, NDArray[np.float32]]
    back: Where | None = None


@dataclass(frozen=True)
class Sight:
    """A key as a later frame sees it.

    Attributes:
        key: The key.
        where: Where in the key each pixel of the frame was, at the size of the flow; None where
            the frame is the key.
        viewed: (h, w) bool, what was in view of the key.
        known: (h, w) bool, what was in view and looks as it did; nothing where no motion of the
            camera explains the flow.
        motion: The camera's; None where none was found or none is needed.
    """

    key: Key
    where: Where | None = None
    viewed: NDArray[np.bool_] | None = None
    known: NDArray[np.bool_] | None = None
    motion: CameraMotion | None = None


def sight_of(
    key: Key,
    view: View,
    to_reference: Where | None,
    tasks: Sequence[Task],
    focal_length: float,
) -> Sight:
    """Return how a frame sees a key.

    Args:
        key: The key.
        view: The frame.
        to_reference: Where each pixel was in the frame that the flow begins at; None: it is that.
        tasks: All tasks of the bundle.
        focal_length: fx / width of the camera.
    """
    if to_reference is None or key.back is None:
        where = key.back if to_reference is None else to_reference
    else:
        where = composed(to_reference, key.back)
    if where is None:
        return Sight(key)
    size = where.shape[1::-1]
    viewed = in_view(where, size)
    looks_alike = explained(view.cells, key.view.cells, where, LARGEST_CHANGE).astype(np.uint8)
    alike = cv2.resize(looks_alike, size, interpolation=cv2.INTER_NEAREST) > 0
    known = viewed & alike
    if not is_moved(key.predictions, tasks):
        return Sight(key, where, viewed, known)
    camera = pinhole_of(focal_length, view.size, size)
    scene = rigid_motion(where, key.depth, camera)
    if scene is None and key.depth is not None:
        # Where all is too far for a depth, the camera's turn is all that can be seen.
        scene = rigid_motion(where, None, camera)
    if scene is None:
        return Sight(key, where, viewed, np.zeros_like(known))
    return Sight(key, where, viewed, known, CameraMotion(where, scene, camera))


def seen(sight: Sight, tasks: Sequence[Task], fill: bool, max_depth: float) -> Predictions:
    """Return the predictions of a key as a frame sees them.

    Args:
        sight: How the frame sees the key.
        tasks: All tasks of the bundle.
        fill: Whether what can't be known has a value all the same.
        max_depth: Metres; what is farther becomes NaN.
    """
    predictions = sight.key.predictions
    size = predictions.size()
    if sight.where is None or size is None:
        return predictions
    where = at_size(sight.where if fill else _masked(sight), size)
    predictions = carried(predictions, where, tasks, fill)
    if sight.motion is not None:
        predictions = moved(predictions, replace(sight.motion, max_depth=max_depth), tasks)
    return predictions


def known_pixels(sight: Sight, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels of maps of some width and height are known, as ``seen`` has it."""
    if sight.known is None:
        return np.ones(size[::-1], np.bool_)
    share: NDArray[Any] = cv2.resize(sight.known.astype(np.float32), size)
    return share > 1.0 - 1e-4


def depth_at(depth: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a depth map at the size of the flow."""
    small = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, np.float32)


def _masked(sight: Sight) -> Where:
    assert sight.where is not None and sight.known is not None
    # A third of the time of writing to where[~known].
    outside = np.full_like(sight.where, _FAR_OUTSIDE)
    return np.asarray(cv2.copyTo(sight.where, sight.known.astype(np.uint8), outside))
