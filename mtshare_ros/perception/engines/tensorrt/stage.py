"""One graph as TensorRT runs it: its memory, its contexts, its launch. Needs pycuda.

All methods need the GPU's context to be current.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import GraphSpec
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt.cuda_graph import RecordedLaunch
from mtshare_ros.perception.engines.tensorrt.gpu import Gpu


@dataclass(frozen=True)
class Buffer:
    """Memory on the GPU for one tensor; ``shape`` is the largest that it can hold."""

    memory: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def row_bytes(self) -> int:
        """Size of one row."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize


@dataclass(frozen=True)
class CompiledGraph:
    """A graph as TensorRT has it: what it is wired to, and its inputs and outputs by name.

    Attributes:
        name: Name of the graph.
        spec: The bundle's graph.
        engine: TensorRT's engine.
        dtypes: Input or output -> NumPy's type.
        inputs: Names of the inputs.
    """

    name: str
    spec: GraphSpec
    engine: Any
    dtypes: dict[str, np.dtype[Any]]
    inputs: frozenset[str]

    def origin(self, tensor: str) -> str:
        """Return ``"<graph>.<tensor>"`` of the memory that an input or output uses."""
        return self.spec.reads.get(tensor, f"{self.name}.{tensor}")


@dataclass
class Stage:
    """One graph of one state, ready to be launched at each size.

    Attributes:
        graph: The graph.
        contexts: Size -> its execution context.
        table: Addresses for the kernel that exchanges rows, or None without caches.
        index: Device memory of the rows' numbers, or None.
        index_host: Page-locked memory of the same, or None.
        started: Mark in the stream.
        ended: Mark in the stream.
        recorded: Size -> recorded launch.
    """

    graph: CompiledGraph
    contexts: dict[int, Any]
    table: Any
    index: Any
    index_host: NDArray[np.int64] | None
    started: Any
    ended: Any
    recorded: dict[int, RecordedLaunch] = field(default_factory=dict)

    def enqueue(self, size: int, gpu: Gpu) -> None:
        """Put the graph and the commit of its rows on the stream."""
        if not self.contexts[size].execute_async_v3(gpu.stream.handle):
            raise EngineError(f"tensorrt: graph {self.graph.name} refused to run")
        self.exchange(size, gpu)

    def exchange(self, size: int, gpu: Gpu) -> None:
        """Commit the computed rows; a second time, take them back."""
        if self.table is not None:
            gpu.exchange_rows(self.table, self.index, size, len(self.graph.spec.state))

    def launch(self, size: int, gpu: Gpu) -> None:
        """Run the graph at a size and commit its rows, in the order of the stream."""
        self.started.record(gpu.stream)
        if size in self.recorded:
            self.recorded[size].launch()
        else:
            self.enqueue(size, gpu)
        self.ended.record(gpu.stream)
