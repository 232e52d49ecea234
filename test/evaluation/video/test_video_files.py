"""Written videos and animations: their size, their rate and their pictures."""

import numpy as np
import pytest
from PIL import Image

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.video.sources import VideoError
from mtshare_ros.evaluation.video.video_files import MOST_PICTURES, check_ending, open_video
from support.video_files import read_video, scene


def test_a_video_has_what_was_added(tmp_path):
    path = tmp_path / "new" / "out.mp4"
    with open_video(path, 25.0, (128, 96)) as file:
        for number in range(3):
            file.add(scene(number))
    rate, images = read_video(path)
    assert rate == 25.0 and len(images) == 3
    for number, image in enumerate(images):
        assert np.abs(image.astype(int) - scene(number)).mean() < 8


@pytest.mark.parametrize(("ending", "total"), [(".gif", 300), (".webp", 300)])
def test_an_animation_has_what_was_added_and_takes_as_long(tmp_path, ending, total):
    path = tmp_path / f"out{ending}"
    with open_video(path, 30.0, (128, 96)) as file:
        for number in range(9):
            file.add(scene(number))
    animation = Image.open(path)
    assert animation.n_frames == 9 and animation.size == (128, 96)
    milliseconds = 0
    for number in range(9):
        animation.seek(number)
        picture = np.asarray(animation.convert("RGB")).astype(int)
        assert np.abs(picture - scene(number)).mean() < 8
        milliseconds += animation.info["duration"]
    assert milliseconds == total


def test_endings_that_nothing_is_known_of_are_refused(tmp_path):
    with pytest.raises(OptionError, match=r"out.mov.*\.mp4, \.gif, \.webp"):
        check_ending(tmp_path / "out.mov")


@pytest.mark.parametrize("pictures", [None, MOST_PICTURES + 1])
def test_animations_without_an_end_are_refused(tmp_path, pictures):
    check_ending(tmp_path / "out.mp4", pictures)
    check_ending(tmp_path / "out.gif", MOST_PICTURES)
    with pytest.raises(OptionError, match="up to 600; use --seconds"):
        check_ending(tmp_path / "out.gif", pictures)


def test_a_video_that_cannot_be_encoded_is_named(tmp_path):
    with pytest.raises(VideoError, match=r"out.mp4: OpenCV can't write 0x0"):
        with open_video(tmp_path / "out.mp4", 25.0, (0, 0)):
            pass
