"""Bags: what was written is what is read, by this package and by an independent reader."""

import subprocess
import sys

import cv2
import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.typesys import Stores, get_typestore

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.file import BagFile
from mtshare_ros.datasets.bags.open_bag import BagError, IncompleteBagError
from mtshare_ros.datasets.bags.pairing import LONGEST_WAIT
from mtshare_ros.datasets.bags.reader import ClipReader
from support.bag_files import (
    SIZE,
    STEP,
    STORE,
    camera,
    camera_info,
    clip_frame,
    image,
    jpeg,
    put,
    read_one,
    write,
)


def independently_read(path):
    """Return (topic, message) of all messages, by Foxglove's reader."""
    with open(path, "rb") as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        return [(c.topic, message) for _, c, _, message in reader.iter_decoded_messages()]


@pytest.mark.parametrize("name", ["clip.mcap", "folder"])
def test_a_raw_bag_gives_back_exactly_what_was_written(tmp_path, name):
    reader = ClipReader(write(tmp_path / name))
    read = list(reader)
    assert len(reader) == len(read) == 3
    for index, frame in enumerate(read):
        written = clip_frame(index)
        assert frame.stamp == written.stamp
        for key in ("rgb", "depth", "labels"):
            np.testing.assert_array_equal(getattr(frame, key), getattr(written, key))
        np.testing.assert_allclose(frame.normals, written.normals, atol=1e-6)
        assert frame.focal_length == pytest.approx(0.8)
        assert frame.depth.dtype == frame.normals.dtype == np.float32
        assert frame.rgb.dtype == frame.labels.dtype == np.uint8


def test_a_compressed_bag_gives_it_back_to_its_resolution(tmp_path):
    for index, frame in enumerate(ClipReader(write(tmp_path / "clip.mcap", compressed=True))):
        written = clip_frame(index)
        np.testing.assert_array_equal(frame.labels, written.labels)
        np.testing.assert_allclose(frame.depth, written.depth, atol=0.00051)
        np.testing.assert_allclose(frame.normals, written.normals, atol=0.01)
        assert (frame.normals[:2] == 0).all()
        np.testing.assert_allclose(np.linalg.norm(frame.normals[2:], axis=-1), 1, atol=1e-5)
        # Chroma is subsampled; exchanged channels would be far off.
        assert np.abs(frame.rgb.astype(int) - written.rgb).mean() < 6


def test_an_independent_reader_finds_valid_messages_with_schemas(tmp_path):
    path = write(tmp_path / "clip.mcap", frames=2)
    messages = independently_read(path)
    assert {topic for topic, _ in messages} == {
        "/camera/image",
        "/camera/camera_info",
        "/camera/pose",
        "/ground_truth/depth",
        "/ground_truth/labels",
        "/ground_truth/normals",
    }
    by_topic = {topic: message for topic, message in reversed(messages)}
    written = clip_frame(0)
    for _, message in messages:
        assert message.header.frame_id in ("camera_optical_frame", "world")
    image = by_topic["/camera/image"]
    assert (image.encoding, image.step, image.is_bigendian) == ("rgb8", 3 * SIZE[0], 0)
    assert bytes(image.data) == written.rgb.tobytes()
    depth = by_topic["/ground_truth/depth"]
    assert (depth.encoding, depth.step) == ("32FC1", 4 * SIZE[0])
    assert bytes(depth.data) == written.depth.tobytes()
    assert by_topic["/ground_truth/normals"].encoding == "32FC3"
    info, k = by_topic["/camera/camera_info"], written.intrinsics
    assert (info.distortion_model, list(info.d)) == ("plumb_bob", [0.0] * 5)
    assert list(info.k) == [k.fx, 0, k.cx, 0, k.fy, k.cy, 0, 0, 1]
    assert list(info.p) == [k.fx, 0, k.cx, 0, 0, k.fy, k.cy, 0, 0, 0, 1, 0]
    assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    position = by_topic["/camera/pose"].pose.position
    assert [position.x, position.y, position.z] == [1.0, -2.0, 0.5]
    stamps = {(m.header.stamp.sec, m.header.stamp.nanosec) for _, m in messages}
    assert stamps == {(1_700_000_000, 0), (1_700_000_000, STEP)}


def test_compressed_images_are_pictures_that_any_decoder_shows(tmp_path):
    path = write(tmp_path / "clip.mcap", frames=1, compressed=True)
    found = dict(independently_read(path))
    expected = {
        "/camera/image/compressed": ("jpeg", np.uint8, 3),
        "/ground_truth/depth/compressed": ("png", np.uint16, 2),
        "/ground_truth/labels/compressed": ("png", np.uint8, 2),
        "/ground_truth/normals/compressed": ("png", np.uint8, 3),
    }
    for topic, (kind, dtype, dimensions) in expected.items():
        message = found[topic]
        assert kind in message.format
        picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert (picture.dtype, picture.ndim) == (dtype, dimensions)
        assert picture.shape[1::-1] == SIZE


