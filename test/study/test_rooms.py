"""What a stage trained, and its scores in each room."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mtshare_ros import cli
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.study import rooms
from mtshare_ros.study.plans import plan_of
from mtshare_ros.study.study_config import StudyError, load_study
from mtshare_ros.study.trained import full_parameters, predict
from mtshare_ros.tasks import TASKS
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import load_subtasks
from mtshare_ros.training.validation import validate
from support.study_files import (
    SEPARATE,
    TINY,
    study_values,
    write_elementwise,
    write_network,
    write_stills,
    write_study,
    write_together,
)


@pytest.mark.parametrize(
    ("task", "size"), [*((task, None) for task in TASKS), ("depth", (32, 32))]
)
def test_scores_per_room_add_up_to_those_of_the_validation(
    study_data: Path, tmp_path: Path, task: str, size: tuple[int, int] | None
) -> None:
    write_network(tmp_path, "network", task, seed=3)
    stills = StillsDataset(study_data)
    scores = rooms.compute(tmp_path, "network", task, stills, size)
    assert list(scores.rooms) == [200_000, 200_001, 200_002, 200_003]
    assert all(len(values) == 4 for values in scores.sums.values())
    network, _ = load_network(tmp_path, "network")
    whole = validate(network, None, task, stills, size or TINY.size)[task]
    # The angles of a room are in coarser bins.
    assert scores.whole() == pytest.approx(whole, abs=rooms.BIN_DEG)
    exact = {key: value for key, value in whole.items() if key != "median_deg"}
    assert {key: scores.whole()[key] for key in exact} == pytest.approx(exact, abs=1e-4)


def test_each_room_has_its_own_sums(
    study_data: Path, study_trained: list[Path], tmp_path: Path
) -> None:
    scores = rooms.compute(study_trained[0], "single_depth", "depth", StillsDataset(study_data))
    other = tmp_path / "one"
    shutil.copytree(study_data, other)
    shard = next(other.glob("shard-*"))
    for path in shard.glob("*.npy"):
        np.save(path, np.load(path)[2:4])
    alone = rooms.compute(study_trained[0], "single_depth", "depth", StillsDataset(other))
    assert list(alone.rooms) == [200_001]
    for name, values in alone.sums.items():
        assert values[0] == pytest.approx(scores.sums[name][1], rel=1e-5)


@torch.no_grad()
def test_a_sub_task_and_a_head_of_a_shared_encoder_are_what_is_run(
    study_trained: list[Path],
) -> None:
    image, run = torch.randn(1, 3, 48, 64), study_trained[0]
    base, _ = load_network(run, "base_normals")
    subtask = load_subtasks(run, "units_normals")[0]["depth"]
    tokens, fine = base.stem(image)
    expected = subtask(tokens, fine, base.transformer(tokens)[1])
    units = predict(run, "units_normals", "depth")
    assert torch.equal(units.raw(image), expected)
    shared = predict(run, "shared_equal", "segmentation")
    expected = load_network(run, "shared_equal", "segmentation")[0](image)
    assert torch.equal(shared.raw(image), expected)
    full = full_parameters(TINY, "depth")
    assert predict(run, "single_depth", "depth").parameters == full
    assert 0 < shared.parameters < units.parameters < full


@torch.no_grad()
def test_a_stage_that_trained_base_and_sub_tasks_together_has_all_of_them(tmp_path: Path) -> None:
    write_together(tmp_path, "together", seed=0)
    image = torch.randn(1, 3, 48, 64)
    full = full_parameters(TINY, "normals")
    base = predict(tmp_path, "together", "normals")
    assert base.parameters == full and base.raw(image).shape == (1, 3, 12, 16)
    depth = predict(tmp_path, "together", "depth")
    assert depth.parameters < full and depth.raw(image).shape == (1, 1, 12, 16)
    study = study_values(tmp_path, tmp_path, rival=None)
    tasks = dict.fromkeys(SEPARATE, "together")
    study["systems"] = [{"name": "separate", "tasks": tasks}]
    loaded = load_study(write_study(tmp_path / "s.yaml", study))
    plan, _ = plan_of(loaded, loaded.systems[0])
    assert plan.kind == "units" and plan.tasks == ("normals", "depth", "segmentation")


@torch.no_grad()
def test_an_element_wise_sub_task_is_the_base_with_some_weights_changed(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", seed=0)
    write_elementwise(tmp_path, "elements", "base")
    found = predict(tmp_path, "elements", "depth")
    assert found.raw(torch.randn(1, 3, 48, 64)).shape == (1, 1, 12, 16)
    with pytest.raises(StudyError, match="trained depth, not normals"):
        predict(tmp_path, "elements", "normals")


def test_scores_are_kept_until_a_stage_its_base_or_the_data_changes(
    study_data: Path, study_runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, calls = study_runs[0], []
    original = rooms.compute
    monkeypatch.setattr(rooms, "compute", lambda *a: calls.append(a) or original(*a))

    def score(folder: Path) -> rooms.RoomScores:
        stills = rooms.open_rooms(folder)
        return rooms.score(run, "units_normals", "depth", folder, stills)

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
    rooms.score(run, "units_normals", "depth", study_data, rooms.open_rooms(study_data), (32, 32))
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
