"""From a camera's image to the network's input: resize, normalise, scale the intrinsics."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import InputSpec

IMAGE_MEAN = (123.675, 116.28, 103.53)
"""Mean of RGB, 0-255 (the field's usual ImageNet values)."""
IMAGE_SCALE = 1.0 / 57.5
"""One scale for all channels (the mean of ImageNet's standard deviations is 57.5)."""

MIN_SIDE = 16
"""Shortest side of an image that is taken, in pixels."""
MAX_FOCAL_LENGTH = 1000.0
"""A focal length of this or more, in units of the image width, is a mistake."""

Image = NDArray[np.uint8]


def check_image(image: Image) -> None:
    """Refuse what is not an RGB image.

    Raises:
        ValueError: ``image`` is not (H, W, 3) uint8 with at least ``MIN_SIDE`` pixels a side.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image: found shape {image.shape} {image.dtype}, expected (H, W, 3) uint8"
        )
    height, width = image.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ValueError(f"image: found {width}x{height}, expected {MIN_SIDE}x{MIN_SIDE} or more")


def resize(image: Image, spec: InputSpec) -> Image:
    """Stretch (H, W, 3) to the model's size; area averaging when it shrinks."""
    height, width = image.shape[:2]
    if (width, height) == (spec.width, spec.height):
        return image
    shrinks = width > spec.width and height > spec.height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (spec.width, spec.height), interpolation=method), np.uint8)


def normalise(image: Image, spec: InputSpec) -> NDArray[np.float32]:
    """Map (H, W, 3) uint8 to (1, 3, H, W) float32 as the manifest says."""
    planes = np.empty((1, 3, *image.shape[:2]), np.float32)
    for channel in range(3):
        plane = planes[0, channel]
        np.subtract(image[..., channel], np.float32(spec.mean[channel]), out=plane)
        plane *= np.float32(spec.scale)
    return planes


def depth_scale(spec: InputSpec, focal_length: float | None) -> float:
    """Return the factor from the network's depth to this camera's.

    An object fills the same share of an image at a distance proportional to fx / width; a network
    that was trained with one focal length is off by that ratio on another camera.

    Args:
        spec: The bundle's input.
        focal_length: fx / width of the camera; None is taken as training's.
    """
    return 1.0 if focal_length is None else focal_length / spec.focal_length