def test_message_types_are_the_same_in_every_ros_that_is_supported():
    humble, kilted = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS2_KILTED)
    for name in (topics.RAW_TYPE, topics.COMPRESSED_TYPE, topics.INFO_TYPE, topics.POSE_TYPE):
        assert humble.hash_rihs01(name) == kilted.hash_rihs01(name)


def test_a_camera_without_truth_or_calibration_can_be_read(tmp_path):
    rgb = clip_frame(0).rgb
    frame = read_one(tmp_path, image(rgb, "rgb8", 5))
    np.testing.assert_array_equal(frame.rgb, rgb)
    assert frame.stamp == 5
    assert frame.depth is frame.labels is frame.normals is frame.focal_length is None


def test_blue_comes_out_blue_whatever_the_encoding(tmp_path):
    rgb = clip_frame(0).rgb
    bgr = read_one(tmp_path / "a", image(np.ascontiguousarray(rgb[..., ::-1]), "bgr8"))
    np.testing.assert_array_equal(bgr.rgb, rgb)
    bgra = np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], 9, np.uint8)])
    np.testing.assert_array_equal(read_one(tmp_path / "b", image(bgra, "bgra8")).rgb, rgb)
    grey = read_one(tmp_path / "c", image(np.ascontiguousarray(rgb[..., 0]), "mono8"))
    np.testing.assert_array_equal(grey.rgb, np.repeat(rgb[..., :1], 3, axis=-1))


def test_padded_rows_are_read_without_the_padding(tmp_path):
    rgb = clip_frame(0).rgb
    padded = np.pad(rgb.reshape(SIZE[1], -1), ((0, 0), (0, 7)), constant_values=77)
    message = image(rgb, "rgb8", step=3 * SIZE[0] + 7, data=padded.reshape(-1))
    np.testing.assert_array_equal(read_one(tmp_path, message).rgb, rgb)


def test_truth_that_comes_late_is_joined_by_stamp_and_truth_that_never_comes_is_not_waited_for(
    tmp_path,
):
    rgb, labels = clip_frame(0).rgb, clip_frame(0).labels
    messages, late = [], []
    for stamp in range(LONGEST_WAIT + 5):
        messages.append(("/camera/image", topics.RAW_TYPE, image(rgb, "rgb8", stamp)))
        if stamp != 2:
            late.append(("/ground_truth/labels", topics.RAW_TYPE, image(labels, "mono8", stamp)))
        if len(late) == 4:
            messages.append(late.pop(0))
    put(tmp_path / "late", messages + late)
    frames = list(ClipReader(tmp_path / "late"))
    assert [frame.stamp for frame in frames] == list(range(LONGEST_WAIT + 5))
    assert [frame.stamp for frame in frames if frame.labels is None] == [2]


def yuy2(rgb):
    """Return brightness of each pixel, and blue and red of each second one, in limited range."""
    brightness, red, blue = np.moveaxis(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb), -1, 0)
    packed = np.stack([16 + brightness * (219 / 255), 128 + (blue - 128.0) * (224 / 255)], -1)
    packed[:, 1::2, 1] = 128 + (red[:, ::2] - 128.0) * (224 / 255)
    return np.rint(packed).astype(np.uint8).reshape(len(rgb), -1)


