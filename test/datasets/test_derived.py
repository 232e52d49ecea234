"""Truth that is derived from labels."""

from __future__ import annotations

import numpy as np

from mtshare_ros.datasets.derived import boundaries, saliency
from mtshare_ros.tasks import ROOM_CLASSES, SALIENT_CLASSES

NAN = np.nan


def test_a_boundary_is_one_pixel_wide_left_of_and_above_the_change() -> None:
    labels = np.array(
        [
            [0, 0, 1, 1],
            [0, 0, 1, 1],
            [2, 2, 2, 2],
        ],
        np.uint8,
    )
    assert boundaries(labels).tolist() == [
        [0, 1, 0, 0],
        [1, 1, 1, 1],
        [0, 0, 0, 0],
    ]
    assert boundaries(labels).dtype == np.float32


def test_what_lies_beside_unlabelled_pixels_is_unknown_unless_another_side_tells() -> None:
    labels = np.array(
        [
            [0, 255, 0, 0],
            [0, 0, 1, 255],
            [0, 0, 2, 2],
        ],
        np.uint8,
    )
    expected = [
        [NAN, NAN, 1, NAN],
        [0, 1, 1, NAN],
        [0, 1, 0, 0],
    ]
    assert np.array_equal(boundaries(labels), np.array(expected), equal_nan=True)


def test_what_a_robot_has_to_mind_is_salient_and_the_room_is_not() -> None:
    names = [c.name for c in ROOM_CLASSES]
    assert set(SALIENT_CLASSES) < set(names)
    labels = np.array([[*range(len(names)), 255]], np.uint8)
    found = saliency(labels)[0]
    assert found.dtype == np.float32 and np.isnan(found[-1])
    assert {name for name, value in zip(names, found, strict=False) if value} == set(
        SALIENT_CLASSES
    )


def test_a_batch_is_what_its_images_are() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 3, 15, 255], np.uint8), (5, 12, 16))
    for derive in (boundaries, saliency):
        single = np.stack([derive(image) for image in labels])
        assert np.array_equal(derive(labels), single, equal_nan=True)
