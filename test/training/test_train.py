"""Whole runs: stages in order, resumed, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.stored import stage_path
from mtshare_ros.training.stored_subtasks import load_subtasks
from mtshare_ros.training.train import _check_batches, train
from support.fake_stills import PHASE, UNITS, write_config
from support.fake_stills import config as fake_config


def test_a_whole_training_runs_and_its_stages_load(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    records = train(config, tmp_path / "run")
    assert list(records) == ["base", "gates", "units"]
    assert records["units"]["rho"]["depth"] <= 0.3
    assert 0 <= records["units"]["validation"]["segmentation"]["miou"] <= 1
    subtasks, record = load_subtasks(tmp_path / "run", "units")
    assert set(subtasks) == {"depth", "segmentation"} and record["base"] == "base"


def test_a_run_is_neither_overwritten_nor_resumed_with_another_configuration(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    train(config, tmp_path / "run")
    with pytest.raises(ConfigError, match="--resume"):
        train(config, tmp_path / "run")
    other = write_config(tmp_path / "d.yaml", fake_config(seed=1))
    with pytest.raises(ConfigError, match="seed is 1, but .*config.yaml.* has 0"):
        train(other, tmp_path / "run", resume=True)
    clips = fake_config()
    clips["data"]["clips"] = "clips"  # a folder for stages to come
    train(write_config(tmp_path / "f.yaml", clips), tmp_path / "run", resume=True)
    clips["data"]["clips"] = "others"
    with pytest.raises(ConfigError, match="data is .*'others'.* has .*'clips'"):
        train(write_config(tmp_path / "f.yaml", clips), tmp_path / "run", resume=True)
    changed = fake_config()
    changed["stages"][1]["rho"] = 0.4
    changed["data"]["clips"] = "clips"
    other = write_config(tmp_path / "e.yaml", changed)
    with pytest.raises(ConfigError, match="stage gates differs from the one trained"):
        train(other, tmp_path / "run", resume=True)


def test_stages_can_be_added_and_trained_one_by_one(tmp_path: Path) -> None:
    config = write_config(tmp_path / "c.yaml", fake_config())
    with pytest.raises(ConfigError, match="no stage 'bse'; expected one of base, gates, units"):
        train(config, tmp_path / "run", only=["bse"])
    assert list(train(config, tmp_path / "run", only=["base"], seed=3)) == ["base"]
    longer = fake_config(seed=3)
    longer["stages"].append({"kind": "uniform", "name": "heads_only", **UNITS, "phases": [PHASE]})
    longer["stages"][-1] |= {"heads": 0, "neurons": 0, "pull": 0.1}
    config = write_config(tmp_path / "d.yaml", longer)
    records = train(config, tmp_path / "run", resume=True, only=["heads_only"])
    assert records["heads_only"]["rho"] == {"depth": 0.0, "segmentation": 0.0}
    assert not stage_path(tmp_path / "run", "gates").exists()


def test_a_batch_is_a_whole_number_of_images_for_each_process(tmp_path: Path) -> None:
    values = fake_config()
    values["stages"][2]["phases"] = [PHASE, {**PHASE, "batch": 6}]
    config = load_config(write_config(tmp_path / "c.yaml", values))
    _check_batches(config, 1)
    _check_batches(config, 2)
    values["stages"][0]["phases"] = [{**PHASE, "batch": 6}]
    config = load_config(write_config(tmp_path / "c.yaml", values))
    with pytest.raises(ConfigError, match="stage base: batch 6, expected a multiple of the 4"):
        _check_batches(config, 4)
