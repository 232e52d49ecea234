"""The TensorRT engine: caches stay on the GPU, rows are committed when a frame has succeeded.

Importing this needs tensorrt and pycuda; engines are compiled beforehand (``opening.py``).
Each graph's launch is followed by the exchange of its computed rows with those of its caches, in
the order of one stream. When a later graph of the frame refuses, the exchange is made again, which
undoes it: a frame that failed leaves no trace.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.interface import EngineError, EngineOutput
from mtshare_ros.perception.engines.sizes import check_index, fill_rows, next_size, static_sizes
from mtshare_ros.perception.engines.tensorrt import cuda_graph
from mtshare_ros.perception.engines.tensorrt.build import TensorRTLog
from mtshare_ros.perception.engines.tensorrt.gpu import CudaError, Gpu
from mtshare_ros.perception.engines.tensorrt.stage import Buffer, CompiledGraph, Stage
from mtshare_ros.perception.engines.tensorrt.state import TensorRTState

_LOG = logging.getLogger(__name__)


class TensorRTEngine:
    """A bundle opened in TensorRT on the first GPU.

    Attributes:
        sizes: Numbers of rows that a frame is computed at.
        precision: ``fp32`` or ``fp16``.
    """

    name = "tensorrt"

    def __init__(
        self, manifest: Manifest, plans: Mapping[str, bytes], precision: str, gpu: Gpu
    ) -> None:
        """Load compiled engines.

        Args:
            manifest: The bundle's manifest.
            plans: Graph -> serialised engine, made on this machine.
            precision: What they were compiled for.
            gpu: The GPU.

        Raises:
            EngineError: TensorRT does not take an engine.
        """
        self.manifest, self.precision, self._gpu = manifest, precision, gpu
        self.sizes = static_sizes(manifest.input)
        self._lock = threading.Lock()  # the streams share contexts' scratch memory
        self._log = TensorRTLog()
        self._driver = _driver_or_none()
        with gpu.current():
            runtime = trt.Runtime(self._log)
            self._graphs = {
                name: self._load(name, runtime.deserialize_cuda_engine(plan))
                for name, plan in plans.items()
            }
            self._runtime = runtime
            needed = max(g.engine.device_memory_size_v2 for g in self._graphs.values())
            self._scratch = Buffer(gpu.allocate(needed), (needed,), np.dtype(np.uint8))
            gpu.wait()

    def _load(self, name: str, engine: Any) -> CompiledGraph:
        if engine is None:
            raise EngineError(f"tensorrt: engine {name} not loaded: {self._log.last_error}")
        tensors = [engine.get_tensor_name(n) for n in range(engine.num_io_tensors)]
        return CompiledGraph(
            name,
            self.manifest.graphs[name],
            engine,
            {t: np.dtype(trt.nptype(engine.get_tensor_dtype(t))) for t in tensors},
            frozenset(t for t in tensors if engine.get_tensor_mode(t) == trt.TensorIOMode.INPUT),
        )

    def __del__(self) -> None:
        """Give the memory back; pycuda can do so only in the context that it is from."""
        with self._gpu.current():
            for name in ("_graphs", "_scratch", "_runtime"):  # whatever there is already
                self.__dict__.pop(name, None)

    def from_size(self, size: int) -> TensorRTEngine:
        """Return this engine, computing every frame at ``size`` rows or more."""
        other = copy.copy(self)
        other.sizes = tuple(n for n in self.sizes if n >= size)
        return other

    def new_state(self) -> TensorRTState:
        """Return empty caches for one stream; see ``Engine.new_state``.

        Raises:
            EngineError: There is not enough memory.
        """
        with self._lock, self._gpu.current():
            try:
                state = TensorRTState(self.manifest, self._graphs, self._scratch, self._gpu)
                if self._driver is not None:
                    state.record(self._driver)
            except CudaError as error:
                raise EngineError(f"tensorrt: {error}") from error
            return state

    def run(
        self,
        state: TensorRTState,
        image: NDArray[np.float32],
        base_index: NDArray[np.int64],
        task_index: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        """Compute one frame; see ``Engine.run``. If it fails, the caches are as before it."""
        spec = self.manifest.input
        if image.shape != (1, 3, spec.height, spec.width) or image.dtype != np.float32:
            raise EngineError(
                f"tensorrt: image: found {image.shape} {image.dtype}, expected "
                f"(1, 3, {spec.height}, {spec.width}) float32"
            )
        indices = {"base": base_index, **task_index}
        try:
            for name, index in indices.items():
                check_index(name, index, spec.rows)
        except ValueError as error:
            raise EngineError(f"tensorrt: {error}") from error
        with self._lock, self._gpu.current():
            return self._frame(state, image, indices)

    def _frame(
        self,
        state: TensorRTState,
        image: NDArray[np.float32],
        indices: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        gpu, done = self._gpu, []
        try:
            np.copyto(state.hosts["stem.image"], image)
            gpu.upload(state.buffers["stem.image"].memory, state.hosts["stem.image"])
            for name in ("stem", *indices):
                stage, size = state.stages[name], 0
                if name in indices:
                    size = next_size(len(indices[name]), self.sizes)
                    assert stage.index_host is not None
                    stage.index_host[:size] = fill_rows(indices[name], size)
                    gpu.upload(stage.index, stage.index_host)
                stage.launch(size, gpu)
                done.append((stage, size))
            tasks = [name for name in indices if name != "base"]
            for task in tasks:
                gpu.download(state.hosts[f"{task}.raw"], state.buffers[f"{task}.raw"].memory)
            gpu.wait()
        except (CudaError, cuda_graph.CaptureError, EngineError) as error:
            self._undo(done)
            raise EngineError(f"tensorrt: {error}") from error
        return EngineOutput(
            {task: state.hosts[f"{task}.raw"][0] for task in tasks},
            {s.graph.name: float(s.started.time_till(s.ended)) for s, _ in done},
        )

    def _undo(self, done: list[tuple[Stage, int]]) -> None:
        """Take back what the stages of a failed frame committed."""
        try:
            for stage, size in reversed(done):
                stage.exchange(size, self._gpu)
            self._gpu.wait()
        except CudaError as error:
            # After some errors a GPU takes nothing more until the process ends.
            _LOG.error("tensorrt: caches not restored: %s", error)


def _driver_or_none() -> Any:
    try:
        return cuda_graph.driver_library()
    except cuda_graph.CaptureError as error:
        _LOG.warning("tensorrt: launches are not recorded: %s", error)
        return None
