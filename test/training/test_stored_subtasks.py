"""Sub-tasks that a stage left, read again."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest
import torch
from torch import nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.units import SubTask
from mtshare_ros.training.checkpoints import CheckpointError, load_tensors, save_tensors
from mtshare_ros.training.stored import load_network, stage_path
from mtshare_ros.training.stored_subtasks import FORMS, load_subtasks
from mtshare_ros.training.subtask_settings import NewUnitsStage
from mtshare_ros.training.train import train
from support.fake_stills import config as fake_config
from support.fake_stills import write_config
from support.study_files import TINY, write_network, write_subtasks, write_together


def test_frozen_norms_stay_the_base_s_through_later_stages(tmp_path: Path) -> None:
    config = fake_config()
    config["stages"][1]["own_norm"] = False
    train(write_config(tmp_path / "c.yaml", config), tmp_path / "run")
    base, _ = load_network(tmp_path / "run", "base")
    for stage in ("gates", "units"):
        for subtask in load_subtasks(tmp_path / "run", stage)[0].values():
            for block, original in zip(subtask.blocks, base.transformer.blocks, strict=True):
                if block.neurons:
                    assert torch.equal(block.norm2.weight, original.norm2.weight), stage


def test_the_forms_are_those_that_a_stage_can_name() -> None:
    form = NewUnitsStage.model_fields["form"].annotation
    assert set(FORMS) == set(typing.get_args(form))
    assert FORMS["added"]() is SubTask and issubclass(FORMS["replaced"](), SubTask)


def test_sub_tasks_are_read_in_the_form_that_they_were_trained_in(tmp_path: Path) -> None:
    write_network(tmp_path, "base", "normals", 0)
    write_subtasks(tmp_path, "added", "base", LayerShare(1, 32), 1)
    write_together(tmp_path, "together", 2)
    for stage in ("added", "together"):
        subtasks, record = load_subtasks(tmp_path, stage)
        assert list(subtasks) == ["depth", "segmentation"] and record["form"] == "added"
        assert all(type(s) is SubTask and not s.training for s in subtasks.values())
    shares = [LayerShare(3, 32)] * TINY.depth
    module = nn.ModuleDict({"depth": FORMS["replaced"]()(TINY, shares, 1)})
    record = {"network": TINY.to_dict(), "form": "replaced", "settings": {}, "kind": "uniform"}
    record["shares"] = {"depth": [vars(share) for share in shares]}
    save_tensors(stage_path(tmp_path, "replaced"), dict(module.state_dict()), record)
    (subtask,) = load_subtasks(tmp_path, "replaced")[0].values()
    assert type(subtask) is FORMS["replaced"]() and subtask.shares == shares


def test_a_record_that_lacks_something_is_named(tmp_path: Path) -> None:
    write_subtasks(tmp_path, "units", "base", LayerShare(1, 32), 1)
    tensors, record = load_tensors(stage_path(tmp_path, "units"))
    for key, value in (("network", None), ("form", "removed"), ("shares", {"depth": [{}]})):
        changed = {**record, key: value}
        save_tensors(stage_path(tmp_path, "damaged"), tensors, changed)
        with pytest.raises(CheckpointError, match=r"damaged\.safetensors"):
            load_subtasks(tmp_path, "damaged")
