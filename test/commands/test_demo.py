"""The demo: a clip through the live node, scored."""

import cv2
import numpy as np
import pytest

from mtshare_ros.commands import demo
from mtshare_ros.commands.demo import run_demo
from mtshare_ros.errors import JobError
from mtshare_ros.replay.replay_bag import ReplayResult
from mtshare_ros.simulator.simulate import write_clip

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
    assert {"total", "end_to_end"} < set(numbers["latency_ms"])
    assert all(path.exists() for path in result.files)
    picture = cv2.imread(str(tmp_path / "overview.png"))
    assert np.ptp(picture) > 100


def test_a_topic_that_stays_empty_fails_the_demo(tmp_path, bundle_path, clip, monkeypatch):
    def silent(bundle, bag, output, on_progress):
        messages = {"/perception_node/normals/image": 3, "/perception_node/depth/image": 3}
        return ReplayResult(output, 3, {"processed": 3}, messages, {}, {}, "onnxruntime")

    monkeypatch.setattr(demo, "replay", silent)
    with pytest.raises(JobError, match="segmentation/mask"):
        run_demo(bundle_path, clip, tmp_path)
