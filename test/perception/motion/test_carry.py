"""Predictions that are carried along with the image's motion."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mtshare_ros.perception.motion.carry import CameraMotion, carried, is_moved, moved
from mtshare_ros.perception.motion.flow import ImageMotion, Where, at_size, grey_of
from mtshare_ros.perception.motion.rigid import RigidMotion, pinhole_of
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


def back(motion: ImageMotion, image: np.ndarray, size: tuple[int, int]) -> Where:
    """Return where the pixels of an image were, for maps of some width and height."""
    return at_size(motion.back(grey_of(image)), size)


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
    motion.start(grey_of(texture(0)))
    where = back(motion, texture(SHIFT), SIZE)
    found = carried(key_predictions(), where, list(TASKS.values()))
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
    motion.start(grey_of(texture(0, (640, 480))))
    where = back(motion, texture(8, (640, 480)), SIZE)
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
    assert found.maps["normals"][0].tolist() == normals[1].tolist()


@pytest.mark.parametrize("fill", [True, False])
def test_what_comes_into_view_gets_what_is_at_the_border_or_is_unknown(fill: bool) -> None:
    """Two pixels to the right: the last two columns were not in view."""
    height, width = 4, 6
    y, x = np.mgrid[:height, :width].astype(np.float32)
    where = np.stack([x + 2, y], axis=-1)
    eight_bit = (40 + 10 * x).astype(np.uint8)
    normals = np.dstack([x, y, x]).astype(np.float32)
    maps = {
        "depth": x + 1,
        "segmentation": eight_bit,
        "normals": normals,
        "boundary": eight_bit,
        "saliency": eight_bit,
    }
    key = Predictions(0, maps, {"segmentation": eight_bit}, np.ones((1, 1), np.bool_))
    found = carried(key, where, list(TASKS.values()), fill)
    unknown = {"depth": np.nan, "segmentation": 255, "normals": [np.nan] * 3}
    for name, array in maps.items():
        new = found.maps[name][:, 4:]
        border = np.repeat(array[:, 5:], 2, axis=1)
        expected = border if fill else np.full_like(border, unknown.get(name, 0))
        np.testing.assert_array_equal(new, expected)
        np.testing.assert_array_equal(found.maps[name][:, :4], array[:, 2:])
    sureness = found.confidence["segmentation"][:, 4:]
    assert (sureness == (90 if fill else 0)).all()


def test_depth_is_moved_by_a_motion_that_is_known_at_another_size() -> None:
    """A plane 2 m away, and the camera 0.25 m further back; farther than 2.1 m is invalid."""
    y, x = np.mgrid[:12, :16].astype(np.float32)
    where = np.stack([x, y], axis=-1)
    scene = RigidMotion(np.zeros(3), np.array([0.0, 0.0, 0.25]))
    motion = CameraMotion(where, scene, pinhole_of(0.8, SIZE, (16, 12)))
    depth = np.full((120, 160), 2.0, np.float32)
    depth[0, 0] = np.nan
    key = Predictions(0, {"depth": depth}, {}, np.ones((1, 1), np.bool_))
    found = moved(key, motion, [TASKS["depth"]]).maps["depth"]
    assert np.isnan(found[0, 0]) and found.ravel()[1:] == pytest.approx(2.25)
    near = moved(key, replace(motion, max_depth=2.1), [TASKS["depth"]]).maps["depth"]
    assert np.isnan(near).all()
    assert key.maps["depth"][1, 1] == 2.0


def test_a_turn_about_the_image_s_axis_changes_no_depth_and_one_about_x_tilts_it() -> None:
    """Z' = Z (a x + b y + c) with the last row (a, b, c) of the rotation; x, y of the pixel."""
    y, x = np.mgrid[:12, :16].astype(np.float32)
    where = np.stack([x, y], axis=-1)
    camera = pinhole_of(0.8, SIZE, (16, 12))
    key = Predictions(
        0, {"depth": np.full((120, 160), 2.0, np.float32)}, {}, np.ones((1, 1), np.bool_)
    )

    def depth(*turn: float) -> np.ndarray:
        motion = CameraMotion(where, RigidMotion(np.array(turn), np.zeros(3)), camera)
        return moved(key, motion, [TASKS["depth"]]).maps["depth"]

    assert depth(0, 0, 0.3) == pytest.approx(2.0)
    angle = 0.1
    tilted = depth(angle, 0, 0)
    rows = (np.arange(120) + 0.5 - 60) / (0.8 * 160)
    expected = 2 * (np.sin(angle) * rows + np.cos(angle))
    # The border goes on for half a pixel of the small map, which is five of the large one.
    assert tilted[6:-6] == pytest.approx(np.repeat(expected[6:-6, None], 160, axis=1), abs=1e-4)


def test_the_camera_s_motion_changes_depth_and_normals_and_nothing_else() -> None:
    tasks = list(TASKS.values())
    for name in TASKS:
        predictions = Predictions(0, {name: np.zeros((1, 1))}, {}, np.ones((1, 1), np.bool_))
        assert is_moved(predictions, tasks) == (name in ("depth", "normals"))
