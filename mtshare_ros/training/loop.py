"""The training loop: phases of steps, a cosine each, logs, checkpoints and resuming."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from mtshare_ros.errors import JobError
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.tasks import TASKS, Task
from mtshare_ros.training.batches import Batch, BatchSettings, Stills, training_batches
from mtshare_ros.training.checkpoints import (
    CheckpointError,
    load_tensors,
    progress_tensors,
    restore_progress,
    said_of,
    save_tensors,
)
from mtshare_ros.training.configuration import TrainingConfig
from mtshare_ros.training.devices import with_global_batch_norms
from mtshare_ros.training.stage_settings import Phase, Stage
from mtshare_ros.training.stored import checkpoint_path

CHECKPOINT_SECONDS = 120.0
LOG_STEPS = 25


class Job(nn.Module, ABC):
    """What a stage hands to the loop: losses of a batch, and who optimises what.

    Attributes:
        tasks: Names of the tasks whose truth a batch has to have.
        task_of: Name -> task of the data set.
        frames: Images that follow each other in a batch, of one clip; 1 for single images.
    """

    tasks: Collection[str] = ()
    frames: int = 1
    task_of: Mapping[str, Task] = TASKS

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Return named losses whose sum is minimised."""

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return the optimisers: AdamW over all that is trained, if a job doesn't say otherwise.

        Only the first one's learning rate follows the phases.
        """
        return [adamw([self], weight_decay)]

    def gauges(self) -> dict[str, float]:
        """Return further values to log."""
        return {}


@dataclass(frozen=True)
class LoopSettings:
    """What the loop needs besides the job.

    Attributes:
        folder: Where the checkpoint and the logs go.
        config: The configuration that the stage is part of.
        identity: Settings of the stage; a checkpoint of others is refused.
        seed: Seed of the order and the augmentation.
        resume: Whether to go on from the checkpoint of this stage, if there is one.
        on_step: Called after each step, in the first process only.
    """

    folder: Path
    config: TrainingConfig
    identity: dict[str, Any]
    seed: int
    resume: bool
    on_step: OnStep = silent


def adamw(modules: Sequence[nn.Module], weight_decay: float) -> torch.optim.Optimizer:
    """AdamW with weight decay on matrices and convolutions only."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    matrices = [p for p in parameters if p.dim() > 1]
    vectors = [p for p in parameters if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98))


def learning_rate(phase: Phase, step: int) -> float:
    """Return the rate at ``step`` of ``phase``: linear warm-up, then a cosine to zero."""
    warm = min(1.0, (step + 1) / max(1, phase.warmup))
    return phase.lr * warm * 0.5 * (1 + math.cos(math.pi * step / phase.steps))


class _Log:
    """The caller's progress and TensorBoard, on the first process only."""

    def __init__(self, fabric: Fabric, settings: LoopSettings, stage: str, done: int) -> None:
        self._fabric, self._on_step = fabric, settings.on_step
        self._stage, self._text = stage, stage
        path = str(settings.folder / "tensorboard" / stage)
        self._writer = SummaryWriter(path, purge_step=done) if fabric.is_global_zero else None

    def step(
        self, done: int, total: int, losses: dict[str, Tensor], job: Job, rate: float
    ) -> None:
        if done % LOG_STEPS == 0:
            means = self._fabric.all_reduce({name: loss.detach() for name, loss in losses.items()})
            if self._writer is not None:
                values = {name: float(mean) for name, mean in dict(means).items()} | job.gauges()
                shown = (f"{name} {value:.3f}" for name, value in values.items())
                self._text = f"{self._stage}: {', '.join(shown)}"
                for name, value in {**values, "learning_rate": rate}.items():
                    self._writer.add_scalar(name, value, done)
        if self._writer is not None:
            self._on_step(done, total, self._text)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def fit(
    job: Job, stage: Stage, stills: Stills, settings: LoopSettings, fabric: Fabric
) -> dict[str, Any]:
    """Train ``job`` through the phases of ``stage``; it ends on the CPU, in training mode.

    Returns:
        A record: steps, images seen and seconds of training, resumed runs included.

    Raises:
        JobError: A loss is not finite.
        CheckpointError: The stage's checkpoint was made with other settings.
    """
    path = checkpoint_path(settings.folder, stage.name)
    if fabric.world_size > 1:
        with_global_batch_norms(job)
    optimizers = job.optimizers(settings.config.weight_decay)
    trained = [p for group in optimizers[0].param_groups for p in group["params"]]
    wrapped, *stepping = fabric.setup(job, *optimizers)
    done, seconds = 0, 0.0
    if settings.resume and path.exists():
        tensors, record = load_tensors(path)
        with said_of(path):
            if record["settings"] != settings.identity:
                raise CheckpointError(
                    f"{path}: made with other settings of stage {stage.name}; delete it to start"
                    " anew"
                )
            restore_progress(tensors, job, optimizers)
            done, seconds = int(record["step"]), float(record["seconds"])
    total = sum(phase.steps for phase in stage.phases)

    def save(step: int) -> None:
        if fabric.is_global_zero:
            record = {"settings": settings.identity, "step": step, "seconds": seconds}
            save_tensors(path, progress_tensors(job, optimizers), record)

    log = _Log(fabric, settings, stage.name, done)
    job.train()
    saved = last = time.monotonic()
    first = 0
    for number, phase in enumerate(stage.phases):
        start = max(done - first, 0)
        drawing = BatchSettings(
            size=phase.size,
            count=phase.batch,
            wanted=set(job.tasks),
            jitter=settings.config.data.colour_jitter,
            noise=phase.noise,
            crop=settings.config.data.crop,
            frames=job.frames,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        seed = (settings.seed, number)
        batches = training_batches(stills, drawing, seed, start, phase.steps)
        for step, batch in enumerate(batches, start):
            rate = learning_rate(phase, step)
            for group in optimizers[0].param_groups:
                group["lr"] = rate
            # Seeded by the step: random gates are the same in a resumed run and in all processes.
            torch.manual_seed((settings.seed << 32) + first + step)
            losses = wrapped(fabric.to_device(batch))
            loss = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(loss):
                values = {name: float(value) for name, value in losses.items()}
                raise JobError(f"stage {stage.name}, step {first + step}: losses {values}")
            for optimizer in stepping:
                optimizer.zero_grad(set_to_none=True)
            fabric.backward(loss)
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            for optimizer in stepping:
                optimizer.step()
            now = time.monotonic()
            seconds, last = seconds + now - last, now
            overall = first + step + 1
            log.step(overall, total, losses, job, rate)
            if now - saved > CHECKPOINT_SECONDS:
                save(overall)
                saved = now
        first += phase.steps
    log.close()
    save(total)
    job.cpu()
    fabric.barrier()
    images = sum(phase.steps * phase.batch for phase in stage.phases)
    return {"steps": total, "images": images, "seconds": round(seconds, 1)}
