"""The training loop: phases of steps, a cosine each, logs, checkpoints and resuming."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from mtshare_ros.training.batches import Batch, Stills, training_batches
from mtshare_ros.training.checkpoints import (
    load_tensors,
    progress_tensors,
    restore_progress,
    save_tensors,
)
from mtshare_ros.training.config import Phase

CHECKPOINT_SECONDS = 120.0
LOG_STEPS = 25


class Job(Protocol):
    """What a stage hands to the loop."""

    module: nn.Module
    """Everything that is trained or has to be kept between steps."""

    def optimizers(self, weight_decay: float) -> list[torch.optim.Optimizer]:
        """Return the optimisers; only the first one's learning rate follows the phases."""
        ...

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return named losses whose sum is minimised."""
        ...

    def gauges(self) -> dict[str, float]:
        """Return further values to log."""
        ...


@dataclass(frozen=True)
class LoopSettings:
    """What the loop needs besides the job.

    Attributes:
        folder: Where the checkpoint and the logs go.
        seed: Seed of the order and the augmentation.
        jitter: Colour jitter.
        weight_decay: AdamW's weight decay on matrices.
        half: Whether to compute in bfloat16.
        resume: Whether to go on from the checkpoint of this stage, if there is one.
    """

    folder: Path
    seed: int
    jitter: float
    weight_decay: float
    half: bool
    resume: bool


def supports_bf16() -> bool:
    """Return whether this CPU multiplies bfloat16 in hardware."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(half: bool) -> AbstractContextManager[Any]:
    """Return the context that computes in bfloat16 if ``half``."""
    return torch.autocast("cpu", torch.bfloat16, enabled=half)


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


def fit(
    job: Job, stage: str, phases: Sequence[Phase], stills: Stills, settings: LoopSettings
) -> dict[str, Any]:
    """Train ``job`` through ``phases``.

    Returns:
        A record: steps, images seen and seconds of training, resumed runs included.

    Raises:
        FloatingPointError: A loss is not finite.
    """
    path = settings.folder / "checkpoint.safetensors"
    optimizers = job.optimizers(settings.weight_decay)
    trained = [p for group in optimizers[0].param_groups for p in group["params"]]
    done, seconds = 0, 0.0
    if settings.resume and path.exists():
        tensors, record = load_tensors(path)
        if record["stage"] == stage:
            restore_progress(tensors, job.module, optimizers)
            done, seconds = record["step"], record["seconds"]
    total = sum(phase.steps for phase in phases)

    def save(step: int) -> None:
        record = {"stage": stage, "step": step, "seconds": seconds}
        save_tensors(path, progress_tensors(job.module, optimizers), record)

    writer = SummaryWriter(str(settings.folder / "tensorboard" / stage), purge_step=done)
    job.module.train()
    saved = last = time.monotonic()
    first = 0
    bar = tqdm(total=total, initial=done, desc=stage, unit="step", smoothing=0.05)
    for number, phase in enumerate(phases):
        start = max(done - first, 0)
        batches = training_batches(
            stills,
            phase.size,
            phase.batch,
            settings.jitter,
            (settings.seed, number),
            start,
            phase.steps,
        )
        for step, batch in enumerate(batches, start):
            for group in optimizers[0].param_groups:
                group["lr"] = learning_rate(phase, step)
            # Seeded by the step, so that random gates are the same in a resumed run.
            torch.manual_seed((settings.seed << 32) + first + step)
            with autocast(settings.half):
                losses = job.losses(batch)
            loss = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(loss):
                values = {name: float(value) for name, value in losses.items()}
                raise FloatingPointError(f"stage {stage}, step {first + step}: losses {values}")
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            for optimizer in optimizers:
                optimizer.step()
            now = time.monotonic()
            seconds, last = seconds + now - last, now
            bar.update()
            overall = first + step + 1
            if overall % LOG_STEPS == 0:
                values = {name: float(value) for name, value in losses.items()} | job.gauges()
                bar.set_postfix({name: f"{value:.3f}" for name, value in values.items()})
                for name, value in values.items():
                    writer.add_scalar(name, value, overall)
                writer.add_scalar("learning_rate", optimizers[0].param_groups[0]["lr"], overall)
            if now - saved > CHECKPOINT_SECONDS:
                save(overall)
                saved = now
        first += phase.steps
    bar.close()
    writer.close()
    save(total)
    images = sum(phase.steps * phase.batch for phase in phases)
    return {"steps": total, "images": images, "seconds": round(seconds, 1)}
