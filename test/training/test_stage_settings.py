"""Settings of stages that train a base: what they must fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.stage_settings import JointStage, Phase, Surroundings
from support.fake_stills import PHASE, write_config
from support.fake_stills import config as fake_config


def running(**changes: Any) -> dict[str, Any]:
    stages = (
        {"kind": "together", "name": "a", "tasks": ["normals", "depth"], "heads": 1,
         "neurons": 32, "gradient": 0.3, "phases": [PHASE]},
        {"kind": "together", "name": "b", "tasks": ["normals", "depth"], "start": "a",
         "gradient": 0.3, "frames": 2, "phases": [PHASE], **changes},
    )  # fmt: skip
    values = fake_config(*stages)
    values["data"]["clips"] = "clips"
    return values


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 0}, "frames"),
        ({"phases": [{**PHASE, "batch": 3}]}, "batch 3 is not a multiple of frames 2"),
        ({"rho": 0.2}, "rho and frames"),
        ({"frames": 1, "consistency": 1.0}, "consistency 1.0: expected frames of 2 or more"),
    ],
)
def test_clips_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(write_config(tmp_path / "c.yaml", running(**changes)))


def test_clips_have_to_be_named(tmp_path: Path) -> None:
    values = running()
    del values["data"]["clips"]
    with pytest.raises(ConfigError, match="needs data.clips"):
        load_config(write_config(tmp_path / "c.yaml", values))


def test_a_joint_stage_trains_a_dense_network_for_each_task() -> None:
    phase = Phase(**PHASE)
    stage = JointStage(kind="joint", name="j", tasks=("depth", "normals"), phases=(phase,))
    assert stage.dense_tasks() == stage.task_names() == ("depth", "normals")
    assert stage.base_stage() is None and stage.clip_frames() == 1
    around = Surroundings(NetworkConfig(), None, {"j": stage})
    with pytest.raises(ValueError, match="name is taken"):
        stage.check(around)


def test_more_units_than_the_base_has_are_refused() -> None:
    around = Surroundings(NetworkConfig(heads=6, hidden=768), None, {})
    around.check_size(6, 768)
    with pytest.raises(
        ValueError, match="heads 7 and neurons 1: the base's blocks have 6 and 768"
    ):
        around.check_size(7, 1)
