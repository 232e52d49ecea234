"""The self-test of a bundle: an engine that can't reproduce the exporter's outputs is refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.folder import SELFTEST_NAME
from mtshare_ros.bundle.manifest import BundleError, Manifest
from mtshare_ros.errors import reason_of, written
from mtshare_ros.perception.decode import RawMap
from mtshare_ros.perception.engines.bounded_arrays import load_arrays
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.frame import normalise
from mtshare_ros.tasks import Task

_LOG = logging.getLogger(__name__)

_Opened = TypeVar("_Opened")

MAX_SELFTEST_BYTES = 256 << 20
"""Largest size of a self-test's arrays together."""


@dataclass(frozen=True)
class SelfTestFrame:
    """One frame of the self-test's clip.

    Attributes:
        image: (H, W, 3) uint8 at the model's size.
        dirty: (K,) int64, the rows that every graph recomputes, prefix tokens' included.
        raw: Task -> raw map (C, h, w) float32 that the exporter got.
    """

    image: NDArray[np.uint8]
    dirty: NDArray[np.int64]
    raw: dict[str, NDArray[np.float32]]


def save_selftest(folder: Path, frames: list[SelfTestFrame]) -> Path:
    """Write the self-test of the bundle in ``folder`` and return its path."""
    arrays: dict[str, Any] = {}
    for number, frame in enumerate(frames):
        arrays[f"image_{number}"] = frame.image
        arrays[f"dirty_{number}"] = frame.dirty
        arrays.update({f"raw_{task}_{number}": raw for task, raw in frame.raw.items()})
    path = folder / SELFTEST_NAME
    with written(path):
        np.savez_compressed(path, **arrays)
    return path


def load_selftest(folder: Path, manifest: Manifest) -> list[SelfTestFrame]:
    """Read the self-test of a bundle.

    Raises:
        BundleError: It is not one of ours.
    """
    path = folder / SELFTEST_NAME
    try:
        arrays = load_arrays(path, MAX_SELFTEST_BYTES)
        count = sum(name.startswith("image_") for name in arrays)
        frames = [
            SelfTestFrame(
                image=arrays[f"image_{number}"],
                dirty=arrays[f"dirty_{number}"],
                raw={t.name: arrays[f"raw_{t.name}_{number}"] for t in manifest.tasks},
            )
            for number in range(count)
        ]
        for frame in frames:
            _check(frame, manifest)
        return frames
    except (OSError, KeyError, ValueError) as error:
        raise BundleError(f"{path}: not a self-test: {reason_of(error)}") from error


def _check(frame: SelfTestFrame, manifest: Manifest) -> None:
    """Refuse a frame that no engine of this bundle takes.

    Raises:
        ValueError: An array is of another type or size.
    """
    spec, image, dirty = manifest.input, frame.image, frame.dirty
    if image.dtype != np.uint8 or image.shape != (spec.height, spec.width, 3):
        expected = (spec.height, spec.width, 3)
        raise ValueError(f"image {image.shape} {image.dtype}, expected {expected} uint8")
    rows = dirty.dtype == np.int64 and dirty.ndim == 1 and dirty.size > 0
    if not rows or dirty.min() < 0 or dirty.max() >= spec.rows:
        raise ValueError(f"rows {dirty.shape} {dirty.dtype}, expected 0 to {spec.rows - 1}, int64")
    for task, raw in frame.raw.items():
        if raw.dtype != np.float32 or raw.ndim != 3:
            raise ValueError(f"{task} {raw.shape} {raw.dtype}, expected (C, h, w) float32")


def relative_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return max|a - b| / max|b|; infinite where a value is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))


def _half_labels(found: RawMap, expected: RawMap) -> tuple[float, str]:
    wrong = float(np.mean(found.argmax(axis=0) != expected.argmax(axis=0)))
    return wrong / 0.005, f"{100 * wrong:.2f} % of labels (at most 0.5 %)"


