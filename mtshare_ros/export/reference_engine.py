"""The reference engine: the streamed torch modules themselves, caches as plain tensors.

It is the reference that every other engine is held to. It takes its modules from the caller, so
that the online side needs neither torch nor the offline side unless this engine is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.interface import EngineError, EngineOutput

TorchState = dict[str, torch.Tensor]
"""``"<graph>.<tensor>"`` -> tensor."""


class ReferenceEngine:
    """Runs a manifest's graphs with one torch function per graph."""

    name = "reference"
    precision = "fp32"
    sizes: tuple[int, ...] = ()

    def __init__(self, manifest: Manifest, graphs: Mapping[str, Callable[..., Any]]) -> None:
        """Take the functions of ``graphs`` by the names of the manifest's graphs.

        Args:
            manifest: Says where each input comes from and where each output goes.
            graphs: Each takes its inputs and returns its outputs in the manifest's order.
        """
        self.manifest = manifest
        self._graphs = graphs

    def new_state(self) -> TorchState:
        """Return empty caches for one stream."""
        return {
            f"{name}.{tensor.name}": torch.zeros([n or 0 for n in tensor.shape])
            for name, graph in self.manifest.graphs.items()
            for tensor in graph.inputs
            if tensor.name in graph.state
        }

    @torch.no_grad()
    def run(
        self,
        state: TorchState,
        image: NDArray[np.float32],
        base_index: NDArray[np.int64],
        task_index: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        """Compute one frame; see ``Engine.run``. Caches change only if every graph succeeds."""
        fresh = dict(state)
        milliseconds = {}
        plan = {"stem": base_index, "base": base_index, **task_index}
        for name, index in plan.items():
            start = time.perf_counter()
            try:
                self._call(fresh, name, torch.from_numpy(image), torch.from_numpy(index))
            except RuntimeError as error:
                raise EngineError(f"torch: graph {name}: {error}") from error
            milliseconds[name] = (time.perf_counter() - start) * 1e3
        state.update(fresh)
        raw = {task: state[f"{task}.raw"][0].numpy() for task in task_index}
        return EngineOutput(raw, milliseconds)

    def _call(
        self, state: TorchState, name: str, image: torch.Tensor, index: torch.Tensor
    ) -> None:
        graph = self.manifest.graphs[name]
        given = {"image": image, "index": index}
        inputs = [
            given[t.name]
            if t.name in given
            else state[graph.reads.get(t.name, f"{name}.{t.name}")]
            for t in graph.inputs
        ]
        outputs = self._graphs[name](*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        caches = {target: source for source, target in graph.state.items()}
        for tensor, value in zip(graph.outputs, outputs, strict=True):
            state[f"{name}.{caches.get(tensor.name, tensor.name)}"] = value
