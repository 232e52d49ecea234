"""Multiply-adds of a frame: what the ideal time, ``t_dense * work``, is made from.

Counted are products and convolutions; norms, activations and what writes rows are not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.network.config import FINE_STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SharedEncoder


@dataclass(frozen=True)
class Work:
    """Multiply-adds of the parts of a frame, every token computed.

    Attributes:
        stem: Of the stem, dense in every frame.
        transformer: Of one dense transformer.
        cells: Task -> what its head does to each token; clean ones cost nothing.
        mixing: Task -> what its head does in every frame.
        rho: Sub-task -> its private multiply-adds over those of the transformer.
        prefix: Share of the rows that are computed in every frame.
    """

    stem: int
    transformer: int
    cells: Mapping[str, int]
    mixing: Mapping[str, int]
    rho: Mapping[str, float]
    prefix: float = 0.0

    def separate(self, tasks: Sequence[str]) -> float:
        """Return the multiply-adds of one dense network per task."""
        return len(tasks) * (self.stem + self.transformer) + self._heads(tasks, 1.0)

    def shared(self, tasks: Sequence[str]) -> float:
        """Return the multiply-adds of a shared encoder with a head per task."""
        return self.stem + self.transformer + self._heads(tasks, 1.0)

    def stream(self, tasks: Sequence[str], fraction: float) -> float:
        """Return the multiply-adds of base and sub-tasks with a share of the tokens dirty.

        K dirty rows attend to all N, so all of the transformer is in proportion to K.
        """
        rows = self.prefix + fraction * (1 - self.prefix)
        transformers = 1.0 + sum(self.rho.get(task, 0.0) for task in tasks)
        return self.stem + rows * transformers * self.transformer + self._heads(tasks, rows)

    def _heads(self, tasks: Sequence[str], rows: float) -> float:
        return sum(rows * self.cells[task] + self.mixing[task] for task in tasks)


def count_work(manifest: Manifest) -> Work:
    """Count the parts of a bundle's network."""
    config = NetworkConfig.from_dict(manifest.network)
    with torch.device("meta"):  # shapes alone: nothing is computed
        network = SharedEncoder(config, {t.name: t.channels for t in manifest.tasks}).eval()
        width, height = config.size
        image = torch.empty(1, 3, height, width)
        tokens = torch.empty(1, config.rows, config.width)
        fine = torch.empty(1, config.fine_width, height // FINE_STRIDE, width // FINE_STRIDE)
        cells = torch.empty(1, config.rows, 16 * config.head_width)
    heads: dict[str, nn.Module] = dict(network.heads.items())
    return Work(
        stem=_count(network.stem, image),
        transformer=_count(network.transformer, tokens),
        cells={task: _count(head.cells, tokens) for task, head in heads.items()},
        mixing={task: _count(head.mix_cells, cells, fine) for task, head in heads.items()},
        rho={task: share.rho for task, share in manifest.private.items()},
        prefix=config.prefix / config.rows,
    )


@torch.no_grad()
def _count(module: Callable[..., object], *inputs: Tensor) -> int:
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() // 2  # a multiplication and an addition are two
