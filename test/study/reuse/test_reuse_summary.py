"""What the numbers of played clips say."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.study.reuse import reuse_summary
from mtshare_ros.study.reuse.played_clips import Clip, Track, Way
from mtshare_ros.study.reuse.reuse_summary import by_kind, summary
from mtshare_ros.tasks import DEPTH
from support.reuse_clip import FRAMES, SERVED

TASKS = {task.name for task in SERVED}


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


def test_times_are_those_of_a_running_stream() -> None:
    accuracy = SimpleNamespace(result=lambda: {})
    track = Track(Way("w", "tokens", StreamSettings()), accuracy)  # type: ignore[arg-type]
    track.ms = [100.0] * 20 + [10.0] * 9 + [20.0]
    track.dirty = [np.array([True, False])] * 2
    found = reuse_summary._way(track)
    assert found["p50_ms"] == 10.0 and found["p95_ms"] == pytest.approx(15.5)
    assert found["mean_ms"] == pytest.approx(2110 / 30) and found["dirty"] == 0.5
    assert found["p99_over_mean"] == pytest.approx(19.1 / 11)
    track.ms = [100.0, 10.0]  # Too short to settle.
    assert reuse_summary._way(track)["p50_ms"] == 55.0


def test_a_hundredth_more_is_equal_time_and_errors_are_parts() -> None:
    def way(name: str, ms: float, error: float) -> dict[str, Any]:
        return {"name": name, "mean_ms": ms, "error": {"depth": error, "normals": 0.0}}

    ways = {"hold:2": way("hold:2", 8.0, 0.4), "warp:2": way("warp:2", 10.0, 0.2)}
    candidates = [way("slow", 8.2, 0.1), way("equal", 8.1, 0.1), way("fast", 7.0, 0.3)]
    found = reuse_summary._equal_time(ways, candidates, 2)
    assert found["ours"] == "equal" and found["time"] == pytest.approx(8.1 / 8)
    assert found["warp_time"] == pytest.approx(1.25)
    assert found["of_hold"] == {"depth": pytest.approx(0.25), "normals": None}
    assert found["of_warp"] == {"depth": pytest.approx(0.5), "normals": None}


def test_a_loss_is_positive_where_a_metric_got_worse() -> None:
    dense = {"segmentation": {"miou": 0.5}, "depth": {DEPTH.metrics[0]: 0.4}}
    worse = {"segmentation": {"miou": 0.4}, "depth": {DEPTH.metrics[0]: 0.5}}
    found = reuse_summary._loss(worse, dense, SERVED)
    assert found == {"segmentation": pytest.approx(0.2), "depth": pytest.approx(0.25)}
