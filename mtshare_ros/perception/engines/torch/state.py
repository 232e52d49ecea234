"""One stream's memory in torch, and the stages that its frames go through. Needs torch.

As in TensorRT, a stage runs a derived graph and commits its rows, and can take them back. On a
GPU a stage is recorded once for each size (a CUDA graph) and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from mtshare_ros.bundle.manifest import GraphSpec, Manifest
from mtshare_ros.perception.engines.interface import rows_name
from mtshare_ros.perception.engines.torch.graph_runner import TorchGraph


class Stage:
    """One graph on one stream's tensors."""

    def __init__(
        self, name: str, spec: GraphSpec, graph: TorchGraph, tensors: dict[str, Tensor]
    ) -> None:
        """Wire ``graph`` to ``tensors`` (``"<graph>.<tensor>"`` -> tensor)."""
        self.name, self._spec, self._graph, self._tensors = name, spec, graph, tensors
        self._before: dict[int, dict[str, Tensor]] = {}
        self._recorded: dict[int, Any] = {}

    def run(self, size: int) -> None:
        """Compute ``size`` rows and commit them."""
        if size in self._recorded:
            self._recorded[size].replay()
        else:
            self._compute(size)

    def undo(self, size: int) -> None:
        """Take back what ``run`` committed."""
        for cache, rows in self._before[size].items():
            cached = self._tensors[f"{self.name}.{cache}"]
            cached.index_copy_(0, self._index(size), rows)

    def record(self, size: int, pool: Any) -> Any:
        """Record ``run`` at a size on a GPU and return the memory pool that it uses.

        It runs a few times for that: what is in the caches is lost.
        """
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):  # libraries choose their kernels in the first calls
                self._compute(size)
        torch.cuda.current_stream().wait_stream(side)
        recording = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recording, pool=pool):
            self._compute(size)
        self._recorded[size] = recording
        return recording.pool()

    def _index(self, size: int) -> Tensor:
        return self._tensors[f"{self.name}.index"][:size]

    def _compute(self, size: int) -> None:
        given = {}
        for name in self._graph.inputs:
            origin = self._spec.reads.get(name, f"{self.name}.{name}")
            given[name] = self._index(size) if name == "index" else self._tensors[origin]
        outputs = self._graph(given)
        before = {}
        for cache in self._spec.state:
            cached = self._tensors[f"{self.name}.{cache}"]
            before[cache] = cached.index_select(0, self._index(size))
            cached.index_copy_(0, self._index(size), outputs.pop(rows_name(cache)))
        self._before[size] = before
        for name, value in outputs.items():
            self._tensors[f"{self.name}.{name}"].copy_(value)


class TorchBundleState:
    """One stream's caches, intermediate tensors and stages."""

    def __init__(
        self, manifest: Manifest, graphs: Mapping[str, TorchGraph], device: torch.device
    ) -> None:
        """Allocate everything on ``device``; host memory is page-locked where it is a GPU."""
        self.tensors: dict[str, Tensor] = {}
        self.hosts: dict[str, Tensor] = {}
        rows, locked = manifest.input.rows, device.type == "cuda"
        for name, spec in manifest.graphs.items():
            dtypes = graphs[name].dtypes
            for tensor in (*spec.inputs, *spec.outputs):
                if tensor.name in spec.reads or tensor.name in spec.state.values():
                    continue
                shape = [rows if n is None else n for n in tensor.shape]
                cached = rows_name(tensor.name) if tensor.name in spec.state else tensor.name
                key = f"{name}.{tensor.name}"
                self.tensors[key] = torch.zeros(shape, dtype=dtypes[cached], device=device)
                if tensor.name in ("image", "index", "raw"):
                    self.hosts[key] = torch.zeros(shape, dtype=dtypes[cached], pin_memory=locked)
        self.stages = {
            name: Stage(name, spec, graphs[name], self.tensors)
            for name, spec in manifest.graphs.items()
        }

    def record(self, sizes: tuple[int, ...], with_index: Callable[[str], bool]) -> None:
        """Record every stage at every size on a GPU."""
        pool = None
        for name, stage in self.stages.items():
            for size in sizes if with_index(name) else (0,):
                if size:
                    self.tensors[f"{name}.index"][:size] = torch.arange(size)
                pool = stage.record(size, pool)
