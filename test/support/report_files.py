"""A small run with known figures, to write reports of."""

from __future__ import annotations

import numpy as np

from mtshare_ros.bundle.manifest import InputSpec, LayerShare, Manifest, PrivateShare
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Run, Scores
from mtshare_ros.perception.selection import DENSE
from mtshare_ros.tasks import TASKS, UNLABELLED

ALL_TASKS = (TASKS["normals"], TASKS["depth"], TASKS["segmentation"])
RUN = Run("models/<b>&co", "onnxruntime", "tokens", "clip.mcap", 5)
SIZE = (24, 32)


def manifest() -> Manifest:
    """Return one of three tasks, with text that has to be escaped."""
    share = PrivateShare(0.32, (LayerShare(1, 64), LayerShare(0, 32)))
    private = {"depth": share, "segmentation": share}
    spec = InputSpec(32, 24, (120.0,) * 3, 1 / 60, 16, 4, 0.8)
    return Manifest(1, "test", "A <test>.", spec, {}, ALL_TASKS, {}, private, {})


def outcome(index: int, off: float = 1.1, grey: int | None = None) -> Outcome:
    """Return a frame whose depth is wrong by a factor, and whose other maps are right.

    Args:
        index: Number of the frame: it seeds the maps, and is part of the time.
        off: Predicted by true depth.
        grey: Level of the image; noise by default.
    """
    rng = np.random.default_rng(index)
    normals = rng.normal(size=(*SIZE, 3)).astype(np.float32)
    truths = {
        "normals": normals / np.linalg.norm(normals, axis=-1, keepdims=True),
        "depth": rng.uniform(1, 5, SIZE).astype(np.float32),
        "segmentation": rng.integers(0, 3, SIZE).astype(np.uint8),
    }
    truths["depth"][:4] = np.nan
    truths["segmentation"][:4] = UNLABELLED
    predictions = {**truths, "depth": truths["depth"] * np.float32(off)}
    rgb = rng.integers(0, 255, (*SIZE, 3)).astype(np.uint8)
    if grey is not None:
        rgb[:] = grey
    dirty = np.ones((3, 4), bool) if index == 0 else np.eye(3, 4, dtype=bool)
    times = {"stem": 1.0, "total": 2.0 + index}
    return Outcome(rgb, predictions, truths, dirty, times, truths, f"{index / 30:.2f} s")


def scores_of(*outcomes: Outcome) -> Scores:
    """Return the scores of frames; the dense network is right and takes 9 ms."""
    scores = Scores(ALL_TASKS)
    for one in outcomes:
        scores.baseline(DENSE, one.truths, one.truths, {"total": 9.0})
        scores.update(one)
    return scores
