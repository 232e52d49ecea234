"""``mtshare export``: a finished training run -> a bundle."""

from __future__ import annotations

from pathlib import Path

from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.export.bundle import write_bundle
from mtshare_ros.manifest import Manifest
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import TASKS, Task
from mtshare_ros.training.checkpoints import load_tensors
from mtshare_ros.training.config import ConfigError, UnitsStage, load_config
from mtshare_ros.training.run import load_network, load_subtasks, stage_path


def export_run(run: Path, output: Path) -> Manifest:
    """Export what the ``units`` stages of a run trained, on their base.

    A task that several stages trained is taken from the last of them.

    Args:
        run: Folder of the run.
        output: Folder of the bundle.

    Raises:
        ConfigError: The run has no such stage, or it is not finished.
    """
    config = load_config(run / "config.yaml")
    stages = [stage for stage in config.stages if isinstance(stage, UnitsStage)]
    if not stages:
        raise ConfigError(f"{run}: no stage of kind 'units' to export")
    bases = {stage.base for stage in stages}
    if len(bases) > 1:
        raise ConfigError(f"{run}: units stages on several bases {sorted(bases)}, expected one")
    needed = [bases.pop(), *(stage.name for stage in stages)]
    for stage in needed:
        if not stage_path(run, stage).is_file():
            raise ConfigError(f"{run}: stage {stage} is not finished; train with --resume")
    base, record = load_network(run, needed[0])
    subtasks: dict[Task, SubTask] = {}
    for stage in needed[1:]:
        trained, _ = load_subtasks(run, stage)
        subtasks |= {TASKS[name]: subtask for name, subtask in trained.items()}
    finished = [s.name for s in config.stages if stage_path(run, s.name).is_file()]
    records = {stage: load_tensors(stage_path(run, stage))[1] for stage in finished}
    return write_bundle(
        output,
        config.name,
        config.description,
        base,
        TASKS[record["task"]],
        subtasks,
        _focal_length(config.data.train),
        training={"stages": records, "seed": config.seed},
        metrics={
            "validation": {k: v for r in records.values() for k, v in r["validation"].items()}
        },
    )


def _focal_length(folder: Path) -> float:
    """Return fx / width of the training images."""
    meta = StillsDataset(folder).meta
    return float(meta["fx"]) / float(meta["size"][0])
