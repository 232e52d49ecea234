"""Scores of what a stage trained, room by room."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.errors import OptionError
from mtshare_ros.study import room_scores
from mtshare_ros.tasks import ROOM_CLASSES, TASKS
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.validation import validate
from support.study_files import (
    TINY,
    study_values,
    write_network,
    write_stills,
    write_study,
    write_subtasks,
)


@pytest.mark.parametrize(
    ("task", "size"), [*((task, None) for task in TASKS), ("depth", (32, 32))]
)
def test_scores_per_room_add_up_to_those_of_the_validation(
    study_data: Path, tmp_path: Path, task: str, size: tuple[int, int] | None
) -> None:
    write_network(tmp_path, "network", task, seed=3)
    stills = StillsDataset(study_data)
    scores = room_scores.compute(tmp_path, "network", task, stills, size)
    assert list(scores.rooms) == [200_000, 200_001, 200_002, 200_003]
    assert all(len(values) == 4 for values in scores.sums.values())
    network, _ = load_network(tmp_path, "network")
    whole = validate(network, None, task, stills, size or TINY.size)[task]
    # The angles of a room are in coarser bins.
    assert scores.whole() == pytest.approx(whole, abs=room_scores.BIN_DEG)
    exact = {key: value for key, value in whole.items() if key != "median_deg"}
    assert {key: scores.whole()[key] for key in exact} == pytest.approx(exact, abs=1e-4)


def test_each_room_has_its_own_sums(
    study_data: Path, study_trained: list[Path], tmp_path: Path
) -> None:
    scores = room_scores.compute(
        study_trained[0], "single_depth", "depth", StillsDataset(study_data)
    )
    other = tmp_path / "one"
    shutil.copytree(study_data, other)
    shard = next(other.glob("shard-*"))
    for path in shard.glob("*.npy"):
        np.save(path, np.load(path)[2:4])
    alone = room_scores.compute(study_trained[0], "single_depth", "depth", StillsDataset(other))
    assert list(alone.rooms) == [200_001]
    for name, values in alone.sums.items():
        assert values[0] == pytest.approx(scores.sums[name][1], rel=1e-5)


def test_scores_are_kept_until_a_stage_its_base_or_the_data_changes(
    study_data: Path, study_runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = study_runs[0], []
    original = room_scores.compute
    monkeypatch.setattr(room_scores, "compute", lambda *a: calls.append(a) or original(*a))

    def score(folder: Path) -> room_scores.RoomScores:
        stills = room_scores.open_rooms(folder)
        return room_scores.score(run, "units_normals", "depth", folder, stills)

    first = score(study_data)
    again = score(study_data)
    assert len(calls) == 1 and (run / "scores" / "units_normals.depth.npz").is_file()
    assert again.whole() == first.whole() and (again.rooms == first.rooms).all()
    write_network(run, "base_normals", "normals", seed=77)
    assert score(study_data).whole() != first.whole() and len(calls) == 2
    score(write_stills(tmp_path / "more", first=200_100))
    assert len(calls) == 3
    (run / "scores" / "units_normals.depth.npz").write_bytes(b"cut")
    score(study_data)
    assert len(calls) == 4
    room_scores.score(
        run, "units_normals", "depth", study_data, room_scores.open_rooms(study_data), (32, 32)
    )
    assert len(calls) == 5


def test_rooms_that_are_not_of_the_test_split_are_refused(
    tmp_path: Path, study_runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_stills(tmp_path / "validation", first=100_000)
    path = write_study(tmp_path / "s.yaml", study_values(data, *study_runs))
    assert cli.run(["study", "table", str(path), "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert "rooms of validation, expected rooms of test only" in error
    assert error.count("\n") == 1


def stills_of(seeds: set[int], **meta: Any) -> Any:
    known = {"classes": [item.name for item in ROOM_CLASSES]}
    return SimpleNamespace(seeds=seeds, meta={**known, **meta}, __len__=lambda: 2)


def test_all_rooms_are_of_the_test_split_and_of_the_known_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stills, message in (
        (stills_of({200_000, 5}), "d: rooms of test, train, expected rooms of test only"),
        (stills_of(set()), "d: rooms of none"),
        (stills_of({200_000}, classes=["wall"]), r"d: classes \['wall'\], expected"),
    ):
        monkeypatch.setattr(room_scores, "StillsDataset", lambda folder, stills=stills: stills)
        with pytest.raises(OptionError, match=message):
            room_scores.open_rooms(Path("d"))
    stills = stills_of({200_000})
    monkeypatch.setattr(room_scores, "StillsDataset", lambda folder: stills)
    assert room_scores.open_rooms(Path("d")) is stills


def test_what_scores_depend_on_is_in_their_key(tmp_path: Path) -> None:
    write_network(tmp_path, "network", "depth", seed=3)
    write_subtasks(tmp_path, "units", "network", LayerShare(1, 32), seed=4)
    data = write_stills(tmp_path / "stills", rooms=1)
    stills = StillsDataset(data)

    def key(stage: str = "units", size: tuple[int, int] | None = None) -> str:
        return room_scores._key(tmp_path, stage, data, stills, size)

    keys = {key(), key(size=(32, 32)), key(stage="network")}
    stills.meta["textures"] = "B"
    keys.add(key())
    write_network(tmp_path, "network", "depth", seed=9)
    keys.add(key())
    assert len(keys) == 5


def test_a_file_that_is_cut_anywhere_is_computed_again(tmp_path: Path) -> None:
    path, task = tmp_path / "s.npz", TASKS["depth"]
    sums = {name: np.ones(2) for name in room_scores.empty_metric(task).sums}
    np.savez_compressed(path, key=np.array("k"), rooms=np.arange(2), **sums)
    whole = path.read_bytes()
    assert room_scores._kept(path, "k", task) is not None
    assert room_scores._kept(path, "other", task) is None
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        assert room_scores._kept(path, "k", task) is None


def test_where_scores_can_not_be_kept_nothing_is_computed(
    study_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute(*_: Any) -> Any:
        raise AssertionError("it was computed")

    monkeypatch.setattr(room_scores, "compute", compute)
    write_network(tmp_path, "network", "depth", seed=3)
    (tmp_path / "scores" / "network.depth.npz").mkdir(parents=True)
    with pytest.raises((OptionError, OSError), match=r"network\.depth\.npz"):
        room_scores.score(
            tmp_path, "network", "depth", study_data, room_scores.open_rooms(study_data)
        )
