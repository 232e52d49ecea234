"""Frames that are worth a label."""

from __future__ import annotations

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
