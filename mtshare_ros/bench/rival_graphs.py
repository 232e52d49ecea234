"""The rivals as graphs, without the batch dimension.

ONNX Runtime multiplies matrices faster as Gemm than as batched MatMul, and our own graphs have no
batch dimension either.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mtshare_ros.bundle.manifest import TensorSpec
from mtshare_ros.export.onnx_writer import write_onnx
from mtshare_ros.network.config import FINE_STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SharedEncoder, SingleTaskNetwork
from mtshare_ros.network.streaming import attend_rows
from mtshare_ros.network.vit import VisionTransformer


class DenseGraph(nn.Module):
    """A single-task network."""

    def __init__(self, network: SingleTaskNetwork) -> None:
        """Wrap ``network``."""
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Map image (1, 3, H, W) to the raw map (1, C, H / 4, W / 4)."""
        tokens, fine = self.network.stem(image)
        features = _features(self.network.transformer, tokens[0])
        return self.network.head.mix_cells(self.network.head.cells(features)[None], fine)


class SharedGraph(nn.Module):
    """A shared encoder with all its heads."""

    def __init__(self, network: SharedEncoder) -> None:
        """Wrap ``network``."""
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map image (1, 3, H, W) to the raw map (1, C, H / 4, W / 4) of each task."""
        tokens, fine = self.network.stem(image)
        features = _features(self.network.transformer, tokens[0])
        heads = self.network.heads.values()
        return tuple(head.mix_cells(head.cells(features)[None], fine) for head in heads)


def write_rival(
    graph: DenseGraph | SharedGraph, config: NetworkConfig, channels: Mapping[str, int], path: Path
) -> None:
    """Export a rival, which takes ``image`` (1, 3, H, W).

    Args:
        graph: The rival, deployed.
        config: Sizes of its network.
        channels: Name of each raw map -> its channels.
        path: ONNX file to write.
    """
    width, height = config.size
    raw = (height // FINE_STRIDE, width // FINE_STRIDE)
    write_onnx(
        graph,
        [TensorSpec("image", "float32", (1, 3, height, width))],
        [TensorSpec(name, "float32", (1, count, *raw)) for name, count in channels.items()],
        path,
    )


def _features(transformer: VisionTransformer, x: Tensor) -> Tensor:
    """Return the last residual stream (R, d) of tokens (R, d)."""
    for block in transformer.blocks:
        query, key, value = block.queries_keys_values(x)
        x = x + block.proj(attend_rows(query, key, value, block.heads))
        x = x + block.mlp(x)
    return x
