"""A small base with sub-tasks, none of whose weights is zero."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.units import SubTask
from mtshare_ros.tasks import DEPTH, NORMALS, SEGMENTATION
from support.samples import SMALL

SHARES = [LayerShare(1, 32), LayerShare(0, 32), LayerShare(2, 0)]


def networks(
    shares: Sequence[LayerShare] = SHARES,
) -> tuple[SingleTaskNetwork, dict[str, SubTask]]:
    """Return a normals base, and depth and segmentation with ``shares`` of private units."""
    torch.manual_seed(0)
    base = SingleTaskNetwork(SMALL, NORMALS.channels)
    subtasks = {t.name: SubTask(SMALL, shares, t.channels) for t in (DEPTH, SEGMENTATION)}
    for module in (base, *subtasks.values()):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        module.eval()
    return base, subtasks
