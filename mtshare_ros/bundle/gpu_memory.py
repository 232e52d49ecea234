"""What a bundle needs of a GPU's memory, from its manifest alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mtshare_ros.bundle.manifest import Manifest, TensorSpec

_FLOAT_BYTES = {"fp32": 4, "fp16": 2}


@dataclass(frozen=True)
class GpuMemory:
    """Bytes on the GPU, without what CUDA and TensorRT take for themselves.

    Attributes:
        weights: Once, for all cameras.
        caches: For each camera: what is remembered of all tokens.
        working: For each camera: computed rows, what graphs hand to one another, raw maps.
    """

    weights: int
    caches: int
    working: int

    @property
    def per_camera(self) -> int:
        """Bytes of each camera."""
        return self.caches + self.working

    def total(self, cameras: int = 1) -> int:
        """Bytes for some cameras."""
        return self.weights + cameras * self.per_camera


def gpu_memory(manifest: Manifest, precision: str) -> GpuMemory:
    """Return what a bundle needs in ``fp16`` or ``fp32``.

    Exact in fp32 but for the weights, whose count follows from the size of files that store them
    as fp16. In fp16 the few caches that stay in fp32 are not told apart.
    """
    cell = _FLOAT_BYTES[precision]
    caches = working = 0
    for graph in manifest.graphs.values():
        cached = {*graph.state, *graph.state.values(), *graph.reads}
        for tensor in (*graph.inputs, *graph.outputs):
            if tensor.name in graph.state:
                caches += cell * _elements(tensor, manifest)
                working += cell * _elements(tensor, manifest)  # as many rows may be computed
            elif tensor.name not in cached:
                working += (8 if tensor.dtype == "int64" else 4) * _elements(tensor, manifest)
    stored = sum(graph.size for graph in manifest.graphs.values())
    return GpuMemory(stored * cell // 2, caches, working)


def _elements(tensor: TensorSpec, manifest: Manifest) -> int:
    return math.prod(manifest.input.rows if n is None else n for n in tensor.shape)
