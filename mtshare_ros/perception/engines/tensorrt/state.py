"""One stream's memory on the GPU, and the stages that its frames go through.

Importing this needs tensorrt and pycuda. Every address is set when a state is made; a frame only
copies its image and indices, launches, and copies its raw maps back. All methods need the GPU's
context to be current.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.interface import EngineError, rows_name
from mtshare_ros.perception.engines.sizes import static_sizes
from mtshare_ros.perception.engines.tensorrt.cuda_graph import CaptureError, RecordedLaunch
from mtshare_ros.perception.engines.tensorrt.gpu import Gpu
from mtshare_ros.perception.engines.tensorrt.stage import Buffer, CompiledGraph, Stage

_LOG = logging.getLogger(__name__)
_WORD = 4
"""Bytes that the kernel exchanges at once."""


class TensorRTState:
    """One stream's caches, intermediate tensors and stages."""

    def __init__(
        self,
        manifest: Manifest,
        graphs: Mapping[str, CompiledGraph],
        scratch: Buffer,
        gpu: Gpu,
    ) -> None:
        """Allocate everything that frames need.

        Args:
            manifest: The bundle's manifest.
            graphs: Its graphs, compiled.
            scratch: Memory that all contexts share; they never run at once.
            gpu: The GPU.

        Raises:
            EngineError: There is not enough memory, or a graph's tensors are not the manifest's.
        """
        self._gpu, self._rows = gpu, manifest.input.rows
        self.buffers: dict[str, Buffer] = {}
        self.hosts: dict[str, NDArray[Any]] = {}
        self.stages: dict[str, Stage] = {}
        for graph in graphs.values():
            self._allocate(graph)
        sizes = static_sizes(manifest.input)
        self.stages = {
            name: self._stage(graph, sizes if "index" in graph.inputs else (0,), scratch)
            for name, graph in graphs.items()
        }
        gpu.wait()

    def _allocate(self, graph: CompiledGraph) -> None:
        spec = graph.spec
        shapes = {t.name: t.shape for t in (*spec.inputs, *spec.outputs)}
        for cache in spec.state:
            rows = rows_name(cache)
            self._add(graph, cache, shapes[cache], graph.dtypes[rows])
            self._add(graph, rows, shapes[cache], graph.dtypes[rows])
            if self.buffers[f"{graph.name}.{rows}"].row_bytes % _WORD:
                raise EngineError(f"tensorrt: graph {graph.name}: cache {cache}: odd row size")
        given = [t.name for t in spec.inputs if t.name in ("image", "index")]
        others = [t.name for t in spec.outputs if t.name not in spec.state.values()]
        for tensor in (*given, *others):
            self._add(graph, tensor, shapes[tensor], graph.dtypes[tensor])
            if tensor in ("image", "index", "raw"):
                buffer = self.buffers[f"{graph.name}.{tensor}"]
                self.hosts[f"{graph.name}.{tensor}"] = self._gpu.staging(
                    buffer.shape, buffer.dtype
                )

    def _add(
        self, graph: CompiledGraph, tensor: str, shape: tuple[int | None, ...], dtype: np.dtype
    ) -> None:
        full = tuple(self._rows if n is None else n for n in shape)
        memory = self._gpu.allocate(math.prod(full) * dtype.itemsize)
        self.buffers[f"{graph.name}.{tensor}"] = Buffer(memory, full, dtype)

    def _stage(self, graph: CompiledGraph, sizes: tuple[int, ...], scratch: Buffer) -> Stage:
        caches = list(graph.spec.state)
        table = None
        if caches:
            entries = self._gpu.staging((len(caches), 3), np.uint64)
            for entry, cache in zip(entries, caches, strict=True):
                rows = self.buffers[f"{graph.name}.{rows_name(cache)}"]
                kept = self.buffers[f"{graph.name}.{cache}"]
                entry[:] = int(rows.memory), int(kept.memory), kept.row_bytes // _WORD
            table = self._gpu.allocate(entries.nbytes)
            self._gpu.upload(table, entries)
            self._gpu.wait()  # the staging memory goes with this call
        index = self.buffers.get(f"{graph.name}.index")
        return Stage(
            graph,
            {size: self._context(graph, n, size, scratch) for n, size in enumerate(sizes)},
            table,
            None if index is None else index.memory,
            self.hosts.get(f"{graph.name}.index"),
            self._gpu.event(),
            self._gpu.event(),
        )

    def _context(self, graph: CompiledGraph, profile: int, size: int, scratch: Buffer) -> Any:
        """Return a context whose shapes and addresses are all set."""
        name, handle = graph.name, self._gpu.stream.handle
        context = graph.engine.create_execution_context(
            trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        if context is None:
            raise EngineError(f"tensorrt: graph {name}: no execution context: out of memory?")
        # A graph without an index has no profiles to choose from.
        if size and not context.set_optimization_profile_async(profile, handle):
            raise EngineError(f"tensorrt: graph {name}: no profile for {size} rows")
        self._gpu.wait()
        context.set_device_memory(int(scratch.memory), scratch.shape[0])
        if size and not context.set_input_shape("index", (size,)):
            raise EngineError(f"tensorrt: graph {name}: {size} rows are refused")
        if missing := context.infer_shapes():
            raise EngineError(f"tensorrt: graph {name}: no shape for {missing}")
        for tensor, dtype in graph.dtypes.items():
            buffer = self.buffers.get(graph.origin(tensor))
            shape = tuple(context.get_tensor_shape(tensor))
            if buffer is None or not _holds(buffer, shape, dtype):
                found = None if buffer is None else (buffer.shape, str(buffer.dtype))
                raise EngineError(
                    f"tensorrt: graph {name}: tensor {tensor} is {shape} {dtype}, the bundle's "
                    f"memory for it {found}"
                )
            if not context.set_tensor_address(tensor, int(buffer.memory)):
                raise EngineError(f"tensorrt: graph {name}: address of {tensor} refused")
        return context

    def __del__(self) -> None:
        """Give the memory back; pycuda can do so only in the context that it is from."""
        with self._gpu.current():
            # No variable may hold a stage beyond this block.
            self._forget_recorded()
            self.stages, self.buffers, self.hosts = {}, {}, {}

    def _forget_recorded(self) -> None:
        for stage in self.stages.values():
            for recorded in stage.recorded.values():
                recorded.close()

    def record(self, driver: Any) -> None:
        """Record the launch of each stage at each size, where the driver can.

        What runs once beforehand writes caches; a new state's first frame is dense, so that it
        doesn't matter.
        """
        for stage in self.stages.values():
            for size in stage.contexts:
                if stage.index_host is not None:
                    stage.index_host[:size] = np.arange(size)
                    self._gpu.upload(stage.index, stage.index_host)
                # TensorRT allocates in its first run after a change of shapes.
                stage.enqueue(size, self._gpu)
                self._gpu.wait()
                try:
                    stage.recorded[size] = RecordedLaunch(
                        driver, self._gpu.stream.handle, partial(stage.enqueue, size, self._gpu)
                    )
                except CaptureError as error:
                    _LOG.warning(
                        "tensorrt: graph %s at %d rows is launched call by call: %s",
                        stage.graph.name,
                        size,
                        error,
                    )


def _holds(buffer: Buffer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Return whether a tensor fits a buffer: of one type, and no larger in its first dimension."""
    return (
        buffer.dtype == dtype
        and len(shape) == len(buffer.shape)
        and shape[1:] == buffer.shape[1:]
        and 0 < shape[0] <= buffer.shape[0]
    )