GREY = cv2.cvtColor(clip_frame(0).rgb, cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize(
    ("encoding", "values", "expected"),
    [
        ("yuv422_yuy2", yuy2(clip_frame(0).rgb), clip_frame(0).rgb),
        ("bayer_rggb8", GREY, np.dstack([GREY] * 3)),
        ("mono16", (GREY.astype(np.uint16) * 257).view(np.uint8), np.dstack([GREY] * 3)),
        (
            "rgb16",
            (clip_frame(0).rgb.astype(np.uint16) * 257).reshape(SIZE[1], -1).view(np.uint8),
            clip_frame(0).rgb,
        ),
        ("8UC1", GREY, np.dstack([GREY] * 3)),
    ],
)
def test_the_encodings_of_the_live_node_are_read(tmp_path, encoding, values, expected):
    message = image(values, encoding, width=SIZE[0], step=values.shape[1])
    difference = np.abs(read_one(tmp_path, message).rgb.astype(int) - expected)
    assert difference.mean() < 6


WHOLE = jpeg(0).data.tobytes()
BAD = {
    "empty": b"",
    "cut in half": WHOLE[: len(WHOLE) // 2],
    "no picture": b"not a picture",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_one_bad_image_is_left_out_counted_and_named(tmp_path, data):
    messages = [
        ("/image_raw/compressed", topics.COMPRESSED_TYPE, jpeg(n * STEP, data if n == 3 else None))
        for n in range(6)
    ]
    put(tmp_path / "bag", messages)
    reader = ClipReader(tmp_path / "bag")
    assert [frame.stamp // STEP for frame in reader] == [0, 1, 2, 4, 5]
    (warning,) = reader.warnings
    said = "/image_raw/compressed: 1 of 6 messages can't be used: 0.099999999 s: "
    assert warning.startswith(said) and len(reader) == 6


@pytest.mark.parametrize(("bad", "fails"), [(3, False), (4, True)])
def test_a_bag_of_which_most_can_not_be_read_fails_after_what_can(tmp_path, bad, fails):
    rgb = clip_frame(0).rgb
    messages = [
        (
            "/camera/image",
            topics.RAW_TYPE,
            image(rgb, "rgb8", n, **({"step": 5} if n < bad else {})),
        )
        for n in range(6)
    ]
    put(tmp_path / "bag", messages)
    frames = iter(ClipReader(tmp_path / "bag"))
    assert [next(frames).stamp for _ in range(6 - bad)] == list(range(bad, 6))
    if fails:
        with pytest.raises(BagError, match=r"bag: /camera/image: step 5 .* \(4 of 6 messages"):
            next(frames)
    else:
        assert next(frames, None) is None


def test_what_of_a_bag_is_lost_is_said_after_what_is_there(tmp_path):
    path = write(tmp_path / "clip.mcap", frames=3)
    path.write_bytes(path.read_bytes()[:-30])
    reader, frames = ClipReader(path), []
    with pytest.raises(IncompleteBagError, match="clip.mcap: is cut off"):
        for frame in reader:
            frames.append(frame)
    assert len(frames) == 3 and "is cut off" in reader.losses
    assert len(list(reader.salvaged())) == 3 and "is cut off" in reader.losses
    next(iter(reader))
    assert reader.losses == ""  # Of a pass that has just begun.


def test_a_message_without_a_stamp_is_named_by_the_time_of_its_recording(tmp_path):
    good = bytes(STORE.serialize_cdr(image(clip_frame(0).rgb, "rgb8", 5), topics.RAW_TYPE))
    with BagFile(tmp_path / "a.mcap") as file:
        file.add_topic("camera/image", topics.RAW_TYPE)
        for second, data in ((6, good), (7, good[:11])):
            file.put_serialized("camera/image", data, second * 10**9)
    reader = ClipReader(tmp_path / "a.mcap")
    assert [frame.stamp for frame in reader] == [5]
    assert "1 of 2 messages can't be used: 7.000000000 s: " in reader.warnings[0]


def test_an_image_of_another_size_than_its_calibration_has_no_focal_length(tmp_path):
    large = np.repeat(np.repeat(clip_frame(0).rgb, 2, axis=0), 2, axis=1)
    other = ("/camera/image", topics.RAW_TYPE, image(large, "rgb8", STEP))
    put(tmp_path / "bag", [*camera(frames=1), other])
    found = [frame.focal_length for frame in ClipReader(tmp_path / "bag")]
    assert found == [pytest.approx(0.8), None]


def test_only_the_truth_that_is_asked_for_is_read(tmp_path):
    path = write(tmp_path / "clip.mcap", frames=1)
    (frame,) = ClipReader(path, truths=(topics.LABELS,))
    assert frame.labels is not None and frame.depth is frame.normals is None
    (frame,) = ClipReader(path, truths=())
    assert frame.labels is None


def test_truth_that_is_read_as_the_camera_s_images_is_no_truth(tmp_path):
    path = write(tmp_path / "clip.mcap", frames=1)
    reader = ClipReader(path, image_topic="/ground_truth/labels")
    (frame,) = reader
    assert reader.truth == (topics.DEPTH, topics.NORMALS) and frame.labels is None
    assert np.array_equal(frame.rgb, np.dstack([clip_frame(0).labels] * 3))


@pytest.mark.parametrize(("intrinsics", "fx"), [("auto", 48.0), ("p", 48.0), ("k", 24.0)])
def test_the_matrix_that_is_asked_for_gives_the_focal_length(tmp_path, intrinsics, fx):
    put(tmp_path / "bag", camera(frames=1, info=lambda t: camera_info(t, k=24.0, p=48.0)))
    reader = ClipReader(tmp_path / "bag", intrinsics=intrinsics)
    assert reader.focal_length == next(iter(reader)).focal_length == fx / SIZE[0]


def test_reading_needs_neither_simulator_nor_torch_nor_ros():
    code = (
        "import sys, mtshare_ros.datasets.bags.reader;"
        "print([m for m in ('mujoco', 'torch', 'rclpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
