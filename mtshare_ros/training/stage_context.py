"""What the trainer of a stage works with: the run, its data, and what earlier stages trained."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import nn

from mtshare_ros.network.heads import Head
from mtshare_ros.network.pretrained import load_backbone
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.training.configuration import TrainingConfig
from mtshare_ros.training.data_sets import open_data_sets
from mtshare_ros.training.loop import Job, LoopSettings, fit
from mtshare_ros.training.stage_settings import BaseStage, Stage
from mtshare_ros.training.stored import load_network, record_of
from mtshare_ros.training.validation import validate


@dataclass(frozen=True)
class StageResult:
    """What a stage leaves.

    Attributes:
        module: Its state is what is stored.
        record: What is stored beside it, as JSON.
    """

    module: nn.Module
    record: dict[str, Any]


class StageContext:
    """One configuration, trained in one folder."""

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
        self.data = open_data_sets(config)
        self.tasks = self.data.train.tasks

    def channels(self, task: str) -> int:
        """Return the output channels of a task."""
        return self.tasks[task].channels

    def seed(self, stage: Stage) -> int:
        """Return the seed of a stage: of its name, so that adding a stage changes no other."""
        return self.config.seed * 65536 + zlib.crc32(stage.name.encode()) % 65536

    def fit(self, job: Job, stage: Stage) -> dict[str, Any]:
        """Run a stage's phases and return the first part of its record."""
        job.task_of = self.tasks
        settings = LoopSettings(
            folder=self.run,
            config=self.config,
            identity=stage.model_dump(mode="json", exclude_defaults=True),
            seed=self.seed(stage),
            resume=self.resume,
            on_step=self.on_step,
        )
        stills = self.data.train
        if job.frames > 1:
            assert self.data.clips is not None
            stills = self.data.clips
        record = fit(job, stage, stills, settings, self.fabric)
        return {
            "kind": stage.kind,
            "network": self.network.to_dict(),
            "settings": settings.identity,
            "precision": self.fabric.strategy.precision.precision,
            "processes": self.fabric.world_size,
            **self.data.record,
            **record,
        }

    def validate(
        self, stage: Stage, network: SingleTaskNetwork, subtask: SubTask | None, task: str
    ) -> dict[str, dict[str, float]]:
        """Score at the size that the stage ended with; see ``validation.validate``."""
        if not self.fabric.is_global_zero:
            return {}
        network.to(self.fabric.device).eval()
        if subtask is not None:
            subtask.to(self.fabric.device).eval()
        size, crop = stage.phases[-1].size, self.config.data.crop
        return validate(network, subtask, task, self.data.validation, size, crop, self.on_step)

    def pretrain(self, stage: BaseStage, network: SingleTaskNetwork | SharedEncoder) -> None:
        """Load the stage's pretrained backbone, if it has one."""
        if stage.backbone is not None:
            backbone = stage.backbone
            load_backbone(backbone.checkpoint, backbone.model, self.network).start(network)

    def head(self, stage: str, task: str, network: SingleTaskNetwork) -> Head:
        """Return the head that a new network for a task starts with.

        Args:
            stage: Stage that trained ``network``.
            task: The task.
            network: Gives its head where the stage trained none for the task.
        """
        if task not in record_of(self.run, stage).get("tasks", ()):
            return network.head
        return load_network(self.run, stage, task)[0].head
