"""Predictions that are carried along with the image's motion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mtshare_ros.perception.motion.carry import carried, is_moved
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


def test_a_value_comes_from_the_nearest_pixel_or_from_between_by_its_kind() -> None:
    """Half a pixel to the right, and one and a half down."""
    height, width = 4, 6
    y, x = np.mgrid[:height, :width].astype(np.float32)
    where = np.stack([x + 0.25, y + 1.25], axis=-1).astype(np.float32)
    step = (40 * x + 10 * y).astype(np.uint8)
    normals = np.zeros((height, width, 3), np.float32)
    normals[..., 2] = -1.0
    normals[:, 3:] = (1.0, 0.0, 0.0)
    maps = {
        "segmentation": step,
        "depth": step.astype(np.float32),
        "boundary": step,
        "saliency": step,
        "normals": normals,
    }
    key = Predictions(0, maps, {"segmentation": step}, np.ones((1, 1), np.bool_))
    found = carried(key, where, list(TASKS.values()))
    picked, between = step[1, :], 40 * x[1] + 10 * y[1] + 12.5
    for name in ("segmentation", "depth"):
        assert found.maps[name][0].tolist() == picked.tolist()
        assert found.maps[name].dtype == maps[name].dtype
    assert found.confidence["segmentation"][0].tolist() == picked.tolist()
    for name in ("boundary", "saliency"):
        assert np.abs(found.maps[name][0, :-1].astype(float) - between[:-1]).max() <= 1.0
        assert (found.maps[name][-1] >= step[-1]).all()  # below, the border goes on
    turned = found.maps["normals"][0, 2]
    assert turned == pytest.approx(np.array([0.25, 0, -0.75]) / np.hypot(0.25, 0.75), abs=1e-2)


def test_normals_that_cancel_are_finite() -> None:
    normals = np.zeros((1, 2, 3), np.float32)
    normals[0, :, 0] = (1.0, -1.0)
    where = np.array([[[0.5, 0.0], [0.0, 0.0]]], np.float32)
    key = Predictions(0, {"normals": normals}, {}, np.ones((1, 1), np.bool_))
    found = carried(key, where, [TASKS["normals"]]).maps["normals"]
    assert np.isfinite(found).all() and found[0, 1].tolist() == [1, 0, 0]


def test_the_camera_s_motion_changes_depth_and_normals_and_nothing_else() -> None:
    tasks = list(TASKS.values())
    for name in TASKS:
        predictions = Predictions(0, {name: np.zeros((1, 1))}, {}, np.ones((1, 1), np.bool_))
        assert is_moved(predictions, tasks) == (name in ("depth", "normals"))
