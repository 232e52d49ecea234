"""Frames that a bundle can be scored on, wherever they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.evaluation.outcome import Maps, Outcome
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import Task

Region = tuple[slice, slice]
"""Rows and columns of an image."""


@dataclass(frozen=True)
class InputFrame:
    """An image to run through a bundle, with the truth about it.

    Attributes:
        image: (H, W, 3) uint8 RGB, as the stream gets it.
        stamp: Nanoseconds, or the image's number where there is no time.
        truths: Task -> map of the region's size; a task without ground truth is missing.
        focal_length: fx / image width, or None where it is not known.
        label: What to call the frame besides its number: a time, or a file's name.
        follows: Whether it follows the frame before in time; if not, the stream forgets that one.
        region: The part of the image that is scored.
        pool: Part of the source that the report also scores by itself, if there are such parts.
    """

    image: NDArray[np.uint8]
    stamp: int
    truths: Maps
    focal_length: float | None = None
    label: str = ""
    follows: bool = False
    region: Region = (slice(None), slice(None))
    pool: str = ""


class Frames(Protocol):
    """Frames to score, in their order."""

    @property
    def title(self) -> str:
        """Where they come from, for people."""
        ...

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks to compute and to score."""
        ...

    @property
    def max_distance(self) -> float:
        """How far boundaries may be apart, in image diagonals."""
        ...

    def __len__(self) -> int:
        """Return how many frames there should be."""
        ...

    def __iter__(self) -> Iterator[InputFrame]:
        """Yield the frames."""
        ...

    def update(self, frame: InputFrame, outcome: Outcome) -> None:
        """Take note of what a frame gave."""
        ...

    def result(self, scores: Scores) -> dict[str, Any]:
        """Return the entries of ``report.json`` that only such frames have."""
        ...


Source = Callable[[Manifest], Frames]
"""Returns the frames that the bundle of a manifest can be scored on, or refuses the bundle."""
