"""Sub-tasks that a stage left, read again."""

from __future__ import annotations

import typing
from pathlib import Path

import torch

from mtshare_ros.network.units import SubTask
from mtshare_ros.training.stored import load_network
from mtshare_ros.training.stored_subtasks import FORMS, load_subtasks
from mtshare_ros.training.subtask_settings import NewUnitsStage
from mtshare_ros.training.train import train
from support.fake_stills import config as fake_config
from support.fake_stills import write_config


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
