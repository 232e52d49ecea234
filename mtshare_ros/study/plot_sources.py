"""Which plots a study has, and where their numbers come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.study.learning_curves import read_curves
from mtshare_ros.study.study_config import Study, StudyError
from mtshare_ros.study.study_plots import accuracy_over_time, learning_curves, private_shares
from mtshare_ros.training.stored import record_of, stage_path
from mtshare_ros.training.stored_subtasks import shares_of_record


def draw(
    study: Study, results: dict[str, Any], timing: dict[str, Any] | None, folder: Path
) -> list[Path]:
    """Draw every plot that there are numbers for and return the files.

    Args:
        study: The study.
        results: Content of ``results.json``.
        timing: Content of ``timing.json``; without it, no plot over time.
        folder: Where the files go.
    """
    files = []
    if timing is not None:
        files.append(folder / "accuracy_over_time.png")
        accuracy_over_time(results, timing, files[-1])
    trained = _trained_stages(study)
    wanted = study.curves or tuple(trained)
    curves = [
        curve
        for stage in wanted
        if stage in trained
        for curve in read_curves(trained[stage], stage)
    ]
    if curves:
        files.append(folder / "learning_curves.png")
        learning_curves(curves, files[-1])
    for stage, run in trained.items():
        if _has_units(run, stage):
            files.append(folder / f"shares_{stage}.png")
            draw_stage_shares(run, stage, files[-1])
    return files


def draw_stage_shares(run: Path, stage: str, path: Path) -> None:
    """Draw the private units of each block of a stage of sub-tasks.

    Raises:
        StudyError: The stage trained no sub-tasks.
        CheckpointError: The stage is not finished.
    """
    record = record_of(run, stage)
    if "shares" not in record:
        raise StudyError(f"{run}: stage {stage} is of kind {record['kind']}: it has no sub-tasks")
    config = NetworkConfig.from_dict(record["network"])
    private_shares(shares_of_record(record), _whole(config), path)


def draw_bundle_shares(bundle: Path, path: Path) -> None:
    """Draw the private units of each block of a bundle.

    Raises:
        BundleError: The bundle can't be used.
        StudyError: It has no sub-tasks.
    """
    manifest = load_manifest(bundle)
    if not manifest.private:
        raise StudyError(f"{bundle}: has no sub-tasks")
    shares = {task: list(private.layers) for task, private in manifest.private.items()}
    private_shares(shares, _whole(NetworkConfig.from_dict(manifest.network)), path)


def _whole(config: NetworkConfig) -> LayerShare:
    return LayerShare(config.heads, config.hidden)


def _trained_stages(study: Study) -> dict[str, Path]:
    """Return the finished stages of all systems and the first run that has each."""
    stages = [*study.curves, *(s for system in study.systems for s in system.tasks.values())]
    trained = {}
    for stage in dict.fromkeys(stages):
        run = next((run for run in study.runs if stage_path(run, stage).is_file()), None)
        if run is not None:
            trained[stage] = run
    return trained


def _has_units(run: Path, stage: str) -> bool:
    subtasks = shares_of_record(record_of(run, stage)).values()
    return any(share.heads or share.neurons for layers in subtasks for share in layers)
