"""Configurations of trainings: what is refused, by file and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.training.configuration import ConfigError, load_config
from support.fake_stills import PHASE, write_config
from support.fake_stills import config as fake_config

JOINT = {"kind": "joint", "name": "joint", "tasks": ["normals", "depth"], "phases": [PHASE]}
RECIPE = Path(__file__).parents[2] / "config" / "training" / "room.yaml"


def test_the_shipped_recipe_is_valid() -> None:
    names = [stage.name for stage in load_config(RECIPE).stages]
    assert names == ["together"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(precison="fp32"), "precison"),
        (lambda c: c["stages"][0]["phases"][0].update(step=3), "step"),
        (lambda c: c["stages"][0]["phases"][0].update(size=[60, 48]), "multiples of 16"),
        (lambda c: c["network"].update(widht=24), "widht"),
        (lambda c: c["network"].update(heads=5), "not a multiple of heads"),
        (lambda c: c["stages"][0].update(task="edges"), "no task 'edges'"),
        (lambda c: c["stages"][1].update(base="bass"), "base 'bass'"),
        (lambda c: c["stages"][2].update(start="base"), "start 'base'"),
        (lambda c: c["stages"][1].update(rho=1.5), "rho"),
        (lambda c: c["stages"][1].update(neurons=50), "multiple of group 32"),
        (lambda c: c["stages"][1].update(heads=4), "blocks have 3"),
        (lambda c: c["stages"][1].update(tasks=["normals"]), "base's own"),
        (lambda c: c["stages"][1].update(tasks=["depth", "depth"]), "twice"),
        (lambda c: c["stages"][0].update(name="check.point"), "letters, digits"),
        (lambda c: c.update(seed=-1), "seed"),
        (lambda c: c["stages"][2].update(name="base"), "name is taken"),
        (lambda c: c["stages"].append({**JOINT, "start": "base"}), "not an earlier joint stage"),
        (
            lambda c: c["stages"].extend(
                [JOINT, {**JOINT, "name": "b", "tasks": ["depth", "normals"], "start": "joint"}]
            ),
            r"'joint' has \('normals', 'depth'\)",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_by_file_and_key(
    tmp_path: Path, change: Any, message: str
) -> None:
    values = fake_config()
    values["stages"][0]["phases"] = [dict(p) for p in values["stages"][0]["phases"]]
    change(values)
    with pytest.raises(ConfigError, match=message) as raised:
        load_config(write_config(tmp_path / "c.yaml", values))
    assert "c.yaml" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["data"].update(colour_jitter=1.0), "colour_jitter"),
        (lambda c: c.update(seed=1000), "seed"),
        (lambda c: c.update(stages=[]), "stages"),
    ],
)
def test_a_number_at_the_wrong_side_of_its_limit_is_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    values = fake_config()
    change(values)
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(tmp_path / "c.yaml", values))


def test_a_seed_that_is_asked_for_stands_in_for_the_file_s(tmp_path: Path) -> None:
    path = write_config(tmp_path / "c.yaml", fake_config(seed=999))
    assert [load_config(path, seed).seed for seed in (None, 0, 5)] == [999, 0, 5]
    config = load_config(path)
    assert config.weight_decay == 0.05 and config.data.colour_jitter == 0.2
