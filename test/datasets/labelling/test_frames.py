"""Frames that are worth a label."""

from __future__ import annotations

import numpy as np
import pytest

from mtshare_ros.datasets.labelling.frames import choose, thumbnail
from support.teacher_files import (
    frame,
)


def test_frames_that_look_alike_are_chosen_once() -> None:
    looks = [thumbnail(frame(i, 8 * (i // 4)).rgb)[0] for i in range(12)]
    assert [index // 4 for index in choose(looks, [1.0] * 12, 9)] == [0, 1, 2]
    assert len(choose(looks, [1.0] * 12, 2)) == 2
    assert choose([], [], 5) == []
    sharp = thumbnail(frame(0, 8).rgb)[1]
    import cv2

    assert thumbnail(cv2.blur(frame(0, 8).rgb, (15, 15)))[1] < 0.4 * sharp


def test_blurred_frames_are_passed_over_and_the_farthest_comes_next() -> None:
    looks = [np.full(576, value, np.float32) for value in (0, 10, 6, 100, 4)]
    # Numbers 0 and 3 are blurred: below 0.4 of the median, which is 1.
    sharpness = [0.39, 1.0, 1.0, 0.39, 1.0]
    assert choose(looks, sharpness, 1) == [1]
    assert choose(looks, sharpness, 2) == [1, 4]
    assert choose(looks, sharpness, 9) == [1, 2, 4]
    assert choose(looks, [0.41, 1.0, 1.0, 0.41, 1.0], 2) == [0, 3]
    assert choose([looks[1], looks[0], looks[1]], [1.0] * 3, 5) == [0, 1]
    assert choose([looks[0], looks[2], looks[3], looks[4]], [1.0] * 4, 3) == [0, 1, 2]


def test_contrast_does_not_make_a_frame_sharp() -> None:
    rgb = frame(0, 8).rgb
    faint = (rgb // 4 + 90).astype(np.uint8)
    assert thumbnail(faint)[1] == pytest.approx(thumbnail(rgb)[1], rel=0.1)
