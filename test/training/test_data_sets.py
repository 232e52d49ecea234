"""Data that a configuration names: what is refused, and what records say of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtshare_ros.tasks import DEPTH, TASKS
from mtshare_ros.training import data_sets
from mtshare_ros.training.configuration import ConfigError, DataSettings, load_config
from mtshare_ros.training.crops import CropSettings
from mtshare_ros.training.data_sets import focal_length_of_record, open_data_sets, tasks_of_record
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, FakeStills, write_config
from support.fake_stills import config as fake_config
from support.trees import write_pascal


def test_validation_rooms_that_are_trained_on_and_test_rooms_are_refused(tmp_path: Path) -> None:
    for trained, validation, message in (
        ("train", "train", "trained on"),
        ("test", "validation", "never trained on"),
    ):
        data = {"train": trained, "validation": validation}
        config = write_config(tmp_path / "c.yaml", fake_config(data=data))
        with pytest.raises(ConfigError, match=message):
            train(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()


def test_clips_have_to_be_long_enough(tmp_path: Path) -> None:
    stage = {"kind": "together", "name": "a", "tasks": ["normals", "depth"], "frames": 5}
    values = fake_config({**stage, "phases": [{**PHASE, "batch": 5}]})
    values["data"]["clips"] = "clips"
    with pytest.raises(ConfigError, match="clips of 4 frames, expected 5"):
        open_data_sets(load_config(write_config(tmp_path / "c.yaml", values)))


def test_clips_of_validation_rooms_are_refused(tmp_path: Path) -> None:
    values = fake_config()
    values["data"]["clips"] = "validation"
    with pytest.raises(ConfigError, match="are trained on in validation"):
        open_data_sets(load_config(write_config(tmp_path / "c.yaml", values)))


def test_rooms_leave_nothing_in_a_record_and_are_what_it_then_means(tmp_path: Path) -> None:
    data = open_data_sets(load_config(write_config(tmp_path / "c.yaml", fake_config())))
    assert data.record == {} and data.clips is None and len(data.validation) == 8
    assert tasks_of_record({}) is TASKS
    assert focal_length_of_record({}, Path("train")) == pytest.approx(51.2 / 64)


def test_a_record_of_images_has_their_tasks_and_focal_length(tmp_path: Path) -> None:
    root = str(write_pascal(tmp_path / "PASCAL_MT"))
    stage = {"kind": "single_task", "name": "a", "task": "human_parts", "phases": [PHASE]}
    data = {"kind": "pascal_context", "train": root, "validation": root}
    config = load_config(write_config(tmp_path / "c.yaml", fake_config(stage, data=data)))
    record = json.loads(json.dumps(open_data_sets(config).record))
    assert "PASCAL-Context" in record["data"]["title"]
    assert tasks_of_record(record)["human_parts"].classes[1].name == "head"
    assert focal_length_of_record(record, tmp_path) == 1.0


def test_a_task_that_the_images_lack_and_splits_that_share_one_are_refused(tmp_path: Path) -> None:
    root = write_pascal(tmp_path / "PASCAL_MT")
    stage = {"kind": "single_task", "name": "a", "task": "saliency", "phases": [PHASE]}
    data = {"kind": "pascal_context", "train": str(root), "validation": str(root)}
    config = load_config(write_config(tmp_path / "c.yaml", fake_config(stage, data=data)))
    lists = root / "ImageSets" / "Context"
    (lists / "val.txt").write_text((lists / "train.txt").read_text())
    with pytest.raises(ConfigError, match="2008_000003 is in both splits"):
        open_data_sets(config)


def test_rooms_of_other_splits_or_classes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for first, split in ((200_000, "test"), (300_000, "benchmark"), (400_000, "spare")):
        stills = FakeStills()
        stills.seeds = {0, first}
        monkeypatch.setattr(data_sets, "StillsDataset", lambda folder, stills=stills: stills)
        with pytest.raises(ConfigError, match=rf"s: holds rooms of \['{split}'\]"):
            data_sets._rooms(Path("s"))
    stills.seeds, stills.meta["classes"] = {0, 100_000}, ["wall", "floor"]
    with pytest.raises(ConfigError, match=r"s: classes \['wall', 'floor'\], expected"):
        data_sets._rooms(Path("s"))


def test_clips_as_long_as_the_longest_stage_needs_are_taken(tmp_path: Path) -> None:
    stage = {"kind": "together", "name": "a", "tasks": ["normals", "depth"], "frames": 4}
    values = fake_config({**stage, "phases": [{**PHASE, "batch": 4}]})
    values["data"]["clips"] = "clips"
    data = open_data_sets(load_config(write_config(tmp_path / "c.yaml", values)))
    assert data.clips is not None


def images(**changes: Any) -> Any:
    values = {"root": Path("set"), "title": "Set", "tasks": {"depth": DEPTH}, "focal_length": None}
    return SimpleNamespace(**{**values, "relative_focal_length": lambda: None, **changes})


def test_images_without_a_task_or_with_depth_of_an_unknown_camera_are_refused(
    tmp_path: Path,
) -> None:
    stage = {"kind": "single_task", "name": "a", "task": "depth", "phases": [PHASE]}
    config = load_config(write_config(tmp_path / "c.yaml", fake_config(stage)))
    with pytest.raises(ConfigError, match="set: depth, but no focal_length"):
        data_sets._check_tasks(config, images())
    data_sets._check_tasks(config, images(focal_length=500.0))
    with pytest.raises(ConfigError, match="set: no task 'depth'; it has normals"):
        data_sets._check_tasks(config, images(tasks={"normals": TASKS["normals"]}))


def test_the_focal_length_of_a_record_is_that_of_the_crops() -> None:
    data = DataSettings(train=Path("t"), validation=Path("v"))
    crop = data.model_copy(update={"crop": CropSettings(size=(400, 320))})
    known = images(focal_length=500.0, relative_focal_length=lambda: 0.8)
    for settings, image_set, expected in (
        (data, known, 0.8),
        (crop, known, 1.25),
        (crop, images(), 1.0),
    ):
        record = data_sets._record_of(settings, image_set)
        assert focal_length_of_record(record, Path("x")) == expected
        assert list(tasks_of_record(record)) == ["depth"]


def test_both_splits_are_read_with_the_axes_that_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def open_images(kind: str, root: Path, split: str, axes: str | None) -> Any:
        asked.append((kind, str(root), split, axes))
        return images(names=[split], tasks=TASKS, focal_length=1.0)

    monkeypatch.setattr(data_sets, "open_images", open_images)
    data = {"kind": "folder", "train": "a", "validation": "b", "normal_axes": "x,-y,-z"}
    open_data_sets(load_config(write_config(tmp_path / "c.yaml", fake_config(data=data))))
    assert asked == [("folder", "a", "train", "x,-y,-z"), ("folder", "b", "val", "x,-y,-z")]
