"""From a teacher's output to labels, by the kind of its task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.datasets.bags import pixels
from mtshare_ros.tasks import UNLABELLED

Array = NDArray[Any]
Confidence = NDArray[np.float32]
"""(H, W), 0 to 1."""

APART_DEPTH = 0.25
"""Relative difference between an image and its mirror image at which depth has no confidence."""
APART_DEG = 45.0
"""The same for normals, in degrees."""


@dataclass(frozen=True)
class Labels:
    """The labels of an image.

    Attributes:
        values: As ``image_sets.image_set.Sample`` has the truth of its kind; boundary and
            saliency are probabilities, 0 to 1.
        confidence: (H, W) float32, 0 to 1.
    """

    values: Array
    confidence: Confidence


@dataclass(frozen=True)
class RawOutput:
    """What a teacher gave for one image, and what its settings say of it.

    Attributes:
        array: (h, w), (C, h, w) or (h, w, C).
        size: Width and height of the labels.
        means: What the numbers mean: one of the kind's ``meanings``.
        layout: Where the channels are: ``nchw`` or ``nhwc``.
        scale: Factor that turns depth into metres.
        axes: (3, 3), turns stored normals into the optical frame.
        range: Nearest and farthest depth that is a label, in metres.
        classes: The teacher's ids of each class, in the order of the classes.
    """

    array: Array
    size: tuple[int, int]
    means: str
    layout: str
    scale: float
    axes: Array
    range: tuple[float, float]
    classes: tuple[tuple[int, ...], ...]

    def resized(self, channels: int) -> NDArray[np.float32]:
        """Return the numbers at the labels' size: (H, W) of one channel, else (H, W, channels)."""
        raw = self.array
        if channels > 1 or raw.ndim != 2:
            axis = 0 if self.layout == "nchw" else -1
            if raw.ndim != 3 or raw.shape[axis] != channels:
                raise _unexpected(str(raw.shape), f"{channels} channels in layout {self.layout}")
            raw = np.moveaxis(raw, axis, -1)
            raw = raw[..., 0] if channels == 1 else raw
        plain = np.ascontiguousarray(raw, np.float32)
        return np.asarray(cv2.resize(plain, self.size, interpolation=cv2.INTER_LINEAR))

    def everywhere(self) -> Confidence:
        """Return full confidence in every pixel."""
        return np.ones(self.size[::-1], np.float32)


def _unexpected(found: str, expected: str) -> ValueError:
    return ValueError(f"{found}; expected {expected}")


def _depth(raw: RawOutput) -> tuple[Array, Confidence]:
    plane: Array = raw.resized(1)
    with np.errstate(divide="ignore", over="ignore"):
        if raw.means == "log_metres":
            plane = np.exp(plane)
        elif raw.means == "inverse_metres":
            plane = 1 / plane
    depth = plane * np.float32(raw.scale)
    near, far = raw.range
    valid = (depth >= near) & (depth <= far)
    return np.where(valid, depth, np.nan).astype(np.float32), raw.everywhere()


def _normals(raw: RawOutput) -> tuple[Array, Confidence]:
    vectors = raw.resized(3)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    normals = np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), 0)
    return (normals @ raw.axes.T).astype(np.float32), raw.everywhere()


def _probability(raw: RawOutput) -> tuple[Array, Confidence]:
    plane = raw.resized(1)
    share = 1 / (1 + np.exp(-plane)) if raw.means == "logits" else plane
    if not (share.min() >= -1e-3 and share.max() <= 1.001):
        raise _unexpected(f"{share.min():g} to {share.max():g}", "probabilities, 0 to 1")
    return np.clip(share, 0, 1), np.abs(2 * share - 1).astype(np.float32)


