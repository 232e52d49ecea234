"""Boundaries and saliency on the live node's topics."""

import numpy as np
import pytest

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.random_bundle import random_bundle
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.palette import colour_probability
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.ros.images import decode
from support.ros_harness import (
    SECOND,
    connected,
    header,
    image,
    peer,
    perception_node,
    send,
    wait_for,
)
from support.samples import SMALL

START = 5 * SECOND
IMAGES = ("boundary/image", "saliency/image")
PICTURES = ("boundary/color", "saliency/color")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "edges"
    random_bundle(folder, SMALL, LayerShare(1, 32), ("normals", "boundary", "saliency"))
    return folder


def pixels(message):
    shape = (message.height, message.width, -1)
    return np.frombuffer(message.data, np.uint8).reshape(shape).squeeze()


def test_they_are_published_as_mono8_and_as_pictures_of_the_same_map(context, bundle):
    with (
        perception_node(context, bundle=str(bundle)) as node,
        peer(context) as camera,
    ):
        camera.listen(*IMAGES, *PICTURES, "dirty_tokens")
        connected(node, camera, "boundary", "saliency")
        sent = image(START)
        send(node, camera, sent)
        topics = (*IMAGES, *PICTURES, "dirty_tokens")
        wait_for(lambda: all(camera.received[t] for t in topics), "all outputs")
    stream = PerceptionStream(open_engine(bundle, threads=1))
    expected = stream.step(decode(sent), 0, ["boundary", "saliency"]).maps
    for topic in topics:
        (message,) = camera.received[topic]
        assert message.header == header(START), topic
        assert (message.width, message.height) == (128, 96), topic
    for task, found in expected.items():
        (map_,), (picture,) = camera.received[f"{task}/image"], camera.received[f"{task}/color"]
        assert (map_.encoding, picture.encoding) == ("mono8", "rgb8")
        assert np.abs(pixels(map_).astype(int) - found).max() <= 1
        assert np.array_equal(pixels(picture), colour_probability(pixels(map_)))


def test_one_that_nobody_listens_to_is_not_computed(context, bundle, steps):
    with (
        perception_node(context, bundle=str(bundle)) as node,
        peer(context) as camera,
    ):
        camera.listen("boundary/color")
        connected(node, camera, "boundary")
        send(node, camera, image(START))
        assert [step.wanted for step in steps] == [{"boundary"}]
