"""A training run: its stages in order, each a file; a finished stage is not trained again."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from mtshare_ros.errors import written
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.training.checkpoints import said_of
from mtshare_ros.training.configuration import ConfigError, TrainingConfig, load_config
from mtshare_ros.training.devices import open_fabric
from mtshare_ros.training.stage_context import StageContext
from mtshare_ros.training.stages import train_stage
from mtshare_ros.training.stored import record_of, stage_path
from mtshare_ros.training.subtask_settings import parse_stage


def train(
    config_path: Path,
    run: Path,
    resume: bool = False,
    seed: int | None = None,
    only: Collection[str] = (),
    on_step: OnStep = silent,
) -> dict[str, Any]:
    """Train the stages of a configuration.

    Args:
        config_path: YAML file, see ``TrainingConfig``.
        run: Folder of the run; made if missing.
        resume: Go on with a run that exists: finished stages are kept, a stage in hand goes on
            from its checkpoint.
        seed: Seed instead of the configuration's.
        only: Names of the stages to train; empty for all.
        on_step: Called after each step and each batch of a validation, in the first process
            only.

    Returns:
        Stage name -> record, of the stages that were asked for.

    Raises:
        ConfigError: The configuration is wrong, or the run exists and ``resume`` was not asked
            for, or what it has was made with other settings.
    """
    config = load_config(config_path, seed)
    unknown = set(only) - {stage.name for stage in config.stages}
    if unknown:
        names = ", ".join(stage.name for stage in config.stages)
        raise ConfigError(f"{config_path}: no stage {min(unknown)!r}; expected one of {names}")
    kept = run / "config.yaml"
    if kept.exists():
        if not resume:
            raise ConfigError(f"{run}: a run is there already; pass --resume or another --output")
        _check_same(config_path, config, run)
    fabric = open_fabric(config.precision)
    _check_batches(config, fabric.world_size)
    # It looks at the data before a file is made.
    context = StageContext(config, run, resume, fabric, on_step)
    if fabric.is_global_zero:
        run.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
        with written(kept):
            kept.write_text(text)
    fabric.barrier()
    records = {}
    for stage in config.stages:
        if only and stage.name not in only:
            continue
        if not stage_path(run, stage.name).exists():
            train_stage(context, stage)
        records[stage.name] = record_of(run, stage.name)
    return records


def _check_batches(config: TrainingConfig, world: int) -> None:
    for stage in config.stages:
        for phase in stage.phases:
            if phase.batch % world:
                raise ConfigError(
                    f"stage {stage.name}: batch {phase.batch}, expected a multiple of the"
                    f" {world} processes"
                )


def _check_same(path: Path, config: TrainingConfig, run: Path) -> None:
    """Refuse to go on with a run whose data, network or finished stages were set otherwise."""
    kept = run / "config.yaml"
    now, then = (c.model_dump(mode="json") for c in (config, load_config(kept)))
    if then["data"]["clips"] is None:  # no stage has used clips yet
        then["data"]["clips"] = now["data"]["clips"]
    for key in now.keys() - {"stages", "description"}:
        if now[key] != then[key]:
            raise ConfigError(
                f"{path}: {key} is {now[key]}, but {kept}, which this run started with,"
                f" has {then[key]}"
            )
    for stage in config.stages:
        finished = stage_path(run, stage.name)
        if not finished.exists():
            continue
        with said_of(finished):
            trained = parse_stage(record_of(run, stage.name)["settings"])
        if trained != stage:
            raise ConfigError(
                f"{path}: stage {stage.name} differs from the one trained in {finished}"
            )
