"""``mtshare export``: a finished training run -> a bundle."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.export.writer import write_bundle
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import Task
from mtshare_ros.training.checkpoints import said_of
from mtshare_ros.training.configuration import ConfigError, load_config
from mtshare_ros.training.data_sets import focal_length_of_record, tasks_of_record
from mtshare_ros.training.stored import load_network, record_of, stage_path
from mtshare_ros.training.stored_subtasks import load_subtasks


def export_run(run: Path, output: Path, only: Collection[str] = ()) -> Manifest:
    """Export the sub-tasks that stages of a run trained, with their base.

    If several stages trained a task, the last of them counts. Of stages that continued each
    other's networks only the last counts, too.

    Args:
        run: Folder of the run.
        output: Folder of the bundle.
        only: Names of the stages to take sub-tasks from; empty for all that there are.

    Raises:
        ConfigError: The run has no such stage, they are on several bases, or one is not finished.
    """
    config = load_config(run / "config.yaml")
    stages = [s for s in config.stages if s.exported and (not only or s.name in only)]
    missing = set(only) - {stage.name for stage in stages}
    if missing or not stages:
        kinds = "units, uniform or together"
        named = f" named {min(missing)!r}" if missing else ""
        raise ConfigError(f"{run}: no stage of kind {kinds}{named} to export")
    if not only:
        with_bases = [stage for stage in stages if stage.base_stage() == stage.name]
        continued = {stage.named_stages()["start"] for stage in with_bases}
        stages = [stage for stage in stages if stage.name not in continued]
    bases = {str(stage.base_stage()) for stage in stages}
    if len(bases) > 1:
        raise ConfigError(
            f"{run}: stages on several bases {sorted(bases)}, expected one: choose with --stage"
        )
    needed = [bases.pop(), *(stage.name for stage in stages)]
    for name in needed:
        if not stage_path(run, name).is_file():
            raise ConfigError(f"{run}: stage {name} is not finished; train with --resume")
    base, record = load_network(run, needed[0])
    subtasks: dict[Task, SubTask] = {}
    for name in needed[1:]:
        trained, trained_record = load_subtasks(run, name)
        if trained_record["form"] != "added":
            raise ConfigError(f"{run}: stage {name}: form 'replaced' can't be exported")
        tasks = tasks_of_record(trained_record)
        subtasks |= {tasks[task]: subtask for task, subtask in trained.items()}
    with said_of(stage_path(run, needed[0])):
        used = _lineage(run, needed)
        records = {s.name: record_of(run, s.name) for s in config.stages if s.name in used}
        base_name = record["task"] if "task" in record else record["tasks"][0]
        base_task = tasks_of_record(record)[base_name]
        focal_length = focal_length_of_record(record, config.data.train)
        validation = _validation(records.values(), [base_task, *subtasks])
    return write_bundle(
        output,
        config.name,
        config.description,
        base,
        base_task,
        subtasks,
        focal_length,
        training={"stages": records, "seed": config.seed},
        metrics={"validation": validation},
    )


def _lineage(run: Path, stages: Collection[str]) -> set[str]:
    """Return stages and all that they were built on."""
    lineage: set[str] = set()
    for stage in stages:
        settings = record_of(run, stage)["settings"]
        before = [settings[key] for key in ("base", "start") if settings.get(key)]
        lineage |= {stage} | _lineage(run, before)
    return lineage


def _validation(records: Iterable[dict[str, Any]], tasks: Iterable[Task]) -> dict[str, Any]:
    """Return the metrics of the bundle's tasks, each from the last stage that scored it."""
    scores = {name: scored for r in records for name, scored in r["validation"].items()}
    return {task.name: scores[task.name] for task in tasks}
