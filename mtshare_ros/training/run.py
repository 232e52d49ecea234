"""A training run: its stages in order, each a file; a finished stage is not trained again.

RUN/config.yaml             the configuration it was started with
RUN/<stage>.safetensors     weights and record of a finished stage
RUN/checkpoint.safetensors  progress of the stage in hand
RUN/tensorboard/            logs
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mtshare_ros.datasets.rooms.seeds import split_of
from mtshare_ros.datasets.stills import StillsDataset
from mtshare_ros.manifest import LayerShare
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.gates import prune
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share
from mtshare_ros.tasks import ROOM_CLASSES, TASKS
from mtshare_ros.training.checkpoints import load_tensors, save_tensors
from mtshare_ros.training.config import (
    ConfigError,
    GatesStage,
    SingleTaskStage,
    TrainingConfig,
    UnitsStage,
    load_config,
)
from mtshare_ros.training.jobs import GatesJob, SingleTaskJob, UnitsJob
from mtshare_ros.training.loop import Job, LoopSettings, fit, supports_bf16
from mtshare_ros.training.validation import validate


def stage_path(run: Path, stage: str) -> Path:
    """Return the file of a finished stage."""
    return run / f"{stage}.safetensors"


def load_network(run: Path, stage: str) -> tuple[SingleTaskNetwork, dict[str, Any]]:
    """Return the dense network that a ``single_task`` stage trained, and its record."""
    tensors, record = load_tensors(stage_path(run, stage))
    config = NetworkConfig.from_dict(record["network"])
    network = SingleTaskNetwork(config, TASKS[record["task"]].channels)
    network.load_state_dict(tensors)
    return network.eval(), record


def load_subtasks(run: Path, stage: str) -> tuple[dict[str, SubTask], dict[str, Any]]:
    """Return the sub-tasks of a ``gates`` or ``units`` stage by task name, and its record."""
    tensors, record = load_tensors(stage_path(run, stage))
    config = NetworkConfig.from_dict(record["network"])
    modules = nn.ModuleDict()
    for name, shares in record["shares"].items():
        layers = [LayerShare(**share) for share in shares]
        modules[name] = SubTask(config, layers, TASKS[name].channels)
    modules.load_state_dict(tensors)
    return {name: module.eval() for name, module in modules.items()}, record


def _check_rooms(folder: Path, stills: StillsDataset) -> None:
    """Refuse stills with other classes, and rooms that are kept for tests."""
    expected = [c.name for c in ROOM_CLASSES]
    if stills.meta["classes"] != expected:
        raise ConfigError(f"{folder}: classes {stills.meta['classes']}, expected {expected}")
    splits = {split_of(seed) for seed in stills.seeds} - {"train", "validation"}
    if splits:
        raise ConfigError(f"{folder}: holds rooms of {sorted(splits)}, which are never trained on")


def _share_record(config: NetworkConfig, subtasks: dict[str, SubTask]) -> dict[str, Any]:
    return {
        "shares": {n: [vars(s) for s in sub.shares] for n, sub in subtasks.items()},
        "rho": {n: round(private_share(config, sub.shares), 4) for n, sub in subtasks.items()},
    }


class _Runner:
    """Trains the stages of one configuration in one folder."""

    def __init__(self, config: TrainingConfig, run: Path, resume: bool) -> None:
        self.config, self.run, self.resume = config, run, resume
        self.network = config.network
        self.half = {"auto": supports_bf16(), "bf16": True, "fp32": False}[config.precision]
        self.stills = StillsDataset(config.data.train)
        self.validation = StillsDataset(config.data.validation)
        _check_rooms(config.data.train, self.stills)
        _check_rooms(config.data.validation, self.validation)
        shared = self.stills.seeds & self.validation.seeds
        if shared:
            raise ConfigError(
                f"{config.data.validation}: rooms {min(shared)} to {max(shared)} are trained on"
                f" in {config.data.train}; validation needs rooms of its own"
            )

    def _seed(self, stage: SingleTaskStage | GatesStage | UnitsStage) -> int:
        number = [s.name for s in self.config.stages].index(stage.name)
        return self.config.seed * 1000 + number

    def _fit(self, job: Job, stage: SingleTaskStage | GatesStage | UnitsStage) -> dict[str, Any]:
        settings = LoopSettings(
            folder=self.run,
            seed=self._seed(stage),
            jitter=self.config.data.colour_jitter,
            weight_decay=self.config.weight_decay,
            half=self.half,
            resume=self.resume,
        )
        record = fit(job, stage.name, stage.phases, self.stills, settings)
        return {
            "kind": stage.kind,
            "network": self.network.to_dict(),
            "phases": [phase.model_dump(mode="json") for phase in stage.phases],
            "precision": "bf16" if self.half else "fp32",
            **record,
        }

    def train(self, stage: SingleTaskStage | GatesStage | UnitsStage) -> dict[str, Any]:
        """Train one stage, keep what it gave and return its record."""
        # Per stage, so that a run resumed between two stages starts the next one alike.
        torch.manual_seed(self._seed(stage))
        if isinstance(stage, SingleTaskStage):
            return self.single_task(stage)
        if isinstance(stage, GatesStage):
            return self.gates(stage)
        return self.units(stage)

    def _keep(self, stage: str, module: nn.Module, record: dict[str, Any]) -> None:
        tensors = dict(module.state_dict())
        save_tensors(stage_path(self.run, stage), tensors, record)

    def single_task(self, stage: SingleTaskStage) -> dict[str, Any]:
        network = SingleTaskNetwork(self.network, TASKS[stage.task].channels)
        record = {"task": stage.task, **self._fit(SingleTaskJob(network, stage.task), stage)}
        record["validation"] = validate(network.eval(), None, stage.task, self.validation)
        self._keep(stage.name, network, record)
        return record

    def gates(self, stage: GatesStage) -> dict[str, Any]:
        base, _ = load_network(self.run, stage.base)
        job = GatesJob(
            base,
            {task: TASKS[task].channels for task in stage.tasks},
            LayerShare(stage.heads, stage.neurons),
            stage.group,
            stage.rho,
            stage.gate_lr,
        )
        record = {"base": stage.base, **self._fit(job, stage)}
        subtasks = {
            name: prune(job.subtasks[name], job.gates[name], stage.rho).eval()
            for name in stage.tasks
        }
        return self._keep_subtasks(stage.name, base, subtasks, record)

    def units(self, stage: UnitsStage) -> dict[str, Any]:
        base, _ = load_network(self.run, stage.base)
        subtasks, _ = load_subtasks(self.run, stage.start)
        record = {"base": stage.base, **self._fit(UnitsJob(base, subtasks), stage)}
        return self._keep_subtasks(stage.name, base, subtasks, record)

    def _keep_subtasks(
        self,
        stage: str,
        base: SingleTaskNetwork,
        subtasks: dict[str, SubTask],
        record: dict[str, Any],
    ) -> dict[str, Any]:
        record |= _share_record(self.network, subtasks)
        record["validation"] = {}
        for name, subtask in subtasks.items():
            record["validation"] |= validate(base, subtask.eval(), name, self.validation)
        self._keep(stage, nn.ModuleDict(subtasks), record)
        return record


def train(config_path: Path, run: Path, resume: bool = False) -> dict[str, Any]:
    """Train every stage of a configuration.

    Args:
        config_path: YAML file, see ``TrainingConfig``.
        run: Folder of the run; made if missing.
        resume: Go on with a run that exists: finished stages are kept, the stage in hand goes on
            from its checkpoint.

    Returns:
        Stage name -> record.

    Raises:
        ConfigError: The configuration is wrong, or the run exists and ``resume`` was not asked
            for, or it was started with another configuration.
    """
    config = load_config(config_path)
    kept = run / "config.yaml"
    if kept.exists():
        if not resume:
            raise ConfigError(f"{run}: a run is there already; pass --resume or another --output")
        if load_config(kept) != config:
            raise ConfigError(f"{config_path}: differs from {kept}, which this run started with")
    runner = _Runner(config, run, resume)  # looks at the data: nothing is left behind if it fails
    run.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        shutil.copyfile(config_path, kept)
    records = {}
    for stage in config.stages:
        if stage_path(run, stage.name).exists():
            _, records[stage.name] = load_tensors(stage_path(run, stage.name))
        else:
            records[stage.name] = runner.train(stage)
    return records
