"""What a frame gave, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """What a frame gave. Tasks that it did not compute are missing; all maps are of one size.

    Attributes:
        stamp: The image's stamp in nanoseconds.
        maps: Task -> decoded map, by its kind: depth (H, W) float32 metres along the optical
            axis, NaN invalid; segmentation (H, W) uint8 class ids, 255 unlabelled; normals
            (H, W, 3) float32 unit vectors, optical frame, towards the camera; boundary and
            saliency (H, W) uint8 probabilities, 0-255.
        confidence: Task -> (H, W) uint8, 0-255, of the tasks whose kind has it.
        dirty: (rows, columns) bool, the tokens that were recomputed; of what is served from a key,
            in the key.
        reset: Why the cache had been dropped before this frame, else None.
        milliseconds: Stage -> time: ``prepare``, ``select``, the engine's stages, ``decode`` and
            ``total``.
        carried: Frames since the one that was computed, of which this is carried along with the
            image's motion; 0 for a computed one.
    """

    stamp: int
    maps: Mapping[str, NDArray[Any]]
    confidence: Mapping[str, NDArray[np.uint8]]
    dirty: NDArray[np.bool_]
    reset: str | None = None
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    carried: int = 0

    def size(self) -> tuple[int, int] | None:
        """Return width and height of the maps, or None if there is none."""
        for array in self.maps.values():
            return int(array.shape[1]), int(array.shape[0])
        return None
