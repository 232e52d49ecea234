"""A bag through the live node in a process of its own."""

import tempfile
import time
from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, Image

from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.errors import exit_status
from mtshare_ros.replay import replay_bag
from mtshare_ros.replay.listener import stamp_of
from mtshare_ros.replay.live_node import ReplayError
from mtshare_ros.replay.node_process import ReplayFailedError
from mtshare_ros.replay.replay_bag import replay
from mtshare_ros.ros.parameters import ParameterError
from support.camera_bag import STAMPS, START, read, write_bag
from support.ros_harness import SECOND, header

NODE = "/perception_node"


class Played:
    """A node whose listener notes what is published, and when."""

    def __init__(self):
        """Start with nothing."""
        self.published = []
        self.listener = self
        self.checks = 0

    def publish_image(self, data, due):
        """Note an image."""
        assert due <= time.perf_counter()
        self.published.append(("image", data, time.perf_counter()))

    def publish_camera_info(self, data):
        """Note a camera_info."""
        self.published.append(("info", data, time.perf_counter()))

    def check(self):
        """Count how often the node is looked at."""
        self.checks += 1


@pytest.mark.parametrize(("rate", "expected"), [(1.0, 0.2), (4.0, 0.05)])
def test_messages_go_at_the_pace_of_the_bag_times_the_rate(monkeypatch, rate, expected):
    monkeypatch.setattr(replay_bag, "SETTLE", 0.01)
    kinds = [topics.RAW_TYPE, topics.INFO_TYPE, topics.RAW_TYPE, topics.RAW_TYPE]
    times = [7_000_000_000 + n for n in (0, 0, 100_000_000, 200_000_000)]
    messages = [
        SimpleNamespace(type=kind, time=moment, data=n)
        for n, (kind, moment) in enumerate(zip(kinds, times, strict=True))
    ]
    source = SimpleNamespace(first_camera_info=99, messages=lambda: messages, frames=3)
    node, progress = Played(), []
    sent = replay_bag._play(source, node, rate, lambda *frame: progress.append(frame))
    assert sent == node.checks == 3 and progress == [(1, 3), (2, 3), (3, 3)]
    assert [(kind, data) for kind, data, _ in node.published] == [
        ("info", 99), ("image", 0), ("info", 1), ("image", 2), ("image", 3)
    ]  # fmt: skip
    moments = [moment for kind, _, moment in node.published if kind == "image"]
    assert moments[-1] - moments[0] == pytest.approx(expected, abs=0.04)


def test_a_frame_is_through_when_its_last_output_is_here(tmp_path):
    listener = SimpleNamespace(
        sent={1: 10.0, 2: 20.0, 3: 30.0},
        arrived={"a": {1: 10.1, 2: 20.1, 3: 30.4}, "b": {1: 10.2, 3: 30.3}, "unheard": {}},
        diagnostics={"backend": "onnxruntime"},
    )
    stages = {"age": {"p50": 1e9}, "base": {"p50": 5.0}}
    node = SimpleNamespace(listener=listener, stage_times=lambda: dict(stages), counts=dict)
    recorder = SimpleNamespace(counts={"a": 3})
    found = replay_bag._result(tmp_path, 3, node, recorder)
    assert found.stage_ms == {"base": {"p50": 5.0}} and found.messages == {"a": 3}
    assert found.end_to_end_ms["p50"] == pytest.approx(300.0)
    assert found.end_to_end_ms["p99"] == pytest.approx(398.0)
    assert {topic: a.count for topic, a in found.answers.items()} == {"a": 3, "b": 2}
    assert found.answers["b"].latency_ms["p50"] == pytest.approx(250.0)
    listener.arrived = {"a": {}}
    assert replay_bag._result(tmp_path, 3, node, recorder).end_to_end_ms == {}


@pytest.fixture(scope="module", params=["raw", "compressed"])
def replayed(request, tmp_path_factory, bundle_path):
    folder = tmp_path_factory.mktemp("replay")
    bag = write_bag(folder / "bag", compressed=request.param == "compressed")
    progress = []
    result = replay(
        bundle_path,
        bag,
        folder / "out",
        parameters={"output_size": "input", "tasks": "depth, segmentation", "max_depth": 10},
        on_progress=lambda *frame: progress.append((*frame, time.monotonic())),
    )
    return result, progress, read(folder / "out")


def test_every_frame_is_accounted_for(replayed):
    result, progress, _ = replayed
    counts = dict(result.counts)
    assert result.frames_sent == 8 and [p[:2] for p in progress] == [(n, 8) for n in range(1, 9)]
    # What the node had no time for on a busy machine is counted, not lost.
    received = counts.pop("received")
    assert received == sum(counts.values()) <= 8
    assert counts["processed"] >= 1 and counts["rejected"] == counts["failed"] == 0


