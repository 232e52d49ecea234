"""New keys mixed with what was carried to their frame: what both agree on is less noisy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtshare_ros.perception.motion.carry import RULES, CameraMotion
from mtshare_ros.perception.motion.flow import Where, at_size, pulled
from mtshare_ros.perception.serving.sight import Sight, known_pixels

RawMap = NDArray[np.float32]
"""(C, h, w)."""

LARGEST_LOG_RATIO = 0.3
"""Of two depths that are taken to be of the same surface."""


def _linear(raw: RawMap, where: Where) -> RawMap:
    """Return a raw map as a later frame sees it."""
    channels = len(raw)
    if channels > 4:  # OpenCV's remap takes up to four at once.
        return np.stack([pulled(plane, where, cv2.INTER_LINEAR) for plane in raw])
    stacked = np.ascontiguousarray(raw.transpose(1, 2, 0))
    found = pulled(stacked, where, cv2.INTER_LINEAR).reshape(*where.shape[:2], channels)
    return np.ascontiguousarray(found.transpose(2, 0, 1))


def _log_probabilities(raw: RawMap) -> RawMap:
    shifted = raw - raw.max(axis=0)
    total = np.log(np.exp(shifted).sum(axis=0))
    return np.asarray(shifted - total, np.float32)


def _unit(raw: RawMap) -> RawMap:
    length = np.sqrt((raw * raw).sum(axis=0))
    return np.asarray(raw / np.maximum(length, 1e-6), np.float32)


def _same(raw: RawMap) -> RawMap:
    return np.array(raw, np.float32)


def _moved_log_depth(raw: RawMap, motion: CameraMotion) -> RawMap:
    """Return log depth, as it was there, as far as it is now."""
    move = RULES["depth"].move
    assert move is not None
    return np.log(move(np.exp(raw[0]), motion))[None]


def _turned(raw: RawMap, motion: CameraMotion) -> RawMap:
    rotation = motion.scene.rotation().astype(np.float32)
    return np.asarray(np.einsum("ij,jhw->ihw", rotation, raw), np.float32)


def _mixed(new: RawMap, old: RawMap, share: float) -> RawMap:
    return np.asarray(share * new + (1.0 - share) * old, np.float32)


def _mixed_probabilities(new: RawMap, old: RawMap, share: float) -> RawMap:
    return np.log(share * np.exp(new) + (1.0 - share) * np.exp(old) + 1e-12)


def _near(new: RawMap, old: RawMap) -> NDArray[np.bool_]:
    return np.asarray(np.abs(new[0] - old[0]) < LARGEST_LOG_RATIO)


@dataclass(frozen=True)
class Fusion:
    """How raw maps of a kind are mixed.

    Attributes:
        normalise: Brings what a head returns to what can be mixed; decodes to the same.
        mix: Mixes a new and an older map; the share is the new one's.
        move: Changes the values as the camera's motion does; None where it changes none.
        agree: Where the two are of the same surface; None: everywhere.
    """

    normalise: Callable[[RawMap], RawMap]
    mix: Callable[[RawMap, RawMap, float], RawMap] = _mixed
    move: Callable[[RawMap, CameraMotion], RawMap] | None = None
    agree: Callable[[RawMap, RawMap], NDArray[np.bool_]] | None = None


FUSIONS: dict[str, Fusion] = {
    "depth": Fusion(_same, move=_moved_log_depth, agree=_near),
    "segmentation": Fusion(_log_probabilities, _mixed_probabilities),
    "normals": Fusion(_unit, move=_turned),
    "boundary": Fusion(_same),
    "saliency": Fusion(_same),
}
"""Kind of task -> how its raw maps are mixed."""


def fused(
    kind: str, new: RawMap, old: RawMap, sight: Sight, share: float, scale: float = 1.0
) -> RawMap:
    """Return a new key's raw map, mixed with an older one's where the two agree.

    Args:
        kind: Kind of the task.
        new: (C, h, w), normalised.
        old: (C, h, w) of the older key, in that key's frame, fused itself.
        sight: How the new key's frame sees the older key.
        share: Of the new one, 0 to 1.
        scale: Metres of the camera in a metre of the raw depth, see ``frame.depth_scale``.
    """
    fusion = FUSIONS[kind]
    if fusion.move is not None and sight.motion is None:
        return new
    assert sight.where is not None
    size = new.shape[:0:-1]
    before = _linear(old, at_size(sight.where, size))
    if fusion.move is not None and sight.motion is not None:
        scene = replace(sight.motion.scene, shift=sight.motion.scene.shift / scale)
        before = fusion.move(before, replace(sight.motion, scene=scene))
    where: Any = known_pixels(sight, size)
    if fusion.agree is not None:
        where = where & fusion.agree(new, before)
    return np.where(where, fusion.mix(new, before, share), new)
