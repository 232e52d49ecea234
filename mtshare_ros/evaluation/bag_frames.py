"""The frames of a bag, which follow each other in time, and how much predictions flicker there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.datasets.bags.reader import TRUTH_FIELDS, ClipReader
from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.outcome import Maps, Outcome, time_label, truths_of
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.metrics import class_count, disagreement
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE
from mtshare_ros.perception.camera.calibration import AUTO
from mtshare_ros.tasks import KINDS, Task

WINDOW = 5
"""Side of the squares that the image is averaged over, which takes most of a sensor's noise."""
LARGEST_CHANGE = 2.0
"""Change of the averaged image up to which a pixel is static, in levels of 255."""


class Flicker:
    """The mean change of static pixels from frame to frame, in the units of ``disagreement``.

    A pixel is static if no channel of the averaged image changed by more than ``LARGEST_CHANGE``
    since the frame before. There, predictions should stay as they were. While the camera moves,
    few pixels are static, and those are without texture.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        """Start empty."""
        self._tasks = tasks
        self._before: tuple[NDArray[np.float32], Maps] | None = None
        self._sums = {task.name: 0.0 for task in tasks}
        self._pixels = 0

    def update(self, rgb: NDArray[np.uint8], maps: Maps) -> None:
        """Add the next frame: an image (H, W, 3) and its maps, of the same size."""
        smooth = np.asarray(cv2.blur(rgb.astype(np.float32), (WINDOW, WINDOW)), np.float32)
        before, self._before = self._before, (smooth, maps)
        if before is None or before[0].shape != smooth.shape:
            return
        static = np.abs(smooth - before[0]).max(-1) <= LARGEST_CHANGE
        count = int(np.count_nonzero(static))
        if not count:
            return
        self._pixels += count
        for task in self._tasks:
            old, new = before[1][task.name][static], maps[task.name][static]
            self._sums[task.name] += count * disagreement(task, new, old)

    def result(self) -> dict[str, float]:
        """Return the mean over all static pixels by task; empty where there was none."""
        if not self._pixels:
            return {}
        return {name: total / self._pixels for name, total in self._sums.items()}


class BagFrames:
    """The images of a bag as ``Frames``; what flickers is scored besides."""

    max_distance = MAX_DISTANCE

    def __init__(
        self, path: Path, topic: str | None, manifest: Manifest, intrinsics: str = AUTO
    ) -> None:
        """Look into the bag.

        Args:
            path: The bag.
            topic: Topic of its images; see ``ClipReader``.
            manifest: Manifest of the bundle that is scored.
            intrinsics: Which matrix of the calibration is the images'; see ``ClipReader``.

        Raises:
            BagError: The bag can't be read or has no images of a camera.
        """
        self.title = str(path)
        self.tasks = manifest.tasks
        self._reader = ClipReader(path, class_count(self.tasks), topic, intrinsics)
        self._flicker, self._dense_flicker = Flicker(self.tasks), Flicker(self.tasks)

    def __len__(self) -> int:
        """See ``Frames``."""
        return len(self._reader)

    def __iter__(self) -> Iterator[InputFrame]:
        """See ``Frames``.

        Raises:
            BagError: Most of the bag can't be read, or it holds what can't be evaluated.
            IncompleteBagError: A part of the bag was lost; the rest was yielded before.
        """
        start: int | None = None
        for frame in self._reader:
            start = frame.stamp if start is None else start
            yield InputFrame(
                image=frame.rgb,
                stamp=frame.stamp,
                truths=truths_of(frame, self.tasks),
                focal_length=frame.focal_length,
                label=time_label(frame.stamp - start),
                follows=True,
            )

    def update(self, frame: InputFrame, outcome: Outcome) -> None:
        """Add the flicker of the run and of the dense network."""
        self._flicker.update(outcome.rgb, outcome.predictions)
        if outcome.reference is not None:
            self._dense_flicker.update(outcome.rgb, outcome.reference)

    def result(self, scores: Scores) -> dict[str, Any]:
        """Return what flickers, how the bag's truth and calibration were used, and warnings."""
        found = self._reader.calibration.intrinsics
        return {
            "flicker": self._flicker.result(),
            "flicker_dense": self._dense_flicker.result(),
            "intrinsics": None if found is None else str(found),
            "truth_offset_ms": self._truth_offsets(),
            "warnings": self._warnings(),
        }

    def _truth_offsets(self) -> dict[str, float]:
        """Return task -> largest difference between the stamps of an image and of its truth."""
        fields = {TRUTH_FIELDS[topic]: p for topic, p in self._reader.pairings.items()}
        used = {task.name: fields.get(KINDS[task.kind].truth) for task in self.tasks}
        return {name: p.largest_offset / 1e6 for name, p in used.items() if p and p.image_of}

    def _warnings(self) -> list[str]:
        problem = self._reader.calibration.problem
        metric = [task.name for task in self.tasks if KINDS[task.kind].in_metres]
        if not (problem and metric):
            return list(self._reader.warnings)
        known = self._reader.calibration.intrinsics is not None
        which = "some frames" if known else "all frames"
        text = f"{problem}; in {which} {', '.join(metric)} is scaled as for the training's camera"
        return [text, *self._reader.warnings]
