"""A message that was recorded twice is one; another one with the same stamp is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.datasets.bags.recorded_file import Message
from mtshare_ros.datasets.bags.repeats import Repeats
from support.bag_files import STEP, camera, clip_frame, image, put_mcap

FRAMES = 4


def messages(repeated: set[int]) -> list[Any]:
    """Return a camera's messages with labels, the images and the truth of some frames twice."""
    made, recorded = [], list(camera(frames=FRAMES))
    for number in range(FRAMES):
        labels = image(clip_frame(number).labels, "mono8", number * STEP)
        truth = ("/ground_truth/labels", topics.RAW_TYPE, labels)
        frame = [*recorded[2 * number : 2 * number + 2], truth]
        made += frame * (2 if number in repeated else 1)
    return made


def frames(path: Path) -> list[tuple[int, int, bool]]:
    """Return stamp, a sum of the pixels, and whether there is truth, of each frame."""
    return [(f.stamp, int(np.sum(f.rgb)), f.labels is not None) for f in ClipReader(path)]


def test_a_frame_that_was_recorded_twice_is_one_with_its_truth(tmp_path: Path) -> None:
    put_mcap(tmp_path / "once.mcap", messages(set()))
    put_mcap(tmp_path / "twice.mcap", messages({1, 3}))
    once = frames(tmp_path / "once.mcap")
    assert len(once) == FRAMES and all(truth for *_, truth in once)
    assert frames(tmp_path / "twice.mcap") == once
    reader = ClipReader(tmp_path / "twice.mcap")
    assert len(reader) == FRAMES
    for _ in range(2):  # Every pass counts anew.
        list(reader)
        image_topic, truth_topic = reader.warnings
        assert image_topic == (
            "/camera/image: 2 duplicates passed over, the same message recorded again, such as"
            f" that of {STEP / 1e9:.9f} s"
        )
        assert truth_topic.startswith("/ground_truth/labels: 2 duplicates")


def test_a_bag_without_truth_has_each_image_once(tmp_path: Path) -> None:
    made = [m for m in messages({0}) if m[0] != "/ground_truth/labels"]
    put_mcap(tmp_path / "bag.mcap", made)
    assert len(frames(tmp_path / "bag.mcap")) == FRAMES


def test_another_image_with_the_same_stamp_is_no_duplicate(tmp_path: Path) -> None:
    made = messages(set())
    other = image(255 - clip_frame(1).rgb, "rgb8", STEP)
    put_mcap(tmp_path / "bag.mcap", [*made, ("/camera/image", topics.RAW_TYPE, other)])
    reader = ClipReader(tmp_path / "bag.mcap")
    found = list(reader)
    assert len(found) == FRAMES + 1
    assert sum(frame.labels is not None for frame in found) == FRAMES - 1
    (warning,) = reader.warnings
    assert "2 of 5 images on /camera/image share their stamp" in warning


@pytest.mark.parametrize("data", [b"", b"\0\1\0\0"])
def test_what_is_no_message_is_no_duplicate(data: bytes) -> None:
    repeats = Repeats("camera/image")
    message = Message("camera/image", topics.RAW_TYPE, 1, data)
    assert not repeats.is_repeat(message) and not repeats.is_repeat(message)
    assert str(repeats) == ""
