"""Predictions of a key frame, carried along to a later frame."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.motion.flow import Where, pulled
from mtshare_ros.perception.motion.rigid import Camera, RigidMotion
from mtshare_ros.perception.predictions import Predictions

_NEAREST_DEPTH = 0.05
"""Metres; nothing that a camera comes towards gets nearer."""

_SUM_OF_CHANNELS = np.ones((1, 3), np.float32)


def carried(predictions: Predictions, where: Where) -> Predictions:
    """Return predictions of a key frame as a later frame sees them.

    Class ids are taken from the nearest pixel, as there is none between two. Depth too: between
    the two sides of an edge there is nothing. What comes into view gets what is at the border.

    Args:
        predictions: Those of the key frame, (H, W).
        where: Where in the key frame each pixel was.
    """

    def nearest(array: NDArray[Any] | None) -> Any:
        return None if array is None else pulled(array, where, cv2.INTER_NEAREST)

    normals = predictions.normals
    if normals is not None:
        normals = pulled(normals, where, cv2.INTER_LINEAR)
        length = cv2.sqrt(cv2.transform(cv2.multiply(normals, normals), _SUM_OF_CHANNELS))
        length = np.maximum(length, 1e-6)
        normals = np.asarray(cv2.divide(normals, cv2.merge([length] * 3)), np.float32)
    masks = {task: (nearest(i), nearest(c)) for task, (i, c) in predictions.masks.items()}
    if masks:  # The first one's arrays are in both places.
        labels, confidence = next(iter(masks.values()))
    else:
        labels, confidence = nearest(predictions.labels), nearest(predictions.confidence)
    return replace(
        predictions,
        depth=nearest(predictions.depth),
        labels=labels,
        confidence=confidence,
        normals=normals,
        masks=masks,
        probabilities={
            task: pulled(array, where, cv2.INTER_LINEAR)
            for task, array in predictions.probabilities.items()
        },
    )


def moved(
    predictions: Predictions, where: Where, motion: RigidMotion, camera: Camera
) -> Predictions:
    """Return carried predictions with normals turned and depth as far as it is now.

    Args:
        predictions: As ``carried`` returns them.
        where: Where in the key frame each pixel was.
        motion: The scene's, since the key frame.
        camera: In the pixels of ``where``.
    """
    rotation = motion.rotation()
    normals, depth = predictions.normals, predictions.depth
    if normals is not None:
        turned: Any = cv2.transform(normals, rotation.astype(np.float32))
        normals = turned
    if depth is not None:
        # Z' = Z (a x + b y + c) + t_z, with (a, b, c) the last row of R and the ray (x, y, 1) of a
        # pixel in the key frame, which is linear in the pixel.
        a, b, c = rotation[2] / (camera.fx, camera.fy, 1.0)
        factor: Any = cv2.transform(where, np.array([[a, b, c - a * camera.cx - b * camera.cy]]))
        depth = factor * depth
        depth += np.float32(motion.shift[2])
        np.maximum(depth, np.float32(_NEAREST_DEPTH), out=depth)
    return replace(predictions, normals=normals, depth=depth)
