"""Settings of stages on a frozen base: what they must fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.subtask_settings import (
    ElementwiseStage,
    GatesStage,
    UniformStage,
    UnitsStage,
    parse_stage,
)
from support.fake_stills import PHASE, write_config
from support.fake_stills import config as fake_config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distill": {"depth": "base"}}, r"distill.depth: stage 'base' trains \['normals'\]"),
        ({"read_from": {"normals": "base"}}, "read_from.normals: expected one of the tasks"),
        ({"form": "replaced", "heads": 3, "pull": 0.1}, "pull: found with form 'replaced'"),
    ],
)
def test_guides_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    config = fake_config()
    config["stages"][1] |= change
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(tmp_path / "c.yaml", config))


def test_a_later_stage_can_not_pull_replaced_units(tmp_path: Path) -> None:
    config = fake_config()
    config["stages"][1] |= {"form": "replaced", "heads": 3}
    config["stages"][2]["pull"] = 0.1
    with pytest.raises(ConfigError, match="stage units: pull: found with form 'replaced'"):
        load_config(write_config(tmp_path / "c.yaml", config))


def test_a_record_of_an_older_stage_gets_the_defaults_of_newer_settings() -> None:
    settings = {"kind": "units", "name": "u", "base": "b", "start": "g", "phases": [PHASE]}
    stage = parse_stage(settings)
    assert isinstance(stage, UnitsStage) and stage.pull == 0.0
    assert stage.base_stage() == "b" and stage.exported
    assert dict(stage.built_on()) == {"base": "b", "start": "g"}
    assert stage.model_dump(mode="json", exclude_defaults=True)["start"] == "g"
    assert not ElementwiseStage.exported


def test_units_on_one_base_do_not_go_on_on_another(tmp_path: Path) -> None:
    values = fake_config()
    other = {"kind": "single_task", "name": "other", "task": "normals", "phases": [PHASE]}
    values["stages"].insert(1, other)
    values["stages"][3]["base"] = "other"
    with pytest.raises(ConfigError, match="base 'other': 'gates' is on 'base'"):
        load_config(write_config(tmp_path / "c.yaml", values))


@pytest.mark.parametrize(
    ("index", "change", "message"),
    [
        (1, {"distill_weight": 0}, "distill_weight"),
        (1, {"pull": -0.1}, "pull"),
        (1, {"gate_lr": 0}, "gate_lr"),
        (1, {"heads": 3, "neurons": 96}, "neurons 96: the base's blocks have 3 and 64"),
        (1, {"read_from": {"depth": "units"}}, "read_from.depth 'units' is not an earlier"),
        (2, {"start": "base"}, "start 'base' is not an earlier gates or uniform or units"),
    ],
)
def test_a_setting_out_of_range_is_refused(
    tmp_path: Path, index: int, change: dict[str, Any], message: str
) -> None:
    config = fake_config()
    config["stages"][index] |= change
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(tmp_path / "c.yaml", config))


def test_the_rates_of_the_paper_s_gates_are_above_zero(tmp_path: Path) -> None:
    stage = {"kind": "elementwise", "name": "e", "base": "base", "tasks": ["depth"]}
    stage |= {"density": 0.1, "phases": [PHASE]}
    config = fake_config()
    for change, message in (({}, None), ({"gate_lr": 0}, "gate_lr"), ({"l1": -1}, "l1")):
        config["stages"][1:] = [{**stage, **change}]
        path = write_config(tmp_path / "c.yaml", config)
        if message is None:
            assert load_config(path).stages[1].gate_lr == 0.1  # type: ignore[union-attr]
            continue
        with pytest.raises(ConfigError, match=message):
            load_config(path)


def test_the_form_of_the_first_stage_holds_for_all_that_follow(tmp_path: Path) -> None:
    config = fake_config()
    config["stages"][1] |= {"form": "replaced", "heads": 3}
    last = {**config["stages"][2], "name": "last", "start": "units", "pull": 0.1}
    config["stages"].append(last)
    with pytest.raises(ConfigError, match="stage last: pull: found with form 'replaced'"):
        load_config(write_config(tmp_path / "c.yaml", config))


def test_units_go_on_from_every_kind_that_makes_them_and_ship_once_they_are_fixed(
    tmp_path: Path,
) -> None:
    together = {"kind": "together", "name": "both", "tasks": ["normals", "depth"]}
    together |= {"heads": 1, "neurons": 32, "phases": [PHASE]}
    units = {"kind": "units", "name": "units", "base": "both", "start": "both", "phases": [PHASE]}
    path = write_config(tmp_path / "c.yaml", fake_config(together, units))
    assert [stage.exported for stage in load_config(path).stages] == [True, True]
    assert UniformStage.exported and UnitsStage.exported and not GatesStage.exported
