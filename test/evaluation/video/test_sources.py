"""Where a video's images come from, and what is said of what can't be read."""

import cv2
import numpy as np
import pytest

from mtshare_ros.evaluation.video import sources
from mtshare_ros.evaluation.video.sources import VideoError, VideoFile, open_source
from support.video_files import write_video


def test_a_file_has_its_images_at_its_rate(tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames=4, rate=20.0)
    file = open_source(str(path), focal_length=0.8)
    assert (file.rate, file.count) == (20.0, 4)
    shots = list(file)
    assert [shot.due for shot in shots] == pytest.approx([0.0, 0.05, 0.1, 0.15])
    assert [shot.stamp for shot in shots] == [0, 50_000_000, 100_000_000, 150_000_000]
    assert {shot.focal_length for shot in shots} == {0.8}
    # Red on the left, in this order of colours.
    red, green, blue = shots[0].image[20:-20, 10:40].reshape(-1, 3).mean(axis=0)
    assert red > 180 and green < 60 and blue < 60
    assert file.warnings == ()


def test_a_file_that_ends_before_it_should_is_a_warning(tmp_path):
    path = write_video(tmp_path / "clip.mp4", frames=4)
    file = VideoFile(path)
    file.count = 7
    assert len(list(file)) == 4
    assert file.warnings == (f"{path}: 4 of 7 images could be read",)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "not found"), (b"no video at all", "not readable as a video")],
)
def test_a_file_that_is_no_video_is_named(tmp_path, content, said):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(VideoError, match=f"clip.mp4: {said}"):
        open_source(str(path))


def test_a_video_without_images_is_named(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (64, 48))
    writer.release()
    with pytest.raises(VideoError, match="clip.avi: no"):
        open_source(str(path))


@pytest.mark.parametrize("name", ["/dev/video987", "987"])
def test_a_camera_that_is_not_there_is_named(name):
    with pytest.raises(VideoError, match=f"camera {name}: there is no /dev/video987"):
        open_source(name)


def test_what_is_a_bag_and_what_a_camera(tmp_path):
    assert sources.is_bag("lab.mcap") and sources.is_bag(str(tmp_path))
    assert not sources.is_bag("lab.mp4")
    assert sources.is_camera("0") and sources.is_camera("/dev/video2")
    assert not sources.is_camera("0.mp4")


def test_a_bag_is_played_by_its_stamps(monkeypatch):
    """A silence too long to be one is played as one period."""

    class Reader:
        class calibration:
            problem = None

        losses, warnings = "", ()

        def __len__(self):
            return 4

        def salvaged(self):
            image = np.zeros((48, 64, 3), np.uint8)
            for stamp in (5_000, 5_100, 5_200, 90_000):
                yield Frame(stamp * 1_000_000, image)

    from mtshare_ros.datasets.bags.reader import Frame

    monkeypatch.setattr(sources, "ClipReader", lambda *_, **__: Reader())
    bag = open_source("lab.mcap")
    assert bag.rate == pytest.approx(10.0) and bag.count == 4
    assert [shot.due for shot in bag] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert [shot.stamp for shot in bag][-1] == 90_000_000_000
