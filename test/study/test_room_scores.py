"""Scores of what a stage trained, room by room."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.study import room_scores
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.validation import validate
from support.study_files import (
    TINY,
    study_values,
    write_network,
    write_stills,
    write_study,
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
