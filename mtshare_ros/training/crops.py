"""Random crops of images with their truth, and colours that vary, as published protocols have it.

Ye and Xu, "Inverted pyramid multi-task transformer", ECCV 2022, after ATRC: scale, crop, fill what
is outside; truth is picked, never averaged; depth is divided by the scale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mtshare_ros.perception.frame import IMAGE_MEAN, MIN_SIDE
from mtshare_ros.settings import Strict
from mtshare_ros.tasks import KINDS, UNLABELLED, Task

Sample = Mapping[str, NDArray[Any]]
"""``rgb`` and truth by task, of one image."""

TRIES = 10
"""Largest number of crops that are drawn until one has no class that covers most of it."""


class CropSettings(Strict):
    """How crops are taken.

    Attributes:
        size: Width and height of the crop in pixels of the image; it is shrunk to a phase's size.
        scale: Smallest and largest factor by which the image is scaled before.
        largest_class: Share of the known pixels that one class may have, else another crop is
            drawn; where there is segmentation.
        photometric: Vary brightness, contrast, saturation and hue in 8 bits.
    """

    size: tuple[int, int]
    scale: tuple[float, float] = (0.5, 2.0)
    largest_class: float = Field(default=0.75, gt=0, le=1)
    photometric: bool = True

    @model_validator(mode="after")
    def _in_order(self) -> CropSettings:
        if not 0 < self.scale[0] <= self.scale[1] or min(self.size) < MIN_SIDE:
            raise ValueError(f"size {self.size}, scale {self.scale}: expected pixels and factors")
        return self


def wanted_keys(sample: Sample, wanted: Collection[str]) -> list[str]:
    """Return the arrays of a sample that the truth of tasks is made of."""
    keys = [name for name in wanted if name in sample]
    # What rendered stills don't store follows from their class ids.
    return keys if len(keys) == len(wanted) else [*keys, "labels"]


def cut(
    sample: Sample,
    keys: Collection[str],
    tasks: Mapping[str, Task],
    size: tuple[int, int],
    crop: CropSettings,
    rng: np.random.Generator | None = None,
) -> dict[str, NDArray[Any]]:
    """Return a crop of an image and of its truth.

    Args:
        sample: The image and its truth.
        keys: What to cut besides ``rgb``.
        tasks: The data set's tasks.
        size: Width and height to return.
        crop: How to cut.
        rng: Draws the crop; None takes the middle of the image, not scaled, colours unchanged.

    Returns:
        ``rgb`` (h, w, 3) uint8 and the truth. Outside of the image they are the mean colour and
        invalid. Depth is divided by the scale: an image enlarged twice looks half as far away.
    """
    scale = 1.0 if rng is None else float(rng.uniform(*crop.scale))
    height, width = sample["rgb"].shape[:2]
    factors = [scale * new / old for new, old in zip(size, crop.size, strict=True)]
    scaled = [max(1, int(f * old)) for f, old in zip(factors, (width, height), strict=True)]
    classes = next((k for k in keys if k in tasks and KINDS[tasks[k].kind].has_classes), None)
    for _ in range(1 if rng is None or classes is None else TRIES):
        left, top = (_offset(old, new, rng) for old, new in zip(scaled, size, strict=True))
        columns, rows = _Places(left, size[0], scaled[0]), _Places(top, size[1], scaled[1])
        if classes is None or _is_mixed(columns.pick(rows, sample[classes]), crop.largest_class):
            break
    truth = {key: columns.pick(rows, sample[key]) for key in keys}
    for key in keys:
        if key in tasks and KINDS[tasks[key].kind].in_metres:
            truth[key] = truth[key] / np.float32(scale)
    shrinks = factors[0] < 1 and factors[1] < 1
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    image = cv2.resize(np.asarray(sample["rgb"]), scaled, interpolation=method)
    part = image[rows.inner][:, columns.inner]
    if rng is not None and crop.photometric:
        part = photometric(np.ascontiguousarray(part), rng)
    rgb = np.empty((size[1], size[0], 3), np.uint8)
    rgb[:] = np.rint(IMAGE_MEAN)
    rgb[rows.covered, columns.covered] = part
    return {"rgb": rgb, **truth}


def _offset(length: int, count: int, rng: np.random.Generator | None) -> int:
    """Return where a crop of ``count`` begins; negative where it is longer than the image."""
    if length <= count or rng is None:
        return -((count - length) // 2)
    return int(rng.integers(0, length - count + 1))


class _Places:
    """What a crop covers along one side of an image that was scaled to ``length``."""

    def __init__(self, offset: int, count: int, length: int) -> None:
        start, stop = max(offset, 0), min(offset + count, length)
        self.count, self.length = count, length
        self.inner = slice(start, stop)
        self.covered = slice(start - offset, stop - offset)

    def source(self, side: int) -> NDArray[np.intp]:
        """Return the pixels of the image, ``side`` long, that are nearest."""
        at = np.arange(self.inner.start, self.inner.stop) + 0.5
        return (at * side / self.length).astype(np.intp)

    def pick(self, rows: _Places, truth: NDArray[Any]) -> NDArray[Any]:
        """Return the truth (H, W, ...) in the crop, invalid outside of the image."""
        invalid: Any = UNLABELLED if truth.dtype == np.uint8 else 0 if truth.ndim == 3 else np.nan
        crop = np.full((rows.count, self.count, *truth.shape[2:]), invalid, truth.dtype)
        inside = truth[rows.source(truth.shape[0])][:, self.source(truth.shape[1])]
        crop[rows.covered, self.covered] = inside
        return crop


def _is_mixed(labels: NDArray[np.uint8], largest: float) -> bool:
    counts = np.bincount(labels[labels != UNLABELLED], minlength=1)
    return bool(np.count_nonzero(counts) > 1 and counts.max() < largest * counts.sum())


def photometric(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) in other colours; each change comes in half of the cases.

    Liu et al., "SSD: single shot multibox detector", ECCV 2016, with the ranges of ATRC:
    brightness by up to 32 of 255, contrast and saturation by 0.5 to 1.5, hue by up to 18 of 180.
    """

    def change(values: NDArray[Any], factor: float, added: float) -> NDArray[np.uint8]:
        return np.clip(values.astype(np.float32) * factor + added, 0, 255).astype(np.uint8)

    brightness, contrast, saturation, hue, contrast_first = rng.random(5) < 0.5
    if brightness:
        rgb = change(rgb, 1.0, rng.uniform(-32, 32))
    if contrast and contrast_first:
        rgb = change(rgb, rng.uniform(0.5, 1.5), 0.0)
    if saturation or hue:
        hsv = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
        if saturation:
            hsv[..., 1] = change(hsv[..., 1], rng.uniform(0.5, 1.5), 0.0)
        if hue:
            hsv[..., 0] = (hsv[..., 0].astype(np.int32) + rng.integers(-18, 18)) % 180
        rgb = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    if contrast and not contrast_first:
        rgb = change(rgb, rng.uniform(0.5, 1.5), 0.0)
    return rgb
