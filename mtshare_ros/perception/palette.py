"""Colour pictures of the predictions, for people: RGB, uint8."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.tasks import UNLABELLED

OVERLAY_OPACITY = 0.5


def label_table(palette: Sequence[tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Return the RGB colour of each label, (256, 3) uint8; labels without a class are black."""
    table = np.zeros((256, 3), np.uint8)
    for label, colour in enumerate(palette):
        table[label] = colour
    return table


def colour_labels(labels: NDArray[np.uint8], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) of labels (H, W)."""
    return table[labels]


def colour_depth(depth: NDArray[np.float32], far: float) -> NDArray[np.uint8]:
    """Return the picture of depth (H, W) in metres; invalid (NaN) is black.

    The range, 0 to ``far`` metres, is fixed: a colour means the same distance in each frame.
    """
    valid = np.isfinite(depth)
    scaled = np.where(valid, (far - depth) * (255.0 / far), 0.0)
    grey = np.clip(scaled, 0, 255).astype(np.uint8)
    picture = cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB)
    picture[~valid] = 0
    return np.asarray(picture, np.uint8)


def colour_normals(normals: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the picture of unit vectors (H, W, 3): each component from [-1, 1] to [0, 255]."""
    return np.clip(np.rint(normals * 127.5 + 127.5), 0, 255).astype(np.uint8)


def colour_probability(probability: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) of a probability (H, W), 0-255: from black to bright yellow."""
    picture = cv2.applyColorMap(probability, cv2.COLORMAP_INFERNO)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def at_size(image: NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return an image (H', W', 3), rows perhaps padded, at the size of maps (H, W)."""
    height, width = shape
    # cv2.resize wants rows without padding.
    picture = np.ascontiguousarray(image)
    if picture.shape[:2] != (height, width):
        picture = np.asarray(
            cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return picture


def overlay(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], table: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the image at the labels' size with their colours over it; unlabelled stays as it is.

    Args:
        image: (H', W', 3) uint8 RGB.
        labels: (H, W) uint8.
        table: What ``label_table`` returned.
    """
    picture = at_size(image, labels.shape)
    blended = cv2.addWeighted(
        picture, 1 - OVERLAY_OPACITY, colour_labels(labels, table), OVERLAY_OPACITY, 0
    )
    unlabelled = (labels == UNLABELLED)[..., None]
    return np.where(unlabelled, picture, np.asarray(blended, np.uint8))
