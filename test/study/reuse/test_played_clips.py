"""Each way computes what its policy says, frame by frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.study.reuse.played_clips import Clip
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