def _classes(raw: RawOutput) -> tuple[Array, Confidence]:
    largest = max(max(ids) for ids in raw.classes)
    if raw.means == "ids":
        return _from_ids(raw, largest), raw.everywhere()
    array = raw.array
    axis = 0 if raw.layout == "nchw" else -1
    scores = np.moveaxis(array, axis, 0).astype(np.float32) if array.ndim == 3 else array
    if array.ndim != 3 or len(scores) <= largest:
        raise _unexpected(str(array.shape), f"more than {largest} channels, one per id")
    if raw.means == "logits":
        scores = np.exp(scores - scores.max(0))
        scores /= scores.sum(0)
    named = [scores[list(ids)].sum(0) for ids in raw.classes]
    other = 1 - np.sum(named, axis=0)
    planes = np.stack(
        [cv2.resize(p, raw.size, interpolation=cv2.INTER_LINEAR) for p in (*named, other)]
    )
    labels = planes.argmax(0)
    labels = np.where(labels == len(named), UNLABELLED, labels).astype(np.uint8)
    return labels, np.clip(planes.max(0).astype(np.float32), 0, 1)


def _from_ids(raw: RawOutput, largest: int) -> NDArray[np.uint8]:
    plane = np.squeeze(raw.array)
    if plane.ndim != 2:
        raise _unexpected(str(raw.array.shape), "one id per pixel")
    if plane.dtype.kind == "f" and (plane != np.rint(plane)).any():
        part = plane[plane != np.rint(plane)].flat[0]
        raise _unexpected(f"id {part:g}", "whole numbers")
    table = np.full(largest + 2, UNLABELLED, np.uint8)
    for number, ids in enumerate(raw.classes):
        table[list(ids)] = number
    # Other ids, below 0 too, are in no class.
    known = (plane >= 0) & (plane <= largest)
    ids_here = table[np.where(known, plane, largest + 1).astype(np.int64)]
    resized = cv2.resize(ids_here, raw.size, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.uint8)


def _depth_agreement(values: Array, mirrored: Array) -> Confidence:
    with np.errstate(invalid="ignore"):
        return _sure(np.abs(mirrored - values) / np.minimum(mirrored, values) / APART_DEPTH)


def _normals_agreement(values: Array, mirrored: Array) -> Confidence:
    cosine = (mirrored * np.array([-1, 1, 1], np.float32) * values).sum(-1)
    return _sure(np.degrees(np.arccos(np.clip(cosine, -1, 1))) / APART_DEG)


def _sure(apart: Array) -> Confidence:
    """Return 1 where nothing is apart, and 0 from a distance of 1 on or where it is NaN."""
    return np.nan_to_num(1 - np.minimum(apart, 1), nan=0.0).astype(np.float32)


@dataclass(frozen=True)
class KindLabels:
    """How a teacher of a kind labels.

    Attributes:
        meanings: What the numbers of its output can mean.
        read: Returns values and confidence of an output. Values are as ``image_sets.image_set``
            has the truth of the kind; probabilities are 0 to 1.
        stored: Returns the values as PNG holds them.
        agreement: Returns the confidence that follows from the values of the mirrored image,
            mirrored back; None where the output itself states it.
    """

    meanings: tuple[str, ...]
    read: Callable[[RawOutput], tuple[Array, Confidence]]
    stored: Callable[[Array], Array]
    agreement: Callable[[Array, Array], Confidence] | None = None


def _bytes(share: Array) -> NDArray[np.uint8]:
    return np.rint(255 * share).astype(np.uint8)


_PROBABILITY = KindLabels(("logits", "probabilities"), _probability, _bytes)

KIND_LABELS: dict[str, KindLabels] = {
    "depth": KindLabels(
        ("metres", "log_metres", "inverse_metres"), _depth, pixels.millimetres, _depth_agreement
    ),
    "segmentation": KindLabels(("logits", "probabilities", "ids"), _classes, np.asarray),
    "normals": KindLabels(("vectors",), _normals, pixels.coloured_normals, _normals_agreement),
    "boundary": _PROBABILITY,
    "saliency": _PROBABILITY,
}
"""Kind of task -> how a teacher labels for it."""
