"""Data that a configuration names: what is refused, and what records say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtshare_ros.tasks import TASKS
from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.data_sets import focal_length_of_record, open_data_sets, tasks_of_record
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, write_config
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
