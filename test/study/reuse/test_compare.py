"""Reuse over time against its baselines: `mtshare study reuse`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.simulator.simulate import write_clip
from mtshare_ros.study.reuse.compare import Clip, Way, play
from mtshare_ros.study.reuse.summary import by_kind, summary
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION

FRAMES = 9
SERVED = (NORMALS, DEPTH, SEGMENTATION)
TASKS = {task.name for task in SERVED}


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "clip.mcap"
    write_clip(path, "pan", 200_001, FRAMES, (128, 96))
    return path


@pytest.fixture(scope="module")
def played(bundle_path: Path, bag: Path) -> Clip:
    engine = open_engine(bundle_path, "onnxruntime", 1)
    settings = StreamSettings()
    ways = [
        Way("tokens:1", "tokens", settings),
        Way("tokens:0.1", "tokens", StreamSettings(max_dirty_fraction=0.1)),
        Way("hold:3", "hold:3", settings),
        Way("warp:3", "warp:3", settings),
        Way("hold:1", "hold:1", settings),
        Way("carry:3", "carry:3", settings),
    ]
    return play(engine, bag, ways, lambda image: 1.0, 3)


def named(clip: Clip) -> dict[str, Any]:
    return {track.way.name: track for track in clip.tracks}


def test_each_way_computes_what_its_policy_says(played: Clip) -> None:
    tracks = named(played)
    whole = [frame.all() for frame in tracks["hold:3"].dirty]
    assert whole == [number % 3 == 0 for number in range(FRAMES)]
    assert [frame.all() for frame in tracks["carry:3"].dirty] == whole
    assert all(frame.all() for frame in tracks["dense"].dirty)
    assert np.mean([d.mean() for d in tracks["tokens:0.1"].dirty[1:4]]) < 0.15
    assert played.networks_ms == [1.0] * FRAMES
    assert list(played.pictures) == [0, 4, 8]


def test_disagreement_is_with_the_dense_network_on_the_same_frame(played: Clip) -> None:
    tracks = named(played)
    for name in ("dense", "hold:1"):
        assert all(not any(v) for v in tracks[name].errors.values())
    for task in TASKS:
        held = tracks["hold:3"].errors[task]
        assert not any(held[::3]) and all(held[1:3])
        assert tracks["tokens:1"].errors[task][0] == 0.0


def test_the_summary_has_every_way_and_what_it_is_compared_with(played: Clip) -> None:
    clip = json.loads(json.dumps(summary(played, SERVED)))
    assert clip["frames"] == FRAMES and len(clip["ways"][0]["ms"]) == FRAMES
    (found,) = by_kind([clip], [3])
    ways = {way["name"]: way for way in found["ways"]}
    assert set(clip["ways"][0]["accuracy"]) == TASKS
    equal, carried = found["equal_time"]
    assert carried["ours"] == "carry:3"
    ours = ways[equal["ours"]]
    assert equal["time"] == pytest.approx(ours["mean_ms"] / ways["hold:3"]["mean_ms"])
    for task in TASKS:
        expected = ours["error"][task] / ways["warp:3"]["error"][task]
        assert equal["of_warp"][task] == pytest.approx(expected)


def test_clips_of_a_kind_are_taken_together(played: Clip) -> None:
    def clip(name: str, factor: float) -> dict[str, Any]:
        found = summary(replace(played, name=name, networks_ms=[6.0 * factor]), SERVED)
        for way in found["ways"]:
            way["mean_ms"] = 2.0 * factor
            way["loss"] = {"depth": 0.01 * factor if way["name"] != "dense" else 0.0}
        return found

    clips = [clip("pan", 1.0), clip("drive-1", 1.0), clip("pan-12", 3.0)]
    pan, drive = by_kind(clips, [3])
    assert (pan["name"], pan["clips"]) == ("pan", ["pan", "pan-12"])
    assert (drive["name"], drive["clips"]) == ("drive", ["drive-1"])
    way = pan["ways"][1]
    assert way["mean_ms"] == 4.0 and way["times_faster"] == pytest.approx(3.0)
    assert way["loss"] == {"depth": pytest.approx(0.02)}
    assert way["worst_loss"] == {"depth": pytest.approx(0.03)}


def test_at_equal_time_the_largest_budget_within_is_taken(played: Clip) -> None:
    def budget(milliseconds: dict[str, float]) -> dict[str, Any]:
        for track in played.tracks:
            if track.way.name in milliseconds:
                track.ms[:] = [milliseconds[track.way.name]] * FRAMES
        ((equal, _),) = (kind["equal_time"] for kind in by_kind([summary(played, SERVED)], [3]))
        return equal

    within = budget({"tokens:1": 8.0, "tokens:0.1": 4.0, "hold:3": 8.0})
    assert within["ours"] == "tokens:1" and within["time"] == 1.0
    assert budget({"hold:3": 7.0})["ours"] == "tokens:0.1"
    beyond = budget({"hold:3": 2.0})
    assert beyond["ours"] == "tokens:0.1" and beyond["time"] == 2.0


def test_the_fastest_way_whose_loss_is_bearable_is_named(played: Clip) -> None:
    class Told:
        def __init__(self, degrees: float, miou: float) -> None:
            self.told = {"normals": {"mean_deg": degrees}, "segmentation": {"miou": miou}}

        def result(self) -> dict[str, dict[str, float]]:
            return self.told

    def fastest(**told: tuple[float, float]) -> tuple[str, float]:
        clip = replace(played, tracks=[replace(track) for track in played.tracks[:3]])
        for track, name, milliseconds in zip(
            clip.tracks, ("dense", "whole", "tenth"), (4.0, 2.0, 0.5), strict=True
        ):
            track.accuracy = Told(*told[name])  # type: ignore[assignment]
            track.ms = [milliseconds] * FRAMES
        (kind,) = by_kind([summary(replace(clip, networks_ms=[8.0]), SERVED)], [])
        found = kind["fastest"]
        return found["name"], found["times_faster"]

    dense = (10.0, 0.5)
    assert fastest(dense=dense, whole=dense, tenth=(10.09, 0.6)) == ("tokens:0.1", 16.0)
    assert fastest(dense=dense, whole=(9.0, 0.496), tenth=(10.2, 0.6)) == ("tokens:1", 4.0)
    assert fastest(dense=dense, whole=(9.0, 0.49), tenth=(9.0, 0.494)) == ("dense", 2.0)


def test_the_command_writes_numbers_and_plots(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bundle_path: Path, bag: Path
) -> None:
    arguments = ["study", "reuse", str(bundle_path), "--bag", str(bag)]
    assert cli.run([*arguments, "--output", str(tmp_path), "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    written = {Path(line).name for line in lines if line.startswith(str(tmp_path))}
    plots = {"error_over_time.png", "frames_clip.png", "dirty_tokens.png"}
    assert written == {"reuse.json", *plots}
    (kind,) = json.loads((tmp_path / "reuse.json").read_text())["kinds"]
    assert [entry["period"] for entry in kind["equal_time"]] == [2, 4, 8, 2, 4, 8]
    ours = [entry["ours"].split(":")[0] for entry in kind["equal_time"][::3]]
    assert ours == ["tokens", "carry"]
    assert all((tmp_path / name).stat().st_size > 5000 for name in plots)
