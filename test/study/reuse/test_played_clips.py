"""Each way computes what its policy says, frame by frame."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.evaluation.accuracy import Accuracy
from mtshare_ros.evaluation.latency import TOTAL
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.study.reuse.played_clips import Clip, Track, Way, _step, play
from support.reuse_clip import FRAMES, SERVED, play_bag

TASKS = {task.name for task in SERVED}


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


def test_of_a_clip_that_is_cut_off_the_rest_is_played(
    bundle_path: Path, reuse_bag: Path, tmp_path: Path
) -> None:
    path = tmp_path / "clip.mcap"
    whole = reuse_bag.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    clip = play_bag(bundle_path, path)
    assert 0 < len(clip.networks_ms) <= FRAMES
    assert all(len(track.ms) == len(clip.networks_ms) for track in clip.tracks)
    assert any(f"bag {path}" in warning and "cut off" in warning for warning in clip.warnings)
    path.write_bytes(whole[:2000])
    with pytest.raises(BagError, match=r"clip\.mcap"):
        play_bag(bundle_path, path)


def test_pictures_are_frames_of_the_bag_and_a_cache_is_dropped_at_the_first(
    played: Clip, reuse_bag: Path
) -> None:
    for number, frame in enumerate(ClipReader(reuse_bag)):
        if number in played.pictures:
            assert np.array_equal(played.pictures[number], frame.rgb)
    assert {number for track in played.tracks for number in track.resets} == {0}


def test_a_step_is_given_the_frame_its_stamp_and_its_focal_length() -> None:
    asked: list[Any] = []

    def step(*values: Any) -> Any:
        asked.append(values)
        times = {TOTAL: 3.0}
        return SimpleNamespace(reset="cut", dirty=np.ones(2), milliseconds=times, maps={})

    track = Track(Way("w", "tokens", StreamSettings()), Accuracy([]))
    frame = SimpleNamespace(rgb="image", stamp=7, focal_length=0.8)
    for _ in range(2):
        _step(track, SimpleNamespace(step=step), frame, [])  # type: ignore[arg-type]
    assert asked == [("image", 7, [], 0.8)] * 2
    assert track.ms == [3.0, 3.0] and track.resets == {0: "cut", 1: "cut"}


def test_progress_is_told_after_each_frame(bundle_path: Path, reuse_bag: Path) -> None:
    told: list[Any] = []
    ways = [Way("hold:9", "hold:9", StreamSettings())]
    engine = open_engine(bundle_path, "onnxruntime", 1)
    play(engine, reuse_bag, ways, lambda image: 1.0, on_frame=lambda *step: told.append(step))
    assert told == [(number, FRAMES, "clip") for number in range(1, FRAMES + 1)]
