"""Predictions that are carried along with the image's motion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mtshare_ros.perception.motion.carry import carried
from mtshare_ros.perception.motion.flow import ImageMotion
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.tasks import TASKS

SIZE = (160, 120)
SHIFT = 6


def texture(shift: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Return a view of one texture, ``shift`` pixels further to the right."""
    width, height = size
    coarse = np.random.default_rng(0).integers(0, 255, (16, 24, 3), dtype=np.uint8)
    whole = cv2.resize(coarse, (width + 64, height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(whole[:, shift : shift + width])


def key_predictions() -> Predictions:
    """Return predictions of a scene whose left half is nearer, of class 1, facing left."""
    width, height = SIZE
    left = np.arange(width)[None].repeat(height, 0) < width // 2
    normals = np.where(left[..., None], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]).astype(np.float32)
    labels = np.where(left, 1, 2).astype(np.uint8)
    return Predictions(
        stamp=0,
        maps={
            "normals": normals,
            "depth": np.where(left, 1.0, 3.0).astype(np.float32),
            "segmentation": labels,
            "boundary": np.where(left, 255, 0).astype(np.uint8),
        },
        confidence={"segmentation": np.where(left, 100, 200).astype(np.uint8)},
        dirty=np.ones((7, 10), np.bool_),
    )


def test_predictions_move_with_the_image() -> None:
    motion = ImageMotion()
    motion.start(texture(0))
    found = carried(key_predictions(), motion.back(texture(SHIFT), SIZE), list(TASKS.values()))
    inside = (slice(12, -12), slice(12, -12))
    edge = SIZE[0] // 2 - SHIFT - 12
    columns = np.argmax(found.maps["segmentation"][inside] == 2, axis=1)
    assert np.abs(columns - edge).max() <= 1
    assert set(np.unique(found.maps["depth"])) == {np.float32(1.0), np.float32(3.0)}
    assert np.linalg.norm(found.maps["normals"], axis=-1) == pytest.approx(1.0, abs=1e-3)
    sureness = np.where(found.maps["segmentation"] == 1, 100, 200)
    assert np.array_equal(found.confidence["segmentation"], sureness)
    assert found.maps["boundary"].shape == (SIZE[1], SIZE[0])


def test_a_flow_of_a_large_image_is_in_the_pixels_of_what_is_carried() -> None:
    motion = ImageMotion()
    motion.start(texture(0, (640, 480)))
    where = motion.back(texture(8, (640, 480)), SIZE)
    assert where.shape == (SIZE[1], SIZE[0], 2)
    moved = where[20:-20, 20:-20, 0] - np.arange(20, SIZE[0] - 20)
    assert np.median(moved) == pytest.approx(8 * SIZE[0] / 640, abs=0.1)
