"""The demo: a clip through the live node, scored."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.commands import demo
from mtshare_ros.commands.demo import run_demo
from mtshare_ros.errors import JobError
from mtshare_ros.replay.replay_bag import ReplayResult
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.tasks import KINDS

FRAMES = 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mcap"
    write_clip(path, "static", 200_001, FRAMES, (128, 96))
    return path


def test_the_demo_scores_what_the_live_node_published(tmp_path, bundle_path, clip):
    result = run_demo(bundle_path, clip, tmp_path)
    numbers = result.numbers
    assert set(numbers["tasks"]) == {"normals", "depth", "segmentation"}
    assert 0 < numbers["frames"] <= numbers["delivery"]["processed"] <= FRAMES
    assert {"serve", "latency", "key", "key_age", "end_to_end"} < set(numbers["latency_ms"])
    assert all(path.exists() for path in result.files)
    picture = cv2.imread(str(tmp_path / "overview.png"))
    assert np.ptp(picture) > 100


def test_a_topic_that_stays_empty_fails_the_demo(tmp_path, bundle_path, clip, monkeypatch):
    def silent(bundle, bag, output, parameters, on_progress):
        assert parameters == {"unknown": "fill"}
        messages = {"/perception_node/normals/image": 3, "/perception_node/depth/image": 3}
        return ReplayResult(output, 3, {"processed": 3}, messages, {}, {}, "onnxruntime")

    monkeypatch.setattr(demo, "replay", silent)
    with pytest.raises(JobError, match="segmentation/mask"):
        run_demo(bundle_path, clip, tmp_path)


def test_a_topic_with_no_message_is_as_good_as_none(bundle_path):
    manifest = load_manifest(bundle_path)
    topics = [f"/n/{task.name}/{KINDS[task.kind].topic}" for task in manifest.tasks]
    messages = dict.fromkeys(topics, 3)
    result = ReplayResult(Path("x"), 3, {"processed": 3}, messages, {}, {}, "onnxruntime")
    demo._check_topics(manifest, result)
    messages[topics[0]] = 0
    with pytest.raises(JobError, match=f"nothing was published on ...{topics[0][2:]}"):
        demo._check_topics(manifest, result)


def test_stages_are_listed_in_the_order_of_a_frame(bundle_path):
    manifest = load_manifest(bundle_path)
    names = [task.name for task in manifest.tasks]
    stages = ["zeta", "key", *names[::-1], "alpha", "base", "decode", "stem", "serve", "wait"]
    times = {name: {"p50": float(n)} for n, name in enumerate(stages)}
    end = {"p50": 50.0}
    result = ReplayResult(Path("x"), 9, {"received": 8}, {}, times, end, "onnxruntime")
    recording = demo._said(manifest, result)
    order = ["wait", "serve", "stem", "base", *names, "decode", "key", "end_to_end"]
    assert list(recording.latency_ms) == [*order, "alpha", "zeta"]
    assert recording.latency_ms["end_to_end"] == end
    assert recording.latency_ms["base"] == times["base"]
    assert recording.delivery == {"sent": 9, "received": 8}
    silent = replace(result, end_to_end_ms={})
    assert "end_to_end" not in demo._said(manifest, silent).latency_ms
