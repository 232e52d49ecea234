"""Networks that a stage left, read again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mtshare_ros.tasks import TASKS
from mtshare_ros.training.checkpoints import CheckpointError, load_tensors, save_tensors
from mtshare_ros.training.stored import (
    checkpoint_path,
    load_network,
    load_shared,
    record_of,
    stage_path,
)
from mtshare_ros.training.stored_subtasks import load_subtasks
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, write_config
from support.fake_stills import config as fake_config
from support.study_files import write_network, write_shared, write_together


def test_a_shared_encoder_is_trained_on_with_all_its_heads(tmp_path: Path) -> None:
    joint = {"kind": "joint", "tasks": ["normals", "depth"]}
    larger = {**PHASE, "size": [96, 64], "lr": 1e-30}
    config = fake_config(
        {**joint, "name": "small", "phases": [PHASE]},
        {**joint, "name": "large", "start": "small", "phases": [larger]},
    )
    records = train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    for task in ("normals", "depth"):
        networks = [load_network(tmp_path / "run", s, task)[0] for s in ("small", "large")]
        for before, after in zip(*(n.parameters() for n in networks), strict=True):
            assert torch.equal(before, after)
    # Scored at the size that the stage ended with.
    before, after = (records[s]["validation"]["depth"]["rmse"] for s in ("small", "large"))
    assert before != after


def test_base_and_sub_tasks_trained_together_load_as_both(tmp_path: Path) -> None:
    together = {"kind": "together", "tasks": ["normals", "depth"], "phases": [PHASE]}
    config = fake_config(
        {**together, "name": "gated", "heads": 2, "neurons": 64, "rho": 0.3, "gradient": 0.3},
        {**together, "name": "both", "start": "gated"},
        {"kind": "units", "name": "units", "base": "both", "start": "both", "phases": [PHASE]},
    )
    records = train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    assert set(records["both"]["validation"]) == {"normals", "depth"}
    assert 0 < records["both"]["rho"]["depth"] <= 0.3
    first, _ = load_network(tmp_path / "run", "gated")
    network, _ = load_network(tmp_path / "run", "both")
    assert not torch.equal(first.stem.position, network.stem.position)  # the base is trained on
    subtask = load_subtasks(tmp_path / "run", "units")[0]["depth"]
    assert subtask.shares == load_subtasks(tmp_path / "run", "both")[0]["depth"].shares


def test_networks_are_read_ready_to_run_and_by_task(tmp_path: Path) -> None:
    write_network(tmp_path, "depth", "depth", 0)
    write_shared(tmp_path, "shared", 1)
    write_together(tmp_path, "together", 2)
    assert not load_network(tmp_path, "depth")[0].training
    assert not load_shared(tmp_path, "shared")[0].training
    for task in ("normals", "depth", "segmentation"):
        network, _ = load_network(tmp_path, "shared", task)
        assert not network.training
        assert network.head.project.out_channels == TASKS[task].channels
    assert load_network(tmp_path, "shared")[0].head.project.out_channels == 3
    assert load_network(tmp_path, "together")[0].head.project.out_channels == 3


def test_a_stages_files_are_beside_each_other(tmp_path: Path) -> None:
    assert stage_path(tmp_path, "a") == tmp_path / "a.safetensors"
    assert checkpoint_path(tmp_path, "a") == tmp_path / "a.checkpoint.safetensors"


def test_a_record_of_another_kind_is_named(tmp_path: Path) -> None:
    write_network(tmp_path, "depth", "depth", 0)
    path = stage_path(tmp_path, "depth")
    tensors, record = load_tensors(path)
    for key, value in (("settings", []), ("network", "x"), ("kind", 3)):
        save_tensors(path, tensors, {**record, key: value})
        with pytest.raises(CheckpointError, match=rf"depth\.safetensors.*{key} is"):
            record_of(tmp_path, "depth")
