"""Scores of a network on validation stills, decoded as at run time."""

from __future__ import annotations

import torch

from mtshare_ros.metrics import metric_for
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.perception.decode import Decoder, decode
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.training.batches import Stills, truth_maps, validation_batches
from mtshare_ros.training.crops import CropSettings

_BATCH = 8


@torch.no_grad()
def validate(
    network: SingleTaskNetwork,
    subtask: SubTask | None,
    task_name: str,
    stills: Stills,
    size: tuple[int, int],
    crop: CropSettings | None = None,
    on_step: OnStep = silent,
) -> dict[str, dict[str, float]]:
    """Score one task over all of ``stills``.

    Args:
        network: The dense network, or the base of ``subtask``.
        subtask: The sub-task to score; None scores the network's own head.
        task_name: Task of the head that is scored.
        stills: Validation images.
        size: Width and height in pixels that they are scored at.
        crop: How crops were taken in training; None stretches whole images.
        on_step: Called after each batch.

    Returns:
        ``{task: {metric: value}}``.
    """
    task = stills.tasks[task_name]
    metric, decoder = metric_for(task), Decoder(size)
    device = next(network.parameters()).device
    total = -(-len(stills) // _BATCH)
    batches = validation_batches(stills, size, _BATCH, (task_name,), crop)
    for done, batch in enumerate(batches, start=1):
        image = batch["image"].to(device)
        raw = network(image) if subtask is None else subtask.on_images(network, image)
        for image_raw, truth in zip(raw.cpu().numpy(), truth_maps(batch[task_name]), strict=True):
            metric.update(decode(decoder, task, image_raw), truth)
        on_step(done, total, f"validating {task_name}")
    return {task_name: {key: round(value, 4) for key, value in metric.result().items()}}
