"""What is timed is what the systems compute."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtshare_ros import cli
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.export.random_bundle import random_networks
from mtshare_ros.study import system_times
from mtshare_ros.study.plans import plan_of
from mtshare_ros.study.study_config import load_study
from mtshare_ros.study.system_times import measure
from support.study_files import (
    study_values,
    write_run,
    write_stills,
    write_study,
    write_subtasks,
)


@pytest.fixture(scope="module")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    run = write_run(folder / "run")
    write_subtasks(run, "units_like", "base_normals", LayerShare(1, 32), seed=5)
    values = study_values(write_stills(folder / "test"), run)
    alike = {"normals": "base_normals", "depth": "units_like", "segmentation": "units_like"}
    values["systems"].append({"name": "alike", "tasks": alike})
    values["systems"].append({"name": "later", "tasks": {**alike, "depth": "not_yet"}})
    return write_study(folder / "s.yaml", values)


def only(study_file: Path, path: Path, *names: str) -> Path:
    """Write a study of some of the systems: each bundle takes seconds to export."""
    study = yaml.safe_load(study_file.read_text())
    systems = [system for system in study["systems"] if system["name"] in names]
    return write_study(path, {**study, "systems": systems, "rival": None})


@pytest.mark.slow
def test_every_system_is_measured_and_alike_ones_once(study_file: Path, tmp_path: Path) -> None:
    path = only(study_file, tmp_path / "s.yaml", "separate", "shared", "units", "alike", "later")
    arguments = ["timing", str(path), "--output", str(tmp_path), "--rounds", "4"]
    assert cli.run(["study", *arguments, "--threads", "1"]) == 0
    found = json.loads((tmp_path / "timing.json").read_text())
    times = {(case["system"], case["fraction"]): case for case in found["cases"]}
    assert len(times) == len(found["cases"]) == 8
    assert found["weights"] == "trained" and found["network"]["size"] == [64, 48]
    for fraction in (1.0, 0.25):
        assert times["separate", fraction]["ratio"] == 1.0
        assert times["alike", fraction]["p50_ms"] == times["units", fraction]["p50_ms"]
    assert times["shared", 1.0]["p50_ms"] == times["shared", 0.25]["p50_ms"]
    assert found["skipped"] == {"later": "in no run complete"}


@pytest.mark.slow
def test_full_networks_on_one_base_are_computed_in_the_faster_way(
    study_file: Path, tmp_path: Path
) -> None:
    path = only(study_file, tmp_path / "s.yaml", "separate", "full")
    found = measure(load_study(path), threads=1, rounds=4)
    times = {(case["system"], case["fraction"]): case for case in found["cases"]}
    for fraction in (1.0, 0.25):
        full = times["full", fraction]
        assert full["p50_ms"] <= times["separate", fraction]["p50_ms"]
        assert full["how"] in ("a dense network per task", "every unit private")


def test_another_size_has_random_weights_and_the_trained_private_units(study_file: Path) -> None:
    study = load_study(study_file)
    plan, config = plan_of(study, study.system("units"))
    larger = replace(config, size=(96, 64))
    base, subtasks = random_networks(larger, plan.tasks, plan.shares)
    assert base.config.tokens == 24
    assert {task.name: s.shares for task, s in subtasks.items()} == {
        task: [LayerShare(1, 32)] * 2 for task in ("depth", "segmentation")
    }
    dense = tuple(s for s in study.systems if s.name in ("separate", "shared"))
    found = measure(study.model_copy(update={"systems": dense}), size=(96, 64), rounds=1)
    assert found["weights"] == "random" and found["network"]["size"] == [96, 64]


def test_a_size_that_is_none_of_whole_tokens_is_refused(
    study_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["timing", str(study_file), "--output", str(tmp_path), "--size", "100x60"]
    assert cli.run(["study", *arguments]) == 2
    assert "multiples of 16" in capsys.readouterr().err


def test_the_fastest_way_at_each_share_is_told_against_the_dense_networks(
    study_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    # Dense networks, then two ways to compute the same, at each share.
    medians = [90.0, 60.0, 30.0, 45.0, 50.0]

    class Cases:
        cases = list(range(5))

        def __init__(self, config: Any, *_: Any) -> None:
            asked.append(config.size)

        def candidates(self, plan: Any, trained: bool) -> Any:
            asked.append(trained)
            return {"one": {1.0: 1, 0.25: 2}, "other": {1.0: 3, 0.25: 4}}

    rows = [{"p50_ms": ms, "p95_ms": ms + 1, "p99_ms": ms + 2} for ms in medians]
    monkeypatch.setattr(system_times, "TimedCases", Cases)
    monkeypatch.setattr(system_times, "take_turns", lambda *_: None)
    monkeypatch.setattr(system_times, "summary", lambda *_: rows)
    study = load_study(study_file)
    study = study.model_copy(update={"systems": study.systems[:1], "size": (96, 64)})
    found = measure(study, rounds=1)
    assert asked == [(96, 64), False] and found["weights"] == "random"
    first, second = found["cases"]
    assert (first["fraction"], first["how"], first["p50_ms"]) == (1.0, "other", 45.0)
    assert (second["fraction"], second["how"], second["p50_ms"]) == (0.25, "one", 30.0)
    assert (first["ratio"], second["ratio"], second["p99_ms"]) == (2.0, 3.0, 32.0)
    asked.clear()
    assert measure(study.model_copy(update={"size": None}), rounds=1)["weights"] == "trained"
    assert asked == [(64, 48), True]
