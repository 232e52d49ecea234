"""A camera's image as everything here looks at it: at the model's size, and low-passed."""

from __future__ import annotations

from dataclasses import dataclass

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.frame import MAX_FOCAL_LENGTH, Image, check_image, resize
from mtshare_ros.perception.tokens import Cells, is_cut, low_pass

MAX_GAP_NS = 2_000_000_000
"""A longer silence between two stamps is a jump of the clock: what is remembered is dropped."""


@dataclass(frozen=True)
class View:
    """An image of a camera.

    Attributes:
        small: (H, W, 3) uint8 RGB at the model's size.
        cells: The same, low-passed.
        stamp: Time of the image in nanoseconds.
        size: Width and height of the camera's image.
        focal_length: fx / width of the camera; None where it is not known.
    """

    small: Image
    cells: Cells
    stamp: int
    size: tuple[int, int]
    focal_length: float | None


def view_of(image: Image, stamp: int, spec: InputSpec, focal_length: float | None = None) -> View:
    """Return the view of an image.

    Args:
        image: (H, W, 3) uint8 RGB of any size; stretched to the model's.
        stamp: Time of the image in nanoseconds.
        spec: The bundle's input.
        focal_length: fx / width of the camera; None: as in training.

    Raises:
        ValueError: The image or the focal length are not as described.
    """
    check_image(image)
    if focal_length is not None and not (0.0 < focal_length < MAX_FOCAL_LENGTH):
        raise ValueError(
            f"focal_length: {focal_length}, expected fx / width, above 0 and below "
            f"{MAX_FOCAL_LENGTH:g}"
        )
    small = resize(image, spec)
    return View(small, low_pass(small, spec), stamp, image.shape[1::-1], focal_length)


def break_between(before: View, view: View) -> str | None:
    """Return why a frame says nothing about the next one of its camera, in a word, or None."""
    if view.size != before.size:
        return "size"
    if not 0 <= view.stamp - before.stamp <= MAX_GAP_NS:
        return "clock"
    return "cut" if is_cut(view.cells, before.cells) else None
