"""Networks and bundles with random weights: for time and parity only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from mtshare_ros.bundle.manifest import LayerShare, Manifest
from mtshare_ros.export.writer import write_bundle
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import TASKS, Task

DESCRIPTION = "Random weights: for measuring time, never for use."
FOCAL_LENGTH = 0.8
"""fx / width of bundles that are only timed, which does not depend on it."""


def random_networks(
    config: NetworkConfig, tasks: Sequence[str], shares: Sequence[Sequence[LayerShare]]
) -> tuple[SingleTaskNetwork, dict[Task, SubTask]]:
    """Return a base and its sub-tasks, the same ones each time.

    Args:
        config: Sizes of the network.
        tasks: Names of the tasks, the base's first.
        shares: Of each sub-task, its private units by block.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        base = SingleTaskNetwork(config, TASKS[tasks[0]].channels)
        subtasks = {}
        for name, layers in zip(tasks[1:], shares, strict=True):
            subtask = SubTask(config, layers, TASKS[name].channels)
            for block in subtask.blocks:
                for key, parameter in block.named_parameters():
                    if key in ("proj.weight", "fc2.weight"):  # zero at the start of training
                        torch.nn.init.trunc_normal_(parameter, std=0.02)
            subtasks[TASKS[name]] = subtask.eval()
    return base.eval(), subtasks


def random_bundle(
    folder: Path,
    config: NetworkConfig,
    share: LayerShare,
    tasks: Sequence[str] = ("normals", "depth", "segmentation"),
) -> Manifest:
    """Write a bundle of ``tasks``, the base's first; ``share`` is private in every block."""
    shares = [[share] * config.depth] * (len(tasks) - 1)
    base, subtasks = random_networks(config, tasks, shares)
    return write_bundle(
        folder, folder.name, DESCRIPTION, base, TASKS[tasks[0]], subtasks, FOCAL_LENGTH
    )
