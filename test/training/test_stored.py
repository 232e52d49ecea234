"""Networks that a stage left, read again."""

from __future__ import annotations

from pathlib import Path

import torch

from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import load_subtasks
from mtshare_ros.training.train import train
from support.fake_stills import PHASE, write_config
from support.fake_stills import config as fake_config


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
