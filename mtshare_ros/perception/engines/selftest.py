"""The self-test of a bundle: an engine that can't reproduce the exporter's outputs is refused."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle import SELFTEST_NAME
from mtshare_ros.manifest import BundleError, Manifest
from mtshare_ros.perception.engines.bounded_arrays import load_arrays
from mtshare_ros.perception.engines.interface import Engine, EngineError
from mtshare_ros.perception.frame import normalise

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
    arrays: dict[str, NDArray[np.generic]] = {}
    for number, frame in enumerate(frames):
        arrays[f"image_{number}"] = frame.image
        arrays[f"dirty_{number}"] = frame.dirty
        arrays.update({f"raw_{task}_{number}": raw for task, raw in frame.raw.items()})
    path = folder / SELFTEST_NAME
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
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
        return [
            SelfTestFrame(
                image=arrays[f"image_{number}"],
                dirty=arrays[f"dirty_{number}"],
                raw={t.name: arrays[f"raw_{t.name}_{number}"] for t in manifest.tasks},
            )
            for number in range(count)
        ]
    except (OSError, KeyError, ValueError) as error:
        raise BundleError(f"{path}: not a self-test: {error}") from error


def relative_difference(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Return max|a - b| / max|b|; infinite where a value is not finite."""
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))


def run_selftest(engine: Engine, frames: list[SelfTestFrame]) -> float:
    """Run the clip and return the largest relative difference.

    Raises:
        BundleError: The clip is empty.
        EngineError: A task's raw map differs by more than the manifest's tolerance.
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
            difference = relative_difference(output.raw[task], expected)
            if not difference <= tolerance:
                raise EngineError(
                    f"{engine.name}: self-test of bundle {manifest.name}: task {task}, frame "
                    f"{number} differs by {difference:.2g}, expected at most {tolerance:.2g}"
                )
            worst = max(worst, difference)
    return worst