def _half_depth(found: RawMap, expected: RawMap) -> tuple[float, str]:
    error = float(np.median(np.abs(np.expm1(found - expected))))
    return error / 0.005, f"{100 * error:.2f} % of depth (at most 0.5 %)"


def _half_normals(found: RawMap, expected: RawMap) -> tuple[float, str]:
    a, b = (v / np.maximum(np.linalg.norm(v, axis=0), 1e-6) for v in (found, expected))
    half = np.arctan2(np.linalg.norm(a - b, axis=0), np.linalg.norm(a + b, axis=0))
    angle = float(np.degrees(2 * np.median(half)))
    return angle / 0.5, f"{angle:.2f} degrees (at most 0.5)"


def _half_probability(found: RawMap, expected: RawMap) -> tuple[float, str]:
    a, b = (1 / (1 + np.exp(-np.clip(v, -30, 30))) for v in (found, expected))
    error = float(np.median(np.abs(a - b)))
    return error / 0.005, f"{error:.4f} of probability (at most 0.005)"


HALF_DIFFERENCES: dict[str, Callable[[RawMap, RawMap], tuple[float, str]]] = {
    "depth": _half_depth,
    "segmentation": _half_labels,
    "normals": _half_normals,
    "boundary": _half_probability,
    "saliency": _half_probability,
}
"""Kind of task -> how far raw maps are apart, as a part of what fp16 may be, and in words."""


def half_difference(task: Task, found: RawMap, expected: RawMap) -> tuple[float, str]:
    """Return how far two raw maps are apart, as a part of what fp16 may be, and in words.

    What counts is what a robot gets: 0.5 % of the labels, a median of 0.5 % of depth, of 0.5
    degrees of normals, of 0.005 of probabilities.
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf"), "not finite"
    return HALF_DIFFERENCES[task.kind](found, expected)


class SelfTestError(EngineError):
    """An engine does not reproduce the self-test."""


def open_with_fallback(precision: str, open_in: Callable[[str], _Opened]) -> _Opened:
    """Open an engine in a precision, or in fp32 if it fails the self-test in fp16.

    Args:
        precision: ``fp16`` or ``fp32``.
        open_in: Opens an engine in a precision and runs the self-test.

    Raises:
        SelfTestError: It fails the self-test in fp32, too.
    """
    try:
        return open_in(precision)
    except SelfTestError as error:
        if precision == "fp32":
            raise
        _LOG.warning("%s; fp16 is not used, opened in fp32 instead", error)
        return open_in("fp32")


def run_selftest(engine: Engine, frames: list[SelfTestFrame]) -> float:
    """Run the clip and return the largest difference as a part of what is tolerated.

    In fp32 a raw map may differ by the manifest's tolerance, relatively; in fp16 its decoded
    values are compared, see ``half_difference``.

    Raises:
        BundleError: The clip is empty.
        SelfTestError: A task's raw map differs by more than is tolerated.
    """
    manifest = engine.manifest
    if not frames:
        raise BundleError(f"bundle {manifest.name}: {SELFTEST_NAME} holds no frame")
    state, worst = engine.new_state(), 0.0
    tolerance = manifest.selftest["tolerance"]
    for number, frame in enumerate(frames):
        indices = {task.name: frame.dirty for task in manifest.tasks}
        output = engine.run(state, normalise(frame.image, manifest.input), frame.dirty, indices)
        for task, expected in frame.raw.items():
            if engine.precision == "fp16":
                part, words = half_difference(manifest.task(task), output.raw[task], expected)
            else:
                difference = relative_difference(output.raw[task], expected)
                part = difference / tolerance
                words = f"{difference:.2g}, expected at most {tolerance:.2g}"
            if not part <= 1.0:
                raise SelfTestError(
                    f"{engine.name}: self-test of bundle {manifest.name}: task {task}, frame "
                    f"{number} differs by {words}"
                )
            worst = max(worst, part)
    return worst
