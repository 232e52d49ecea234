"""Predictions carried along with the image's motion, the usual improvement on holding them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.predictions import Predictions

FLOW_WIDTH = 320
"""Width in pixels at which the flow is estimated; a larger image is shrunk to it."""

_NONE: Any = None
"""Left out, which OpenCV's type hints don't know."""


class ImageMotion:
    """Dense optical flow from a key frame on.

    DIS (Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016).
    """

    def __init__(self) -> None:
        """Start without a key frame."""
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._key: NDArray[Any] | None = None

    def start(self, image: NDArray[np.uint8]) -> None:
        """Take an image (H, W, 3) as the key frame."""
        self._key = _grey(image)

    def back(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
        """Return where in the key frame each pixel of a later image was.

        Args:
            image: (H, W, 3) uint8.
            size: Width and height of what is carried along.

        Returns:
            (height, width, 2) float32, x and y in its pixels.
        """
        assert self._key is not None, "no key frame"
        flow: NDArray[Any] = self._flow.calc(_grey(image), self._key, _NONE)
        width, height = size
        if flow.shape[1::-1] != size:
            scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
            flow = cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR) * scale
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        where: NDArray[np.float32] = flow + np.stack([x, y], axis=-1).astype(np.float32)
        return where


def carried(predictions: Predictions, where: NDArray[np.float32]) -> Predictions:
    """Return predictions of a key frame as a later frame sees them.

    Class ids are taken from the nearest pixel, as there is none between two. Depth too: between
    the two sides of an edge there is nothing. What comes into view gets what is at the border.

    Args:
        predictions: Those of the key frame, (H, W).
        where: (H, W, 2) float32, see ``ImageMotion.back``.
    """

    def nearest(array: NDArray[Any] | None) -> Any:
        return None if array is None else _remap(array, where, cv2.INTER_NEAREST)

    normals = predictions.normals
    if normals is not None:
        normals = _remap(normals, where, cv2.INTER_LINEAR)
        length = np.linalg.norm(normals, axis=-1, keepdims=True)
        normals = normals / np.maximum(length, 1e-6)
    return replace(
        predictions,
        depth=nearest(predictions.depth),
        labels=nearest(predictions.labels),
        confidence=nearest(predictions.confidence),
        normals=normals,
        masks={
            task: (nearest(ids), nearest(confidence))
            for task, (ids, confidence) in predictions.masks.items()
        },
        probabilities={
            task: _remap(array, where, cv2.INTER_LINEAR)
            for task, array in predictions.probabilities.items()
        },
    )


def _remap(array: NDArray[Any], where: NDArray[np.float32], method: int) -> NDArray[Any]:
    return cv2.remap(array, where, _NONE, method, borderMode=cv2.BORDER_REPLICATE)


def _grey(image: NDArray[np.uint8]) -> NDArray[Any]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    width = min(grey.shape[1], FLOW_WIDTH)
    height = round(grey.shape[0] * width / grey.shape[1])
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
