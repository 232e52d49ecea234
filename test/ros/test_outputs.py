"""The output topics of a bundle: which there are, and which tasks they need."""

import pytest
from rclpy.node import Node

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import BundleError
from mtshare_ros.ros import kind_outputs
from mtshare_ros.ros.outputs import Outputs

ALL = ("normals", "depth", "segmentation")


@pytest.fixture
def node(context):
    made = Node("outputs", context=context)
    yield made
    made.destroy_node()


def topics(node):
    names = node.get_publisher_names_and_types_by_node("outputs", "/")
    return {name.removeprefix("/outputs/") for name, _ in names if name.startswith("/outputs/")}


def test_each_task_has_its_topics_and_they_go_when_the_outputs_do(node, bundle_path):
    before = topics(node)
    outputs = Outputs(node, load_manifest(bundle_path))
    made = topics(node) - before
    assert {
        "depth/image",
        "depth/camera_info",
        "normals/image",
        "segmentation/mask",
        "segmentation/confidence",
        "segmentation/label_info_json",
        "points",
        "overlay",
        "dirty_tokens",
        *(f"{task}/color" for task in ALL),
    } <= made
    outputs.destroy()
    assert topics(node) == before


def test_a_camera_has_topics_of_its_own(node, bundle_path):
    outputs = Outputs(node, load_manifest(bundle_path), "front/")
    assert "front/depth/image" in topics(node)
    outputs.destroy()


def test_only_what_somebody_hears_is_wanted(node, bundle_path):
    outputs = Outputs(node, load_manifest(bundle_path))
    assert outputs.wanted(ALL) == set()
    outputs.destroy()


def test_a_kind_without_topics_is_refused_and_leaves_none(node, bundle_path, monkeypatch):
    before = topics(node)
    monkeypatch.delitem(kind_outputs.OUTPUTS, "segmentation")
    with pytest.raises(BundleError, match="task segmentation is of kind 'segmentation'"):
        Outputs(node, load_manifest(bundle_path))
    assert topics(node) == before
