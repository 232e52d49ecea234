"""How each kind of stage is trained: what it builds on, its job, what it leaves."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.heads import Head
from mtshare_ros.network.pretrained import load_backbone
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.units import SubTask, private_share
from mtshare_ros.network.vit import VisionTransformer
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.training.batches import Stills
from mtshare_ros.training.checkpoints import load_tensors, save_tensors
from mtshare_ros.training.configuration import TrainingConfig
from mtshare_ros.training.data_sets import data_record, open_image_sets
from mtshare_ros.training.jobs.dense import JointJob, SingleTaskJob
from mtshare_ros.training.jobs.elementwise import ElementwiseJob
from mtshare_ros.training.jobs.running import RunningJob
from mtshare_ros.training.jobs.subtasks import (
    GatesJob,
    Guidance,
    LearnedGates,
    TogetherJob,
    UnitsJob,
)
from mtshare_ros.training.loop import Job, LoopSettings, fit
from mtshare_ros.training.rooms import open_clips, open_rooms
from mtshare_ros.training.stage_settings import (
    AnyStage,
    BaseStage,
    ElementwiseStage,
    GatesStage,
    JointStage,
    SingleTaskStage,
    SubTasksStage,
    TogetherStage,
    UniformStage,
    UnitsStage,
)
from mtshare_ros.training.stored import (
    FORMS,
    checkpoint_path,
    load_network,
    load_shared,
    load_subtasks,
    stage_path,
)
from mtshare_ros.training.validation import validate


class StageTrainer:
    """Trains the stages of one configuration in one folder."""

    def __init__(
        self,
        config: TrainingConfig,
        run: Path,
        resume: bool,
        fabric: Fabric,
        on_step: OnStep = silent,
    ) -> None:
        """Open the data sets; ``on_step`` is called in the first process only.

        Raises:
            ConfigError: They can't be trained or validated on.
        """
        self.config, self.run, self.resume, self.fabric = config, run, resume, fabric
        self.network, self.on_step = config.network, on_step
        self.stills: Stills
        self.validation: Stills
        opener = open_rooms if config.data.kind == "rooms" else open_image_sets
        self.stills, self.validation = opener(config)
        self.tasks = self.stills.tasks
        self.clips = None if config.data.clips is None else open_clips(config, self.validation)

    def train(self, stage: AnyStage) -> None:
        """Train one stage and keep what it gave."""
        # Per stage, so that a run resumed between two stages starts the next one alike.
        torch.manual_seed(self._seed(stage))
        if isinstance(stage, SingleTaskStage):
            self._single_task(stage)
        elif isinstance(stage, JointStage):
            self._joint(stage)
        elif isinstance(stage, GatesStage):
            self._gates(stage)
        elif isinstance(stage, ElementwiseStage):
            self._elementwise(stage)
        elif isinstance(stage, TogetherStage):
            self._together(stage)
        else:
            self._units(stage)
        self.fabric.barrier()

    def _seed(self, stage: AnyStage) -> int:
        # Of the name, so that a stage that is added leaves the others as they were.
        return self.config.seed * 65536 + zlib.crc32(stage.name.encode()) % 65536

    def _fit(self, job: Job, stage: AnyStage) -> dict[str, Any]:
        job.known = self.tasks
        settings = LoopSettings(
            folder=self.run,
            identity=stage.model_dump(mode="json", exclude_defaults=True),
            seed=self._seed(stage),
            jitter=self.config.data.colour_jitter,
            weight_decay=self.config.weight_decay,
            resume=self.resume,
            crop=self.config.data.crop,
            on_step=self.on_step,
        )
        stills = self.stills
        if job.frames > 1:
            assert self.clips is not None
            stills = self.clips
        record = fit(job, stage.name, stage.phases, stills, settings, self.fabric)
        return {
            "kind": stage.kind,
            "network": self.network.to_dict(),
            "settings": settings.identity,
            "precision": self.fabric.strategy.precision.precision,
            "processes": self.fabric.world_size,
            **data_record(self.config.data, self.stills),
            **record,
        }

    def _keep(self, stage: str, module: nn.Module, record: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            save_tensors(stage_path(self.run, stage), dict(module.state_dict()), record)
            checkpoint_path(self.run, stage).unlink(missing_ok=True)

    def _validate(
        self, stage: AnyStage, network: SingleTaskNetwork, subtask: SubTask | None, task: str
    ) -> dict[str, dict[str, float]]:
        """Score at the size that the stage ended with."""
        if not self.fabric.is_global_zero:
            return {}
        network.to(self.fabric.device).eval()
        if subtask is not None:
            subtask.to(self.fabric.device).eval()
        size, crop = stage.phases[-1].size, self.config.data.crop
        return validate(network, subtask, task, self.validation, size, crop, self.on_step)

    def _pretrain(self, stage: BaseStage, network: SingleTaskNetwork | SharedEncoder) -> None:
        """Load the stage's pretrained backbone, if it has one."""
        if stage.backbone is not None:
            backbone = stage.backbone
            load_backbone(backbone.checkpoint, backbone.model, self.network).start(network)

    def _single_task(self, stage: SingleTaskStage) -> None:
        network = SingleTaskNetwork(self.network, self.tasks[stage.task].channels)
        if stage.start is not None:
            started, _ = load_network(self.run, stage.start)
            network.start_from(started)
            network.head.start_from(self._head(stage.start, stage.task) or started.head)
        self._pretrain(stage, network)
        record = {"task": stage.task, **self._fit(SingleTaskJob(network, stage.task), stage)}
        record["validation"] = self._validate(stage, network, None, stage.task)
        self._keep(stage.name, network, record)

    def _joint(self, stage: JointStage) -> None:
        if stage.start is not None:
            network = load_shared(self.run, stage.start)[0]
        else:
            network = SharedEncoder(self.network, {t: self.tasks[t].channels for t in stage.tasks})
        self._pretrain(stage, network)
        weights = {t: stage.auxiliary if n else 1.0 for n, t in enumerate(stage.tasks)}
        job = JointJob(network, weights, stage.weighting == "uncertainty")
        record = {"tasks": list(stage.tasks), **self._fit(job, stage)}
        network.eval()
        record["validation"] = {}
        for task in stage.tasks:
            record["validation"] |= self._validate(stage, network.single(task), None, task)
        self._keep(stage.name, network, record)

    def _gates(self, stage: GatesStage) -> None:
        base, _ = load_network(self.run, stage.base)
        subtasks = self._new_subtasks(stage, base)
        if not stage.own_norm:
            _freeze_norms(subtasks)
        gates = LearnedGates(subtasks, stage.group, stage.rho, stage.gate_lr)
        job = GatesJob(base, subtasks, gates, self._guidance(stage))
        record = {"form": stage.form, "own_norm": stage.own_norm, **self._fit(job, stage)}
        self._keep_subtasks(stage, base, gates.prune(subtasks), record)

    def _together(self, stage: TogetherStage) -> None:
        task, *others = stage.tasks
        if stage.start is not None:
            base, _ = load_network(self.run, stage.start)
            subtasks, _ = load_subtasks(self.run, stage.start)
        else:
            base = SingleTaskNetwork(self.network, self.tasks[task].channels)
            self._pretrain(stage, base)
            shares = [LayerShare(stage.heads, stage.neurons)] * self.network.depth
            subtasks = {
                name: SubTask(self.network, shares, self.tasks[name].channels) for name in others
            }
            for subtask in subtasks.values():
                subtask.start_from(base.transformer)
        gates = None
        if stage.rho is not None:
            gates = LearnedGates(subtasks, stage.group, stage.rho, stage.gate_lr)
        learn = stage.weighting == "uncertainty"
        if stage.frames > 1:
            job: TogetherJob = RunningJob(
                base, task, subtasks, stage.gradient, stage.frames, stage.consistency, learn
            )
        else:
            job = TogetherJob(base, task, subtasks, stage.gradient, gates, learn)
        record = self._fit(job, stage)
        if gates is not None:
            subtasks = gates.prune(subtasks)
        record |= {"form": "added", "task": task, "base": stage.name, **self._shares(subtasks)}
        record["validation"] = self._validate(stage, base, None, task)
        for name, subtask in subtasks.items():
            record["validation"] |= self._validate(stage, base, subtask, name)
        parts = {"base": base, "subtasks": nn.ModuleDict(subtasks)}
        self._keep(stage.name, nn.ModuleDict(parts), record)

    def _units(self, stage: UnitsStage | UniformStage) -> None:
        base, _ = load_network(self.run, stage.base)
        if isinstance(stage, UnitsStage):
            subtasks, started = load_subtasks(self.run, stage.start)
            form, own_norm = started["form"], started.get("own_norm", True)
        else:
            subtasks, form, own_norm = self._new_subtasks(stage, base), stage.form, stage.own_norm
        if not own_norm:
            _freeze_norms(subtasks)
        record = self._fit(UnitsJob(base, subtasks, self._guidance(stage)), stage)
        traits = {"form": form, "own_norm": own_norm}
        self._keep_subtasks(stage, base, subtasks, {**traits, **record})

    def _elementwise(self, stage: ElementwiseStage) -> None:
        base, _ = load_network(self.run, stage.base)
        channels = {task: self.tasks[task].channels for task in stage.tasks}
        frozen = stage.start is not None
        job = ElementwiseJob(base, channels, stage.density, stage.gate_lr, stage.l1, frozen)
        for task, subtask in job.subtasks.items():
            subtask.head.start_from(self._head(stage.base, task) or base.head)
        if stage.start is not None:
            tensors, _ = load_tensors(stage_path(self.run, stage.start))
            job.subtasks.load_state_dict(tensors)
        record = {"tasks": list(stage.tasks), "base": stage.base, **self._fit(job, stage)}
        job.freeze()
        subtasks = dict(job.subtasks.items())
        record |= {"density": {n: round(s.density, 4) for n, s in subtasks.items()}}
        record["validation"] = {}
        for name, subtask in subtasks.items():
            record["validation"] |= self._validate(stage, subtask.merged(base), None, name)
        self._keep(stage.name, job.subtasks, record)

    def _new_subtasks(
        self, stage: GatesStage | UniformStage, base: SingleTaskNetwork
    ) -> dict[str, SubTask]:
        """Return sub-tasks that write nothing of their own yet."""
        shares = [LayerShare(stage.heads, stage.neurons)] * self.network.depth
        subtasks = {}
        for task in stage.tasks:
            subtask = FORMS[stage.form](self.network, shares, self.tasks[task].channels)
            head = self._head(stage.base, task) or base.head
            subtask.start_from(self._read_weights(stage, task, base), head)
            subtasks[task] = subtask
        return subtasks

    def _read_weights(
        self, stage: GatesStage | UniformStage, task: str, base: SingleTaskNetwork
    ) -> VisionTransformer:
        if task not in stage.read_from:
            return base.transformer
        return load_network(self.run, stage.read_from[task], task)[0].transformer

    def _head(self, stage: str, task: str) -> Head | None:
        """Return the head for a task that a base was trained with, if it was."""
        _, record = load_tensors(stage_path(self.run, stage))
        if task not in record.get("tasks", ()):
            return None
        return load_network(self.run, stage, task)[0].head

    def _guidance(self, stage: SubTasksStage) -> Guidance:
        teachers = {
            task: load_network(self.run, name, task)[0] for task, name in stage.distill.items()
        }
        return Guidance(teachers, stage.distill_weight, stage.pull)

    def _keep_subtasks(
        self,
        stage: SubTasksStage,
        base: SingleTaskNetwork,
        subtasks: Mapping[str, SubTask],
        record: dict[str, Any],
    ) -> None:
        record |= {"base": stage.base, "validation": {}, **self._shares(subtasks)}
        for name, subtask in subtasks.items():
            record["validation"] |= self._validate(stage, base, subtask, name)
        self._keep(stage.name, nn.ModuleDict(subtasks), record)

    def _shares(self, subtasks: Mapping[str, SubTask]) -> dict[str, Any]:
        shares = {name: subtask.shares for name, subtask in subtasks.items()}
        return {
            "shares": {name: [vars(s) for s in layers] for name, layers in shares.items()},
            "rho": {n: round(private_share(self.network, s), 4) for n, s in shares.items()},
        }


def _freeze_norms(subtasks: Mapping[str, SubTask]) -> None:
    for subtask in subtasks.values():
        for block in subtask.blocks:
            block.freeze_norms()
