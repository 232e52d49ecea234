"""What the numbers of played clips say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mtshare_ros.study.reuse.played_clips import Clip
from mtshare_ros.study.reuse.reuse_summary import by_kind, summary
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
