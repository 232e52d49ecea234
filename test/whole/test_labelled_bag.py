"""From a bag and teachers to a data set, a network, a bundle and its scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtshare_ros import cli
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.training.configuration import load_config
from support.fake_stills import config, write_config
from support.teacher_files import (
    label_small_bag,
)

RECIPE = Path(__file__).parents[2] / "config" / "training" / "own.yaml"


@pytest.mark.slow
def test_a_network_is_distilled_exported_and_scored(capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    assert load_config(RECIPE).data.kind == "folder"
    phase = {"size": [64, 48], "steps": 150, "batch": 4, "lr": 3e-3, "warmup": 10}
    tasks = ["depth", "segmentation", "normals"]
    stage = {"kind": "together", "name": "all", "tasks": tasks, "heads": 1, "neurons": 32}
    root = str(label_small_bag(tmp_path / "labels"))
    data = {"kind": "folder", "train": root, "validation": root, "colour_jitter": 0.0}
    recipe = write_config(tmp_path / "c.yaml", config({**stage, "phases": [phase]}, data=data))
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    assert cli.run(["train", str(recipe), "--output", str(run)]) == 0
    assert cli.run(["export", str(run), "--output", str(bundle)]) == 0
    manifest = load_manifest(bundle)
    assert [c.name for c in manifest.task("segmentation").classes] == ["dark", "bright"]
    assert manifest.input.focal_length == pytest.approx(0.9)
    assert manifest.task("depth").value_range == (0.1, 20.0)
    command = ["evaluate", bundle, "--dataset", "folder", "--root", root, "--output", tmp_path]
    assert cli.run([str(word) for word in command]) == 0
    capsys.readouterr()
    scores = yaml.safe_load((tmp_path / "report.json").read_text())["tasks"]
    # Half of the error of a constant guess; the square is a fifth of the image.
    assert scores["depth"]["abs_rel"] < 0.25
    assert scores["segmentation"]["miou"] > 0.6
