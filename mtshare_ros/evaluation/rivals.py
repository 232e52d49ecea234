"""Dense networks in ONNX Runtime: what sharing is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mtshare_ros.export.deploy import deploy
from mtshare_ros.export.onnx_writer import write_onnx
from mtshare_ros.manifest import InputSpec, TensorSpec
from mtshare_ros.network.config import FINE_STRIDE, NetworkConfig
from mtshare_ros.network.single_task import SingleTaskNetwork
from mtshare_ros.network.streaming import attend_rows
from mtshare_ros.perception.decode import Decoder
from mtshare_ros.perception.engines.onnxruntime_engine import session_options
from mtshare_ros.perception.frame import Image, normalise, resize
from mtshare_ros.tasks import PROBABILITY_KINDS, Task


class DenseGraph(nn.Module):
    """A single-task network as it is exported for comparison, without the batch dimension.

    ONNX Runtime multiplies matrices faster as Gemm than as batched MatMul, and our own graphs
    have no batch dimension either.
    """

    def __init__(self, network: SingleTaskNetwork) -> None:
        """Wrap ``network``."""
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        """Map image (1, 3, H, W) to the raw map (1, C, H / 4, W / 4)."""
        tokens, fine = self.network.stem(image)
        x = tokens[0]
        for block in self.network.transformer.blocks:
            query, key, value = block.qkv(block.norm1(x)).chunk(3, dim=-1)
            x = x + block.proj(attend_rows(query, key, value, block.heads))
            x = x + block.mlp(x)
        return self.network.head.mix_cells(self.network.head.cells(x)[None], fine)


class SeparateNetworks:
    """One dense single-task network per task; each frame is resized and normalised once."""

    def __init__(
        self, config: NetworkConfig, tasks: Sequence[Task], folder: Path, threads: int
    ) -> None:
        """Export a randomly initialised network per task into ``folder`` and open it.

        Random weights are fine for time, never for accuracy. The sessions have the same options
        as ours, so that idle ones don't slow the running one.
        """
        width, height = config.size
        image = TensorSpec("image", "float32", (1, 3, height, width))
        self.tasks = list(tasks)
        self._sessions: list[ort.InferenceSession] = []
        for task in tasks:
            raw = (1, task.channels, height // FINE_STRIDE, width // FINE_STRIDE)
            path = folder / f"dense_{task.name}.onnx"
            with torch.random.fork_rng():
                torch.manual_seed(0)
                network = deploy(SingleTaskNetwork(config, task.channels))
            write_onnx(DenseGraph(network), [image], [TensorSpec("raw", "float32", raw)], path)
            options = session_options(threads)
            self._sessions.append(
                ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            )
        self._decoder = Decoder(config.size)

    def step(self, image: Image, spec: InputSpec) -> list[NDArray[np.generic]]:
        """Compute every task from an RGB image (H, W, 3) uint8 to decoded arrays."""
        tensor = normalise(resize(image, spec), spec)
        arrays: list[NDArray[np.generic]] = []
        for task, session in zip(self.tasks, self._sessions, strict=True):
            raw = session.run(None, {"image": tensor})[0][0]
            arrays += decode(self._decoder, task, raw)
        return arrays


def decode(decoder: Decoder, task: Task, raw: NDArray[np.float32]) -> list[NDArray[np.generic]]:
    """Return the arrays that a user of a task gets from its raw map (C, h, w)."""
    if task.kind == "depth":
        return [decoder.depth(raw, task, 1.0, 20.0)]
    if task.kind == "segmentation":
        return [decoder.labels(raw), decoder.confidence(raw)]
    if task.kind in PROBABILITY_KINDS:
        return [decoder.probability(raw)]
    return [decoder.normals(raw)]
