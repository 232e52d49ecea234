"""How a frame sees a key: what the camera's motion made of it, and what is unknown."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mtshare_ros.perception.motion.flow import ImageMotion, Where, grey_of
from mtshare_ros.perception.serving.sight import (
    Key,
    depth_at,
    known_pixels,
    seen,
    sight_of,
)
from mtshare_ros.perception.view import View, view_of
from mtshare_ros.tasks import TASKS
from support.panning import SIZE, SPEC, image, predictions, view

TASK_LIST = list(TASKS.values())


def where_of(before: View, now: View) -> Where:
    motion = ImageMotion()
    motion.start(grey_of(before.small))
    return motion.back(grey_of(now.small))


def key_of(before: View, metres: float = 2.0, back: Where | None = None, **tasks: bool) -> Key:
    found = predictions(0, 0, *tasks, metres=metres)
    depth = found.maps.get("depth")
    small = None if depth is None else depth_at(depth, SIZE)
    return Key(found, before, small, {}, back)


def zoomed(factor: float, turn: float = 0.0) -> View:
    """Return what a camera sees that came nearer to the wall, and turned about its axis."""
    middle = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
    matrix = cv2.getRotationMatrix2D(middle, np.degrees(turn), factor)
    return view_of(
        np.asarray(cv2.warpAffine(image(60), matrix, SIZE, borderMode=cv2.BORDER_REFLECT)), 1, SPEC
    )


def test_depth_is_as_far_as_it_is_now_that_the_camera_came_nearer() -> None:
    """A wall at 2 m that looks 1.1 times as large is 2 / 1.1 m away."""
    before, now = view(60, 0), zoomed(1.1)
    sight = sight_of(key_of(before), now, where_of(before, now), TASK_LIST, 0.8)
    assert sight.motion is not None
    assert sight.motion.scene.shift[2] == pytest.approx(2 / 1.1 - 2, abs=0.03)
    maps = seen(sight, TASK_LIST, True, 20.0).maps
    assert maps["depth"][20:-20, 20:-20] == pytest.approx(2 / 1.1, abs=0.04)
    assert maps["normals"][20:-20, 20:-20, 2] == pytest.approx(-1.0, abs=0.01)
    far = seen(sight, TASK_LIST, True, 1.5).maps
    assert np.isnan(far["depth"]).all() and np.isfinite(far["normals"]).all()


def test_where_nothing_has_a_depth_the_camera_s_turn_is_found_all_the_same() -> None:
    before, now = view(60, 0), zoomed(1.0, turn=0.1)
    sight = sight_of(key_of(before, np.nan), now, where_of(before, now), TASK_LIST, 0.8)
    assert sight.motion is not None and sight.known is not None and sight.known.mean() > 0.8
    assert np.abs(sight.motion.scene.turn) == pytest.approx([0, 0, 0.1], abs=0.02)
    assert not sight.motion.scene.shift.any()


def test_what_no_motion_of_the_camera_explains_is_unknown() -> None:
    """A flow that goes apart at the middle, by a sixth of the focal length."""
    before = view(60, 0)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    apart = np.where((x.astype(int) // 16) % 2, 16, -16).astype(np.float32)
    where = np.stack([x + apart, y + apart * np.sign(y - 48)], axis=-1)
    sight = sight_of(key_of(before), view(60, 1), where, TASK_LIST, 0.8)
    assert sight.motion is None
    assert sight.known is not None and not sight.known.any()
    maps = seen(sight, TASK_LIST, False, 20.0).maps
    assert np.isnan(maps["depth"]).all() and (maps["segmentation"] == 255).all()
    # Classes alone don't need to know how the camera moved.
    sight = sight_of(key_of(before, segmentation=True), view(60, 1), where, TASK_LIST, 0.8)
    assert sight.motion is None and sight.known is not None and sight.known.any()


def test_a_key_s_own_frame_is_the_key() -> None:
    before = view(60, 0)
    key = key_of(before)
    sight = sight_of(key, before, None, TASK_LIST, 0.8)
    assert sight.where is None and sight.motion is None
    assert seen(sight, TASK_LIST, False, 20.0) is key.predictions
    assert known_pixels(sight, (20, 10)).shape == (10, 20) and known_pixels(sight, (20, 10)).all()


def test_a_key_from_before_the_reference_is_seen_through_it() -> None:
    """Six pixels from the key to the reference, four from there to the frame."""
    before, reference, now = view(0, 0), view(6, 1), view(10, 2)
    key = key_of(before, back=where_of(before, reference))
    sight = sight_of(key, now, where_of(reference, now), TASK_LIST, 0.8)
    assert sight.where is not None
    moved = sight.where[10:-10, 10:-20, 0] - np.arange(10, SIZE[0] - 20)
    assert np.median(moved) == pytest.approx(10, abs=0.3)
    # The reference itself sees the key as it did when it was new.
    sight = sight_of(key, reference, None, TASK_LIST, 0.8)
    assert sight.where is key.back


@pytest.mark.parametrize("size", [(128, 96), (64, 48), (256, 192), (200, 60)])
def test_known_pixels_are_those_that_get_a_value(size: tuple[int, int]) -> None:
    before, now = view(0, 0), view(16, 1)
    found = predictions(0, 0)
    maps = {
        name: cv2.resize(array, size, interpolation=cv2.INTER_NEAREST)
        for name, array in found.maps.items()
    }
    key = replace(key_of(before), predictions=replace(found, maps=maps, confidence={}))
    sight = sight_of(key, now, where_of(before, now), TASK_LIST, 0.8)
    known = known_pixels(sight, size)
    assert known.shape == size[::-1] and 0.8 < known.mean() < 0.95
    values = seen(sight, TASK_LIST, False, 20.0).maps
    has_value = np.isfinite(values["depth"])
    assert np.array_equal(values["segmentation"] != 255, has_value)
    # They are the same but for the pixels at the border between the two.
    assert (has_value[known]).mean() > 0.998 and (known[has_value]).mean() > 0.97
