"""Keeps the predictions of a computed frame and carries them along to those after it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.motion.carry import CameraMotion, carried, is_moved, moved
from mtshare_ros.perception.motion.explained import explained
from mtshare_ros.perception.motion.flow import ImageMotion, at_size, grey_of
from mtshare_ros.perception.motion.rigid import pinhole_of, rigid_motion
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.tokens import Cells
from mtshare_ros.tasks import Task

MOST_UNEXPLAINED = 0.2
"""Share of the image from which the flow counts as lost, and the frame is computed instead."""
_LARGEST_CHANGE = 12.0
"""Grey levels of a cell that is explained: a lamp that is switched on is no motion."""


@dataclass(frozen=True)
class _Key:
    """A computed frame."""

    predictions: Predictions
    cells: Cells
    wanted: frozenset[str]
    focal_length: float
    image_size: tuple[int, int]


class Carrier:
    """What a stream serves between two computed frames."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Start without a key frame; ``tasks`` are those of the bundle, in its order."""
        self._tasks = tasks
        self._depths = [task.name for task in tasks if task.kind == "depth"]
        self._motion = ImageMotion()
        self._key: _Key | None = None
        self._age = 0

    def drop(self) -> None:
        """Let the next frame be computed."""
        self._key = None

    def keep(
        self,
        small: Image,
        cells: Cells,
        predictions: Predictions,
        wanted: Collection[str],
        focal_length: float,
        image_size: tuple[int, int],
    ) -> None:
        """Take a computed frame as the key frame.

        Args:
            small: The image at the model's size.
            cells: The same, low-passed.
            predictions: What it gave; nobody may write to its arrays any more.
            wanted: Tasks that were asked for; those whose turn it was not are none of its.
            focal_length: fx / width of the camera.
            image_size: Width and height of the camera's image.
        """
        self._motion.start(grey_of(small))
        self._key = _Key(predictions, cells, frozenset(wanted), focal_length, image_size)
        self._age = 0

    def carry(
        self,
        small: Image,
        cells: Cells,
        wanted: Collection[str],
        focal_length: float,
        most: int,
        max_depth: float,
    ) -> Predictions | None:
        """Return the key frame's predictions as this frame sees them, or None to compute it.

        A frame is to be computed when ``most`` frames were carried, when something else is wanted,
        or when the flow does not explain the image: after a jerk, or when a lamp goes on.

        Args:
            small: The image at the model's size.
            cells: The same, low-passed.
            wanted: Tasks that are asked for.
            focal_length: fx / width of the camera.
            most: Frames in a row that may be carried.
            max_depth: Metres; what is farther becomes NaN.

        Returns:
            Predictions with the key frame's stamp and times.
        """
        key = self._key
        if key is None or self._age >= most:
            return None
        if key.wanted != frozenset(wanted) or key.focal_length != focal_length:
            return None
        found = key.predictions
        size = found.size()
        if size is None:  # None of the wanted tasks had its turn.
            return None
        where = at_size(self._motion.back(grey_of(small)), size)
        if float(np.mean(~explained(cells, key.cells, where, _LARGEST_CHANGE))) > MOST_UNEXPLAINED:
            return None
        camera = pinhole_of(focal_length, key.image_size, size)
        scene = None
        if is_moved(found, self._tasks):
            depth = next((found.maps[n] for n in self._depths if n in found.maps), None)
            scene = rigid_motion(where, depth, camera)
        found = carried(found, where, self._tasks)
        if scene is not None:
            motion = CameraMotion(where, scene, camera, max_depth)
            found = moved(found, motion, self._tasks)
        self._age += 1
        nothing: NDArray[np.bool_] = np.zeros_like(found.dirty)
        return replace(found, dirty=nothing, reset=None, carried=self._age)
