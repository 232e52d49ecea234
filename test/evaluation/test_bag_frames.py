"""A bag as frames to score."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Scores
from support.bag_files import STEP, clip_frame, write
from support.report_files import ALL_TASKS, manifest


def test_the_frames_of_a_bag_follow_each_other_and_have_their_truth(tmp_path):
    bag = write(tmp_path / "clip.mcap")
    frames = BagFrames(bag, None, manifest())
    assert (frames.title, frames.tasks, len(frames)) == (str(bag), ALL_TASKS, 3)
    found = list(frames)
    assert [f.label for f in found] == ["0.00 s", "0.03 s", "0.07 s"]
    assert [f.stamp - found[0].stamp for f in found] == [0, STEP, 2 * STEP]
    for index, frame in enumerate(found):
        written = clip_frame(index)
        assert frame.follows and frame.focal_length == pytest.approx(0.8)
        assert np.array_equal(frame.image[frame.region], written.rgb)
        assert set(frame.truths) == {"depth", "segmentation", "normals"}
        assert np.array_equal(frame.truths["segmentation"], written.labels)


def test_flicker_is_that_of_the_run_and_of_the_dense_network(tmp_path):
    frames = BagFrames(write(tmp_path / "clip.mcap"), None, manifest())
    still = next(iter(frames))
    moved = {**still.truths, "depth": still.truths["depth"] * np.float32(1.5)}
    for predictions in (still.truths, moved):
        outcome = Outcome(still.image, predictions, still.truths, reference=still.truths)
        frames.update(still, outcome)
    result = frames.result(Scores(ALL_TASKS))
    assert result["flicker"]["depth"] == pytest.approx(0.5)
    assert result["flicker_dense"]["depth"] == result["flicker_dense"]["segmentation"] == 0.0


def test_a_bag_without_the_topic_is_refused(tmp_path):
    bag = write(tmp_path / "clip.mcap")
    with pytest.raises(BagError, match="no images on rear/image"):
        BagFrames(bag, "/rear/image", manifest())
