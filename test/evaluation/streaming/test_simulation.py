"""A clip played to a bundle on a simulated clock."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.errors import OptionError
from mtshare_ros.evaluation.bag_frames import BagFrames
from mtshare_ros.evaluation.run_options import Options
from mtshare_ros.evaluation.streaming.simulation import evaluate_streaming
from mtshare_ros.evaluation.streaming.times import Pace
from mtshare_ros.perception.serving.server import ServeSettings
from mtshare_ros.simulator.simulate import write_clip

FRAMES = 10
PACE = Pace(slower=2.0, network_ms=40.0, serve_ms=5.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mcap"
    write_clip(path, "pan", 200_003, FRAMES, (128, 96))
    return path


def simulate(bundle: Path, clip: Path, output: Path, *baselines: str, policy: str) -> Any:
    options = Options(policy=policy, threads=1, baselines=baselines)
    source = partial(BagFrames, clip, None)
    return evaluate_streaming(bundle, source, output, options, PACE, ServeSettings(fill=True))


def test_all_ways_are_scored_on_the_same_moments(
    bundle_path: Path, clip: Path, tmp_path: Path
) -> None:
    """Keys of 80 ms: the first is there at frame 3, and an ideal that is late one frame before."""
    simulate(bundle_path, clip, tmp_path, "beside:dense", "dense", policy="beside")
    found = json.loads((tmp_path / "report.json").read_text())["streaming"]
    assert (found["slower"], found["network_ms"], found["serve_ms"]) == (2.0, 40.0, 5.0)
    assert found["moments"] == FRAMES - 3
    # Frame 0 when its key is there, at 80 ms, and from frame 3 on each but the last.
    assert found["answered"] == pytest.approx(7 / FRAMES)
    assert set(found["baselines"]) == {"beside:dense", "dense"}
    contenders = [found, found["ideal"], found["ideal_1"], *found["baselines"].values()]
    for one in contenders:
        assert set(one) >= {"normals", "depth", "segmentation", "served", "stamped", "age_ms"}
    ages = [one["age_ms"]["mean"] for one in contenders]
    assert ages[1] == pytest.approx(0.0, abs=0.1) and ages[2] == pytest.approx(33.3, abs=0.1)
    # What is carried shows the newest frame; what is held shows the frame that was computed.
    assert found["baselines"]["dense"]["answered"] < 5 and 0.5 < found["coverage"] <= 1.0
    assert "what the robot had" in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("policy", "baselines", "said"),
    [
        ("beside:hold:2", (), "expected beside:POLICY"),
        ("beside:secret", (), "expected beside:POLICY"),
        ("beside", ("beside",), "expected each once"),
    ],
)
def test_ways_that_can_not_be_compared_are_refused(
    bundle_path: Path,
    clip: Path,
    tmp_path: Path,
    policy: str,
    baselines: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(OptionError, match=said):
        simulate(bundle_path, clip, tmp_path, *baselines, policy=policy)
    assert not list(tmp_path.iterdir())
