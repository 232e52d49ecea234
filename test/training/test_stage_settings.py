"""Settings of stages that train a base: what they must fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.network.config import LONGEST_SIDE, NetworkConfig
from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.stage_settings import JointStage, Phase, Surroundings, TogetherStage
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"size": (LONGEST_SIDE + 16, 48)}, "size"),
        ({"size": (0, 48)}, "size"),
        ({"lr": 0}, "lr"),
        ({"warmup": -1}, "warmup"),
        ({"steps": 0}, "steps"),
        ({"noise": -0.1}, "noise"),
    ],
)
def test_a_phase_out_of_range_is_refused(changes: dict[str, Any], said: str) -> None:
    Phase(**PHASE | {"size": (LONGEST_SIDE, 16)})
    with pytest.raises(ValueError, match=said):
        Phase(**PHASE | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heads": 4}, "heads 4 and neurons 32: the base's blocks have 3 and 64"),
        ({"neurons": 96}, "heads 1 and neurons 96"),
        ({"rho": 0.2, "neurons": 48}, "neurons 48 is not a multiple of group 32"),
        ({"start": "first"}, "heads and neurons: 'first' has them, expected none here"),
        ({"tasks": ["depth"]}, "at least 2"),
        ({"gradient": -0.1}, "gradient"),
    ],
)
def test_units_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    stage = {"kind": "together", "name": "first", "tasks": ["normals", "depth"], "heads": 1,
             "neurons": 32, "phases": [PHASE]}  # fmt: skip
    load_config(write_config(tmp_path / "c.yaml", fake_config(stage)))
    with pytest.raises(ConfigError, match=said):
        second = {**stage, "name": "second", **changes}
        load_config(write_config(tmp_path / "c.yaml", fake_config(stage, second)))


def test_of_what_is_trained_together_the_first_is_the_base() -> None:
    phases = (Phase(**PHASE),)
    stage = TogetherStage(kind="together", name="t", tasks=("depth", "normals"), phases=phases)
    assert stage.dense_tasks() == ("depth",) and stage.base_stage() == "t"


def test_a_stage_has_one_start(tmp_path: Path) -> None:
    base = {"kind": "single_task", "name": "base", "task": "depth", "phases": [PHASE]}
    backbone = {"checkpoint": "w.safetensors", "model": "vit"}
    both = {**base, "name": "second", "start": "base", "backbone": backbone}
    with pytest.raises(ConfigError, match="start and backbone: found both, expected one"):
        load_config(write_config(tmp_path / "c.yaml", fake_config(base, both)))
