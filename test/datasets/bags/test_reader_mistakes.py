"""Bags that can't be read or evaluated: errors that name the bag, and the topic if it is one's."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.simulator import clip_bag
from support.bag_files import STORE, clip_frame, image, put, read_one, write


def test_a_missing_bag_is_named(tmp_path):
    with pytest.raises(BagError, match="nowhere.mcap: not found"):
        ClipReader(tmp_path / "nowhere.mcap")


@pytest.mark.parametrize("content", [b"", b"not a bag", b"\x89MCAP0\r\n" + bytes(200)])
def test_a_file_that_is_no_bag_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "broken.mcap"
    path.write_bytes(content)
    with pytest.raises(BagError, match="broken.mcap"):
        list(ClipReader(path))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_bag_that_was_cut_short_is_an_error_that_names_it(tmp_path, share):
    whole = write(tmp_path / "whole.mcap").read_bytes()
    path = tmp_path / "short.mcap"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BagError, match="short.mcap"):
        list(ClipReader(path))


def test_damaged_bytes_are_never_any_other_error(tmp_path):
    whole = write(tmp_path / "whole.mcap").read_bytes()
    path, failed = tmp_path / "damaged.mcap", 0
    for start in [*range(0, 400, 40), *range(400, len(whole), len(whole) // 40)]:
        path.write_bytes(whole[:start] + b"\xff" * 24 + whole[start + 24 :])
        try:
            list(ClipReader(path))
        except BagError as error:
            assert "damaged.mcap" in str(error)
            failed += 1
    # Where only pixels were hit, a bag reads on with other pixels.
    assert failed > 10


def test_a_bag_without_images_is_told_what_it_has(tmp_path):
    path = tmp_path / "deaf.mcap"
    put(path, [("/audio/level", "std_msgs/msg/Int32", STORE.types["std_msgs/msg/Int32"](data=1))])
    with pytest.raises(BagError) as error:
        ClipReader(path)
    assert "camera/image" in str(error.value) and "audio/level" in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoding": "bayer_grbg16", "step": 47},
        {"encoding": "64FC4"},
        {"height": 1000},
        {"height": 15},
        {"step": 2},
        {"width": 0},
    ],
)
def test_an_image_that_can_not_be_read_names_bag_and_topic(tmp_path, changes):
    message = image(clip_frame(0).rgb, **{"encoding": "rgb8", **changes})
    with pytest.raises(BagError, match="one: /camera/image"):
        read_one(tmp_path, message)


def test_only_encodings_of_a_camera_are_offered_for_a_camera(tmp_path):
    with pytest.raises(BagError) as error:
        read_one(tmp_path, image(clip_frame(0).labels, "h264"))
    assert "bgra8" in str(error.value) and "bayer_rggb8" in str(error.value)
    assert "32FC3" not in str(error.value) and "16UC1" not in str(error.value)
    with pytest.raises(BagError, match="encoding '8UC3' names no colours; publish rgb8 or bgr8"):
        read_one(tmp_path / "b", image(clip_frame(0).rgb, "8UC3"))


@pytest.mark.parametrize(
    ("topic", "encoding"),
    [("depth", "mono8"), ("labels", "rgb8"), ("labels", "32FC1"), ("normals", "rgb8")],
)
def test_truth_in_an_encoding_that_can_not_hold_it_is_an_error_that_names_it(
    tmp_path, topic, encoding
):
    topic = f"/ground_truth/{topic}"
    frame = clip_frame(0)
    messages = [
        ("/camera/image", topics.RAW_TYPE, image(frame.rgb, "rgb8")),
        (topic, topics.RAW_TYPE, image(frame.labels, encoding)),
    ]
    put(tmp_path / "bag", messages)
    with pytest.raises(BagError, match=f"{topic}: encoding '{encoding}'"):
        list(ClipReader(tmp_path / "bag"))


@pytest.mark.parametrize(
    ("topic", "values"),
    [
        ("/ground_truth/depth", np.zeros((32, 48), np.uint8)),
        ("/ground_truth/depth", np.zeros((32, 48, 3), np.uint16)),
        ("/ground_truth/labels", np.zeros((32, 48), np.uint16)),
        ("/ground_truth/labels", np.zeros((32, 48, 3), np.uint8)),
        ("/ground_truth/normals", np.zeros((32, 48), np.uint8)),
        ("/ground_truth/normals", np.zeros((32, 48, 3), np.uint16)),
    ],
)
def test_a_picture_that_is_not_of_its_topics_kind_is_an_error_that_names_it(
    tmp_path, topic, values
):
    packed = clip_bag._packed(topics.LABELS, values, 0)  # PNG of any values.
    messages = [("/camera/image", topics.RAW_TYPE, image(clip_frame(0).rgb, "rgb8"))]
    put(tmp_path / "bag", [*messages, (f"{topic}/compressed", topics.COMPRESSED_TYPE, packed)])
    with pytest.raises(BagError, match=f"{topic}/compressed: .* expected"):
        list(ClipReader(tmp_path / "bag"))


def test_labels_beyond_the_classes_are_an_error_and_unlabelled_is_not(tmp_path):
    frame = clip_frame(0)
    assert set(np.unique(frame.labels)) == {*range(16), 255}
    path = write(tmp_path / "clip.mcap", frames=1)
    assert len(list(ClipReader(path, classes=16))) == 1
    with pytest.raises(BagError, match=r"clip.mcap: /ground_truth/labels: class id 15.* 0 to 14"):
        list(ClipReader(path, classes=15))


def test_a_topic_of_another_type_is_no_calibration(tmp_path):
    number = STORE.types["std_msgs/msg/Int32"](data=1)
    messages = [
        ("/camera/image", topics.RAW_TYPE, image(clip_frame(0).rgb, "rgb8")),
        ("/camera/camera_info", "std_msgs/msg/Int32", number),
    ]
    put(tmp_path / "bag", messages)
    (frame,) = ClipReader(tmp_path / "bag")
    assert frame.focal_length is None