def test_the_outputs_are_recorded_when_they_came_with_the_stamps_of_their_frames(replayed):
    result, _, bag = replayed
    masks, depths = bag[f"{NODE}/segmentation/mask"], bag[f"{NODE}/depth/image"]
    assert len(masks) == len(depths) == result.counts["processed"]
    sent = {stamp_of(data): time for time, data in images_of(bag)}
    for time_, data in depths:
        message = deserialize_message(data, Image)
        stamp = stamp_of(data)
        assert message.header == header(stamp) and sent[stamp] < time_ < sent[stamp] + 10 * SECOND
        assert (message.width, message.height, message.encoding) == (160, 120, "32FC1")
        assert not (np.frombuffer(message.data, np.float32) > 10).any()
    info = deserialize_message(bag[f"{NODE}/depth/camera_info"][0][1], CameraInfo)
    assert info.k[0] == 150.0
    assert len(bag[f"{NODE}/segmentation/label_info_json"]) == 1
    assert bag["/diagnostics"] and min(t for t, _ in bag["/diagnostics"]) >= START
    assert f"{NODE}/normals/image" not in bag


def images_of(bag):
    """Return time and message of the images that were sent."""
    return next(bag[name] for name in bag if name.startswith("/camera/image"))


def test_the_images_are_recorded_as_they_were_sent_by_the_clock_of_their_stamps(replayed):
    result, _, bag = replayed
    images = images_of(bag)
    assert [stamp_of(data) for _, data in images] == STAMPS
    # At its turn, or a little later on a busy machine.
    late = [time_ - stamp for (time_, _), stamp in zip(images, STAMPS, strict=True)]
    assert all(-SECOND // 1000 < one < 2 * SECOND for one in late)
    found = result.answers[f"{NODE}/depth/image"]
    assert found.count == result.counts["processed"]
    assert 0 < found.latency_ms["p50"] <= found.latency_ms["p99"]
    assert found.latency_ms["p99"] <= result.end_to_end_ms["p99"] + 1e-6


def test_frames_are_sent_at_the_recorded_pace(replayed):
    _, progress, _ = replayed
    times = [moment for _, _, moment in progress]
    assert 0.6 < times[-1] - times[0] < 3.0  # recorded: 0.7 s


def test_latencies_are_reported_by_stage_and_end_to_end(replayed):
    result, _, _ = replayed
    assert {"base", "depth", "publish", "latency", "key"} <= set(result.stage_ms)
    assert set(result.end_to_end_ms) == {"p50", "p95", "p99"}
    assert 0 < result.stage_ms["latency"]["p50"] < result.end_to_end_ms["p99"]


def test_a_mistake_is_named_before_the_node_is_started(tmp_path, bundle_path):
    bag = write_bag(tmp_path / "bag")
    other = write_bag(tmp_path / "other")
    out = tmp_path / "out"
    for error, says, arguments in (
        (BagError, "none: not found", (bundle_path, tmp_path / "none", out)),
        (ReplayError, "exists", (bundle_path, bag, other)),
        (BundleError, "manifest.json", (tmp_path, bag, out)),
    ):
        with pytest.raises(error, match=says):
            replay(*arguments)
    for error, says, options in (
        (ReplayError, "rate 0", {"rate": 0.0}),
        (BagError, "no images on rear/image .*--topic: /camera/image$", {"topic": "rear/image"}),
        (ParameterError, "no parameter 'speed'", {"parameters": {"speed": 1}}),
        (ReplayError, "parameter bundle can't be given", {"parameters": {"bundle": "/b"}}),
        (ReplayError, "parameter autostart can't", {"parameters": {"autostart": False}}),
        (ReplayError, "image_transport can't", {"parameters": {"image_transport": "raw"}}),
        (ParameterError, "max_age is 0", {"parameters": {"max_age": 0}}),
    ):
        with pytest.raises(error, match=says):
            replay(bundle_path, bag, out, **options)
    assert not out.exists()


def test_a_disk_that_is_full_while_recording_fails_the_replay_and_leaves_nothing(
    tmp_path, bundle_path, monkeypatch
):
    bag, temporary = write_bag(tmp_path / "bag"), tempfile.TemporaryFile

    def full(dir=None, **options):
        # The disk has room when it is looked at, before the node is started.
        room = dir is None or options
        return temporary(dir=dir, **options) if room else open("/dev/full", "wb")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(ReplayFailedError, match="can't be kept in .*No space left") as caught:
        replay(bundle_path, bag, tmp_path / "out")
    assert exit_status(caught.value) == 1 and not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert replay(bundle_path, bag, tmp_path / "out").counts["failed"] == 0


def test_a_replay_of_which_no_image_was_processed_fails_with_the_nodes_reason(
    tmp_path, bundle_path
):
    bag = write_bag(tmp_path / "bag", encoding="8UC3")
    with pytest.raises(ReplayFailedError) as caught:
        replay(bundle_path, bag, tmp_path / "out")
    assert str(caught.value) == (
        "of 8 images none was processed (8 received, 8 rejected): encoding '8UC3' names no"
        " colours; publish rgb8 or bgr8 instead"
    )
    assert exit_status(caught.value) == 1 and not (tmp_path / "out").exists()


def test_another_cameras_topic_is_played_and_its_name_says_that_its_images_are_raw(
    tmp_path, bundle_path
):
    bag = write_bag(tmp_path / "bag", compressed=True, topic="front/image_raw")
    result = replay(bundle_path, bag, tmp_path / "out", topic="front/image_raw")
    assert result.counts["processed"] > 0 and result.messages["/perception_node/depth/image"] > 0
