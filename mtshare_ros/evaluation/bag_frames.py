"""The frames of a bag, which follow each other in time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.evaluation.flicker import Flicker
from mtshare_ros.evaluation.frames import InputFrame
from mtshare_ros.evaluation.outcome import Outcome, time_label, truths_of
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.metrics import class_count
from mtshare_ros.metrics.boundary_matching import MAX_DISTANCE


class BagFrames:
    """The images of a bag as ``Frames``; what flickers is scored besides."""

    max_distance = MAX_DISTANCE

    def __init__(self, path: Path, topic: str | None, manifest: Manifest) -> None:
        """Look into the bag.

        Args:
            path: The bag.
            topic: Topic of its images; see ``ClipReader``.
            manifest: Manifest of the bundle that is scored.

        Raises:
            BagError: The bag can't be read or has no images of a camera.
        """
        self.title = str(path)
        self.tasks = manifest.tasks
        self._reader = ClipReader(path, class_count(self.tasks), topic, salvage=True)
        self._flicker, self._dense_flicker = Flicker(self.tasks), Flicker(self.tasks)

    def __len__(self) -> int:
        """See ``Frames``."""
        return len(self._reader)

    def __iter__(self) -> Iterator[InputFrame]:
        """See ``Frames``.

        Raises:
            BagError: The bag is damaged or cut off, or holds what can't be evaluated.
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
        """Return ``flicker`` and ``flicker_dense``."""
        return {"flicker": self._flicker.result(), "flicker_dense": self._dense_flicker.result()}
