"""A bag as frames to score."""

from dataclasses import replace

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.outcome import Outcome
from mtshare_ros.evaluation.scores import Scores
from mtshare_ros.tasks import TASKS
from support.bag_files import STEP, camera, camera_info, clip_frame, image, put, write
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


def result_of(folder, messages, **options):
    """Return what a report says of a bag, and how many frames of it had which truth."""
    put(folder / "bag", messages)
    frames = BagFrames(folder / "bag", None, manifest(), **options)
    truths = [set(frame.truths) for frame in frames]
    counts = {task.name: sum(task.name in names for names in truths) for task in ALL_TASKS}
    return frames.result(Scores(ALL_TASKS)), counts


def truth(offset, of=lambda index: index * STEP):
    return [
        (
            "/ground_truth/depth",
            topics.RAW_TYPE,
            image(clip_frame(n).depth, "32FC1", of(n) + offset),
        )
        for n in range(6)
    ]


def test_truth_is_that_of_the_nearest_image_and_how_near_is_said(tmp_path):
    found, counts = result_of(tmp_path, camera() + truth(10**6))
    assert counts["depth"] == 6 and counts["segmentation"] == 0
    assert found["truth_offset_ms"] == {"depth": 1.0}
    assert (found["warnings"], found["intrinsics"]) == ([], "fx 38.4 (P)")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (truth(17 * 10**6 + 10**9), "messages of truth used: 6 are"),
        (truth(0, lambda _: 0), "share their stamp"),
    ],
)
def test_truth_that_belongs_to_no_image_is_a_warning(tmp_path, made, said):
    found, counts = result_of(tmp_path, camera() + made)
    assert counts["depth"] == 0 and found["truth_offset_ms"] == {}
    (warning,) = found["warnings"]
    assert warning.startswith("/ground_truth/depth: none of 6") and said in warning


def test_without_a_calibration_that_can_be_used_metric_depth_is_doubted(tmp_path):
    found, _ = result_of(tmp_path, camera(info=lambda t: camera_info(t, (640, 480))))
    assert found["intrinsics"] is None
    (warning,) = found["warnings"]
    assert "/camera/camera_info: none of 6 messages can be used: camera_info is of" in warning
    assert warning.endswith("in all frames depth is scaled as for the training's camera")


def test_the_matrix_of_the_calibration_can_be_chosen(tmp_path):
    def info(stamp):
        return camera_info(stamp, k=24.0, p=48.0)

    found, _ = result_of(tmp_path, camera(info=info), intrinsics="k")
    assert found["intrinsics"] == "fx 24.0 (K)"
    frames = BagFrames(tmp_path / "bag", None, manifest())
    assert {frame.focal_length for frame in frames} == {1.0}


def test_images_that_can_not_be_read_are_a_warning(tmp_path):
    messages = camera()
    object.__setattr__(messages[5][2], "step", 7)
    found, _ = result_of(tmp_path, messages)
    (warning,) = found["warnings"]
    assert warning.startswith(
        "/camera/image: 1 of 6 messages can't be used: 0.066666666 s: step 7"
    )


def test_where_some_frames_have_no_calibration_the_others_are_not_doubted(tmp_path):
    messages = camera()
    topic, kind, _ = messages[-1]
    narrow = np.ascontiguousarray(clip_frame(5).rgb[:, :30])
    messages[-1] = (topic, kind, image(narrow, "rgb8", 5 * STEP))
    found, _ = result_of(tmp_path, messages)
    assert found["intrinsics"] == "fx 38.4 (P)"
    (warning,) = found["warnings"]
    assert warning.endswith("in some frames depth is scaled as for the training's camera")


def test_without_a_task_in_metres_a_calibration_is_not_missed_and_other_warnings_stay(tmp_path):
    messages = camera(info=lambda t: camera_info(t, (640, 480))) + truth(0, lambda _: 0)
    found, _ = result_of(tmp_path, messages)
    assert len(found["warnings"]) == 2
    assert "depth is scaled" in found["warnings"][0] and "share their" in found["warnings"][1]
    described = replace(manifest(), tasks=(TASKS["segmentation"],))
    frames = BagFrames(tmp_path / "bag", None, described)
    list(frames)
    (warning,) = frames.result(Scores(described.tasks))["warnings"]
    assert "share their stamp" in warning
