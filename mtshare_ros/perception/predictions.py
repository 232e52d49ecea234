"""What a frame gave, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """What a frame gave. Tasks that it did not compute are None; all arrays are of one size.

    Attributes:
        stamp: The image's stamp in nanoseconds.
        depth: (H, W) float32 metres along the optical axis, NaN invalid.
        labels: (H, W) uint8 class ids of the first segmentation task, 255 unlabelled.
        confidence: (H, W) uint8, 0-255; comes with ``labels``.
        normals: (H, W, 3) float32 unit vectors, optical frame, towards the camera.
        dirty: (rows, columns) bool, the tokens that were recomputed.
        reset: Why the cache had been dropped before this frame, else None.
        milliseconds: Stage -> time: ``prepare``, ``select``, the engine's stages, ``decode`` and
            ``total``.
        probabilities: Task -> (H, W) uint8, 0-255, of the tasks whose kind is one of
            ``PROBABILITY_KINDS``.
        masks: Segmentation task -> class ids and confidence, each as ``labels`` and
            ``confidence``.
        carried: Frames since the one that was computed, of which this is carried along with the
            image's motion; 0 for a computed one.
    """

    stamp: int
    depth: NDArray[np.float32] | None
    labels: NDArray[np.uint8] | None
    confidence: NDArray[np.uint8] | None
    normals: NDArray[np.float32] | None
    dirty: NDArray[np.bool_]
    reset: str | None
    milliseconds: dict[str, float]
    probabilities: dict[str, NDArray[np.uint8]] = field(default_factory=dict)
    masks: dict[str, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = field(default_factory=dict)
    carried: int = 0

    def size(self) -> tuple[int, int] | None:
        """Return width and height of the arrays, or None if there is none."""
        arrays: list[NDArray[Any] | None] = [
            self.depth,
            self.normals,
            *(ids for ids, _ in self.masks.values()),
            *self.probabilities.values(),
        ]
        shapes = [array.shape for array in arrays if array is not None]
        return (int(shapes[0][1]), int(shapes[0][0])) if shapes else None
