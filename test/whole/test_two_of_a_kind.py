"""A bundle with two tasks of each kind: served, carried, published, recorded and scored alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, PointCloud2

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.commands.demo import run_demo
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.export.random_bundle import random_bundle
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.motion import carrier
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.ros.images import decode
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.tasks import DEPTH, KINDS, ROOM_CLASSES, TASKS
from support.evaluations import evaluate_bag
from support.malformed import GOOD_INFO
from support.ros_harness import (
    SECOND,
    active,
    camera_of,
    connected,
    image,
    peer,
    perception_node,
    send,
    wait_for,
)
from support.samples import SMALL, coarse_image

SECOND_ONES = {
    "far_depth": KINDS["depth"].task("far_depth"),
    "areas": KINDS["segmentation"].task("areas", ROOM_CLASSES),
    "facets": KINDS["normals"].task("facets"),
}
NAMES = ("normals", "far_depth", "depth", "segmentation", "areas", "facets")
"""The further depth comes first: it makes the points."""
PAIRS = (("far_depth", "depth"), ("segmentation", "areas"), ("normals", "facets"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("bundles") / "twins"
    with pytest.MonkeyPatch.context() as patch:
        for name, task in SECOND_ONES.items():
            patch.setitem(TASKS, name, task)
        # One block: there are six tasks to export.
        random_bundle(folder, replace(SMALL, depth=1), LayerShare(1, 32), NAMES)
    yield folder


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mcap"
    write_clip(path, "static", 200_002, 4, (128, 96))
    return path


def test_both_are_in_the_predictions_computed_and_carried(bundle: Path) -> None:
    settings = StreamSettings(carry_frames=1, max_depth=15.0)
    stream = PerceptionStream(open_engine(bundle, threads=1), settings)
    for number in range(2):
        found = stream.step(coarse_image(), number * SECOND // 30, NAMES)
        assert found.carried == number
        assert tuple(found.maps) == NAMES
        assert set(found.confidence) == {"segmentation", "areas"}
        for first, second in PAIRS:
            assert not np.array_equal(found.maps[first], found.maps[second], equal_nan=True)
        for name in ("depth", "far_depth"):
            assert not (found.maps[name] > 15.0).any()  # NaN beyond, of both.


def test_the_first_depth_tells_the_camera_s_motion(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths = []
    find_motion = carrier.rigid_motion

    def watched(where: Any, depth: Any, camera: Any) -> Any:
        depths.append(depth)
        return find_motion(where, depth, camera)

    monkeypatch.setattr(carrier, "rigid_motion", watched)
    settings = StreamSettings(carry_frames=1)
    stream = PerceptionStream(open_engine(bundle, threads=1), settings)
    computed = stream.step(coarse_image(), 0, NAMES)
    assert stream.step(coarse_image(), SECOND // 30, NAMES).carried == 1
    (depth,) = depths
    assert depth is computed.maps["far_depth"]


def test_the_cloud_and_the_overlay_are_of_the_first_of_their_kinds(
    context: Any, bundle: Path
) -> None:
    with perception_node(context, bundle=str(bundle)) as node, peer(context) as camera:
        camera.listen("points", type_=PointCloud2)
        camera.listen("overlay")
        info = camera.node.create_publisher(CameraInfo, "camera_info", 1)
        wait_for(active(node), "node active")
        wait_for(info.get_subscription_count, "camera_info subscribed")
        info.publish(GOOD_INFO)
        wait_for(lambda: camera_of(node).calibration.info, "camera_info")
        connected(node, camera, "far_depth", "segmentation")
        sent = image(5 * SECOND)
        send(node, camera, sent)
        wait_for(lambda: all(camera.received.values()), "the cloud and the overlay")
    (cloud,), (overlay,) = camera.received["points"], camera.received["overlay"]
    stream = PerceptionStream(open_engine(bundle, threads=1))
    scale = GOOD_INFO.k[0] / GOOD_INFO.width
    expected = stream.step(decode(sent), 0, NAMES, scale)
    z = np.frombuffer(cloud.data, np.float32).reshape(-1, 5)[:, 2]
    labels = np.frombuffer(cloud.data, np.uint32).reshape(-1, 5)[:, 4]
    assert np.allclose(z, expected.maps["far_depth"].ravel(), rtol=1e-4, equal_nan=True)
    assert np.array_equal(labels, expected.maps["segmentation"].ravel())
    assert (overlay.height, overlay.width) == expected.maps["segmentation"].shape


def test_both_are_published(context: Any, bundle: Path) -> None:
    topics = [f"{name}/image" for name in ("depth", "far_depth", "normals", "facets")]
    topics += [
        f"{name}/{part}" for name in ("segmentation", "areas") for part in ("mask", "color")
    ]
    with (
        perception_node(context, bundle=str(bundle), depth_encoding="16UC1") as node,
        peer(context) as camera,
    ):
        camera.listen(*topics)
        connected(node, camera, *NAMES)
        sent = image(5 * SECOND)
        send(node, camera, sent)
        wait_for(lambda: all(camera.received[topic] for topic in topics), "all outputs")
    stream = PerceptionStream(open_engine(bundle, threads=1))
    expected = stream.step(decode(sent), 0, NAMES)
    for name in ("depth", "far_depth"):
        (message,) = camera.received[f"{name}/image"]
        assert message.encoding == "16UC1"
        pixels = np.frombuffer(message.data, np.uint16).reshape(message.height, message.width)
        metres = np.nan_to_num(expected.maps[name])
        assert np.abs(pixels / 1000 - metres).max() <= 0.51e-3 * max(1.0, metres.max())
    for name in ("segmentation", "areas"):
        (message,) = camera.received[f"{name}/mask"]
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width)
        assert np.array_equal(pixels, expected.maps[name])


def test_both_are_scored_against_the_one_truth(bundle: Path, clip: Path, tmp_path: Path) -> None:
    report = evaluate_bag(bundle, clip, tmp_path, Options(threads=1))
    assert set(report["tasks"]) == set(NAMES)
    for first, second in PAIRS:
        assert report["tasks"][first].keys() == report["tasks"][second].keys()
        assert report["tasks"][first] != report["tasks"][second]
    assert set(report["tasks"]["far_depth"]) == set(DEPTH.metrics)


def test_both_come_out_of_the_live_node_and_are_scored(
    bundle: Path, clip: Path, tmp_path: Path
) -> None:
    result = run_demo(bundle, clip, tmp_path)
    tasks = [task.name for task in load_manifest(bundle).tasks]
    assert tuple(tasks) == NAMES and set(result.numbers["tasks"]) == set(NAMES)
