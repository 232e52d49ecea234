"""A video played in real time and written: its pictures, and what is said at the end."""

import numpy as np
import pytest

from mtshare_ros.evaluation.video.live import Answer, Moment
from mtshare_ros.evaluation.video.make_video import VideoResult, make_video
from mtshare_ros.evaluation.video.sources import Shot, open_source
from mtshare_ros.perception.engines import open_engine
from support.video_files import read_video, scene, write_video

MS = 1_000_000


@pytest.fixture(scope="module")
def engine(bundle_path):
    return open_engine(bundle_path, "onnxruntime", threads=1)


def test_a_video_is_written_with_its_outputs(tmp_path, engine):
    shots = open_source(str(write_video(tmp_path / "in.mp4", frames=20)))
    counted = []
    result = make_video(
        shots, engine, tmp_path / "out.mp4", width=518, on_frame=lambda *n: counted.append(n)
    )
    rate, pictures = read_video(tmp_path / "out.mp4")
    assert rate == 20.0 and len(pictures) == 20
    assert pictures[0].shape[1::-1] == result.size == (518, 110)
    for number, picture in enumerate(pictures):
        image = picture[14:, :128]
        # Twice through a codec.
        assert np.abs(image.astype(int) - scene(number)[:96]).mean() < 14
    assert pictures[-1][14:, 130:].std() > 5  # The outputs are there.
    assert counted[-1] == (20, 20)
    assert result.frames == 20 and len(result.ages) == 20 - result.empty
    assert result.keys_per_second > 0.0


def test_every_other_picture_has_half_of_the_rate(tmp_path, engine):
    shots = open_source(str(write_video(tmp_path / "in.mp4", frames=6)))
    result = make_video(shots, engine, tmp_path / "out.mp4", width=300, seconds=0.25, every=2)
    rate, pictures = read_video(tmp_path / "out.mp4")
    assert (result.frames, rate, len(pictures)) == (5, 10.0, 3)


def test_ctrl_c_keeps_what_came_before(tmp_path, engine):
    shots = open_source(str(write_video(tmp_path / "in.mp4", frames=6)))

    def interrupt(done, total):
        if done == 3:
            raise KeyboardInterrupt

    result = make_video(shots, engine, tmp_path / "out.mp4", width=300, on_frame=interrupt)
    assert result.stopped and result.frames == 3
    assert len(read_video(tmp_path / "out.mp4")[1]) == 3


def moment(stamp, answer_stamp, key_stamp, late=0.0):
    stamps = {"depth": key_stamp * MS, "normals": answer_stamp * MS}
    answer = Answer(0.0, answer_stamp * MS, {}, stamps, 0.9)
    return Moment(Shot(scene(0), stamp * MS, 0.0), 0.0, answer, late)


def test_moments_are_counted():
    result = VideoResult()
    result.add(Moment(Shot(scene(0), 0, 0.0), 0.0, None), 0.05)
    result.add(moment(100, 100, 50), 0.05)
    result.add(moment(150, 100, 50, late=0.06), 0.05)
    assert (result.frames, result.answered, result.empty, result.late) == (3, 1, 1, 1)
    assert result.ages == pytest.approx([0.05, 0.1])
    rows = dict(result.rows())
    assert rows["age, mean"] == "75 ms" and rows["known pixels, mean"] == "90.0 %"
