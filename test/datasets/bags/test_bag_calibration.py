"""The calibration of a bag's camera, checked against its images as the node does it."""

import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.bag_calibration import find_calibration
from mtshare_ros.datasets.bags.bag_cameras import choose_camera
from mtshare_ros.datasets.bags.open_bag import OpenBag
from mtshare_ros.perception.camera.calibration import AUTO
from support.bag_files import SIZE, camera, camera_info, clip_frame, image, jpeg, put, put_cut

WIDTH, HEIGHT = SIZE


def find(tmp_path, info, name="/camera/image", wish=AUTO, messages=()):
    put(tmp_path / "bag", [*messages, *camera(name, 3, info)])
    with OpenBag(tmp_path / "bag") as bag:
        return find_calibration(bag, choose_camera(bag), wish)


@pytest.mark.parametrize(
    ("name", "wish", "fx", "source"),
    [
        ("/camera/image", "auto", 48.0, "P"),
        ("/camera/image_rect", "auto", 48.0, "P"),
        ("/camera/image_raw", "auto", 24.0, "K"),
        ("/camera/image_raw", "p", 48.0, "P"),
        ("/camera/image", "k", 24.0, "K"),
    ],
)
def test_the_matrix_is_the_one_that_the_topic_or_the_user_asks_for(
    tmp_path, name, wish, fx, source
):
    found = find(tmp_path, lambda t: camera_info(t, k=24.0, p=48.0), name, wish)
    assert (found.intrinsics.fx, found.intrinsics.source, found.problem) == (fx, source, "")
    assert found.focal_length(*SIZE) == fx / WIDTH


def test_a_region_of_the_sensor_and_its_binning_are_followed(tmp_path):
    full = (4 * WIDTH, 4 * HEIGHT)
    roi = (20, 10, 2 * WIDTH, 2 * HEIGHT)
    made = find(tmp_path, lambda t: camera_info(t, full, p=80.0, roi=roi, binning=(2, 2)))
    assert made.focal_length(*SIZE) == 40.0 / WIDTH
    assert made.intrinsics.cx == (2 * WIDTH - 20) / 2


def test_the_first_message_that_can_be_used_is_taken(tmp_path):
    found = find(tmp_path, lambda t: camera_info(t, k=0, p=30.0 if t else 0))
    assert found.intrinsics.fx == 30.0 and not found.problem


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (lambda t: camera_info(t, (640, 480), p=500.0), "camera_info is of 640x480; expected"),
        (lambda t: camera_info(t, p=1.0, k=1.0), "P with fx 1 for 48 pixels; expected 4.8 to"),
        (lambda t: camera_info(t, p=0, k=0), "expected a calibrated camera"),
    ],
)
def test_a_calibration_that_can_not_be_used_says_why(tmp_path, info, said):
    found = find(tmp_path, info)
    assert found.intrinsics is None and found.focal_length(*SIZE) is None
    assert found.problem.startswith("/camera/camera_info: none of 3 messages can be used: ")
    assert said in found.problem


def test_of_several_reasons_the_first_is_given(tmp_path):
    found = find(tmp_path, lambda t: camera_info(t, p=0 if t else 1.0, k=0))
    assert "P with fx 1 for 48 pixels" in found.problem and "calibrated" not in found.problem


def test_a_message_that_is_cut_short_is_passed_over(tmp_path):
    put_cut(tmp_path / "bag", camera(frames=2), topics.INFO_TYPE)
    with OpenBag(tmp_path / "bag") as bag:
        assert find_calibration(bag, choose_camera(bag)).intrinsics.fx == 38.4


def test_no_calibration_and_no_image_are_named(tmp_path):
    put(tmp_path / "none", [m for m in camera() if m[1] != topics.INFO_TYPE])
    with OpenBag(tmp_path / "none") as bag:
        found = find_calibration(bag, choose_camera(bag))
    assert found.problem == "no camera_info on /camera/camera_info"
    empty = ("/cam/image/compressed", topics.COMPRESSED_TYPE, jpeg(0, b""))
    info = ("/cam/camera_info", topics.INFO_TYPE, camera_info())
    put(tmp_path / "empty", [empty, info])
    with OpenBag(tmp_path / "empty") as bag:
        found = find_calibration(bag, choose_camera(bag))
    assert "no image on /cam/image/compressed that camera_info could be" in found.problem


def test_the_size_is_that_of_the_first_image_that_can_be_read(tmp_path):
    put(
        tmp_path / "bag",
        [
            ("/cam/image/compressed", topics.COMPRESSED_TYPE, jpeg(0, b"\xff\xd8\xff")),
            ("/cam/image/compressed", topics.COMPRESSED_TYPE, jpeg(1)),
            ("/cam/camera_info", topics.INFO_TYPE, camera_info()),
        ],
    )
    with OpenBag(tmp_path / "bag") as bag:
        assert find_calibration(bag, choose_camera(bag)).intrinsics.width == WIDTH
    low = ("/camera/image", topics.RAW_TYPE, image(clip_frame(0).rgb[:8], "rgb8"))
    assert find(tmp_path / "low", camera_info, messages=[low]).intrinsics.width == WIDTH


def test_images_of_another_size_have_no_focal_length(tmp_path):
    found = find(tmp_path, camera_info)
    assert found.focal_length(2 * WIDTH, HEIGHT) is None
    assert "/camera/camera_info: camera_info is of 48x32; expected" in found.problem
    assert found.focal_length(3 * WIDTH, HEIGHT) is None and "are 96x32" in found.problem
    assert found.focal_length(*SIZE) == pytest.approx(0.8)
