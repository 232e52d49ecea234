"""From a raw map at stride 4 to arrays that a robot can use: metres, class ids, unit vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.tasks import KINDS, Task

RawMap = NDArray[np.float32]
"""(C, h, w) float32 at stride 4 of the model's input, as a head returns it."""

_SUM_OF_CHANNELS = np.ones((1, 3), np.float32)


class Decoder:
    """Upsamples and decodes raw maps to one size.

    It keeps its scratch memory: fresh megabyte arrays are handed back to the system after each
    frame, and touching them anew takes several times as long as the arithmetic. The returned
    arrays are new each time.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        """Make a decoder to ``size`` (width, height)."""
        width, height = size
        self.size = size
        self._planes = [np.empty((height, width), np.float32) for _ in range(2)]
        self._vectors = [np.empty((height, width, 3), np.float32) for _ in range(2)]
        self._mask = np.empty((height, width), np.uint8)

    def _upsample(self, raw: RawMap, out: NDArray[Any]) -> NDArray[Any]:
        """Bilinear, pixel centres at half coordinates, as in training."""
        return cv2.resize(raw, self.size, dst=out, interpolation=cv2.INTER_LINEAR)

    def depth(
        self, raw: RawMap, task: Task, scale: float = 1.0, max_depth: float = np.inf
    ) -> NDArray[np.float32]:
        """Return depth in metres along the optical axis.

        Args:
            raw: (1, h, w) logarithm of metres.
            task: The depth task; below its range values are clipped, beyond it they are NaN.
            scale: Factor for a camera with another focal length, see ``frame.depth_scale``.
            max_depth: Metres; what is farther becomes NaN.

        Returns:
            (H, W) float32.
        """
        low, high = task.value_range or (1e-3, 1e3)
        logarithm = self._upsample(raw[0], self._planes[0])
        np.clip(logarithm, np.log(low), np.log(high) + 1.0, out=logarithm)
        depth: NDArray[Any] = cv2.exp(logarithm)
        if scale != 1.0:
            depth *= np.float32(scale)
        farthest = min(max_depth, high * scale)
        np.copyto(depth, np.float32(np.nan), where=depth > farthest)
        return depth

    def labels(self, raw: RawMap) -> NDArray[np.uint8]:
        """Return the class with the largest upsampled logit, the first one of equals.

        Args:
            raw: (C, h, w) logits, C <= 255.

        Returns:
            (H, W) uint8 class ids.
        """
        best, plane = self._planes
        self._upsample(raw[0], best)
        labels: NDArray[Any] = np.zeros(best.shape, np.uint8)
        # Plane by plane: numpy's argmax over a strided axis takes several times as long. A later
        # class has a larger id, so writing it is taking the maximum.
        for label in range(1, len(raw)):
            self._upsample(raw[label], plane)
            cv2.compare(plane, best, cv2.CMP_GT, dst=self._mask)
            cv2.bitwise_and(self._mask, np.full(1, label, np.uint8), dst=self._mask)
            cv2.max(labels, self._mask, dst=labels)
            cv2.max(plane, best, dst=best)
        return labels

    def confidence(self, raw: RawMap) -> NDArray[np.uint8]:
        """Return the largest class probability, 0-255; softmax at stride 4, then upsampled.

        Args:
            raw: (C, h, w) logits.

        Returns:
            (H, W) uint8.
        """
        # The largest probability is 1 / sum exp(logit - largest logit).
        total = cv2.exp((raw - raw.max(axis=0)).reshape(len(raw), -1)).sum(axis=0)
        confidence = (255.0 / total).reshape(raw.shape[1:]).astype(np.uint8)
        full: NDArray[Any] = cv2.resize(confidence, self.size, interpolation=cv2.INTER_LINEAR)
        return full

    def probability(self, raw: RawMap) -> NDArray[np.uint8]:
        """Return the probability of the upsampled logit, 0-255.

        Args:
            raw: (1, h, w) logits.

        Returns:
            (H, W) uint8.
        """
        logit = self._upsample(raw[0], self._planes[0])
        np.clip(logit, -30.0, 30.0, out=logit)  # Beyond, the exponential may overflow.
        np.negative(logit, out=logit)
        odds: NDArray[Any] = cv2.exp(logit, dst=self._planes[1])
        odds += 1.0
        probability: NDArray[Any] = cv2.convertScaleAbs(cv2.divide(255.0, odds, dst=odds))
        return probability

    def normals(self, raw: RawMap) -> NDArray[np.float32]:
        """Return unit vectors in the optical frame.

        Args:
            raw: (3, h, w), any length.

        Returns:
            (H, W, 3) float32. Where opposite neighbours cancel, the vector is (0, 0, -1), which
            faces the camera.
        """
        length = np.maximum(np.sqrt((raw * raw).sum(axis=0)), 1e-6)
        small = np.ascontiguousarray((raw / length).transpose(1, 2, 0))
        vectors, scratch = self._vectors
        plane = self._planes[0]
        self._upsample(small, vectors)
        cv2.multiply(vectors, vectors, dst=scratch)
        cv2.transform(scratch, _SUM_OF_CHANNELS, dst=plane)
        cv2.sqrt(plane, dst=plane)
        if plane.min() < 1e-6:
            gone = plane < 1e-6
            vectors[gone], plane[gone] = (0.0, 0.0, -1.0), 1.0
        cv2.merge([plane, plane, plane], dst=scratch)
        normals: NDArray[Any] = cv2.divide(vectors, scratch)
        return normals


Decode = Callable[[Decoder, RawMap, Task, float, float], NDArray[Any]]
"""Takes a decoder, a raw map, its task, and the scale and the maximum of depth."""

DECODERS: dict[str, Decode] = {
    "depth": Decoder.depth,
    "segmentation": lambda decoder, raw, *_: decoder.labels(raw),
    "normals": lambda decoder, raw, *_: decoder.normals(raw),
    "boundary": lambda decoder, raw, *_: decoder.probability(raw),
    "saliency": lambda decoder, raw, *_: decoder.probability(raw),
}
"""Kind of task -> what makes a map out of a raw one."""


def decode(
    decoder: Decoder, task: Task, raw: RawMap, scale: float = 1.0, max_depth: float = np.inf
) -> NDArray[Any]:
    """Return the map of a task, as ``Predictions`` has it.

    Args:
        decoder: To the size of the map.
        task: The task.
        raw: (C, h, w), as its head returns it.
        scale: Factor on depth, see ``frame.depth_scale``.
        max_depth: Metres; depth beyond becomes NaN.
    """
    return DECODERS[task.kind](decoder, raw, task, scale, max_depth)


def decode_confidence(decoder: Decoder, task: Task, raw: RawMap) -> NDArray[np.uint8] | None:
    """Return the confidence (H, W), 0-255, that comes with a task's map; None without one."""
    return decoder.confidence(raw) if KINDS[task.kind].has_confidence else None
