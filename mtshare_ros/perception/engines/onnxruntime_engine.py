"""The ONNX Runtime engine: every cache resident, updated in place.

A cache's input and output are bound to one buffer, so its ScatterND writes the dirty rows and
copies nothing. ONNX Runtime does not know of the alias; it is safe because a cache input's only
consumer is its own ScatterND (the tests hold every exported graph to that). A call that fails half
way leaves a half-written cache: the stream drops its state then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import BundleError, GraphSpec, Manifest, TensorSpec
from mtshare_ros.perception.engines.interface import EngineError, EngineOutput

_NUMPY = {"float32": np.float32, "int64": np.int64}
_ORT = {"tensor(float)": "float32", "tensor(int64)": "int64"}


def open_session(path: Path, threads: int) -> ort.InferenceSession:
    """Open a graph on the CPU, with the options that several sessions in one process need.

    Idle sessions' threads would go on spinning on the cores that the next session needs; forced
    to stop they don't, and a running session still gains from spinning.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class OnnxRuntimeState:
    """One stream's caches, intermediate tensors and bindings."""

    def __init__(self, manifest: Manifest, sessions: Mapping[str, ort.InferenceSession]) -> None:
        """Allocate every cache and output of ``manifest`` and bind them."""
        self.tensors: dict[str, ort.OrtValue] = {}
        self.arrays: dict[str, NDArray[Any]] = {}
        self.bindings: dict[str, Any] = {}
        for name, graph in manifest.graphs.items():
            cached = set(graph.state.values())
            for tensor in graph.inputs:
                if tensor.name in graph.state:
                    self._allocate(f"{name}.{tensor.name}", tensor)
            for tensor in graph.outputs:
                if tensor.name not in cached:
                    self._allocate(f"{name}.{tensor.name}", tensor)
        for name, graph in manifest.graphs.items():
            self.bindings[name] = self._bind(name, graph, sessions[name])

    def _allocate(self, key: str, tensor: TensorSpec) -> None:
        array = np.zeros([n or 0 for n in tensor.shape], _NUMPY[tensor.dtype])
        # On the CPU the OrtValue is a view of the array, which we keep.
        self.arrays[key] = array
        self.tensors[key] = ort.OrtValue.ortvalue_from_numpy(array)

    def _bind(self, name: str, graph: GraphSpec, session: ort.InferenceSession) -> Any:
        binding = session.io_binding()
        for source, target in graph.state.items():
            cache = self.tensors[f"{name}.{source}"]
            binding.bind_ortvalue_input(source, cache)
            binding.bind_ortvalue_output(target, cache)
        for source, origin in graph.reads.items():
            binding.bind_ortvalue_input(source, self.tensors[origin])
        cached = set(graph.state.values())
        for tensor in graph.outputs:
            if tensor.name not in cached:
                binding.bind_ortvalue_output(tensor.name, self.tensors[f"{name}.{tensor.name}"])
        return binding


class OnnxRuntimeEngine:
    """A bundle opened in ONNX Runtime on the CPU."""

    name = "onnxruntime"
    precision = "fp32"
    sizes: tuple[int, ...] = ()

    def __init__(self, folder: Path, manifest: Manifest, threads: int = 2) -> None:
        """Open every graph of ``folder``.

        Args:
            folder: The bundle.
            manifest: Its manifest, files verified.
            threads: Threads of a computation.

        Raises:
            BundleError: A graph does not load, or its inputs and outputs are not the manifest's.
        """
        self.manifest = manifest
        self._sessions = {
            name: _open(folder / graph.file, graph, threads)
            for name, graph in manifest.graphs.items()
        }

    def new_state(self) -> OnnxRuntimeState:
        """Return empty caches for one stream."""
        return OnnxRuntimeState(self.manifest, self._sessions)

    def run(
        self,
        state: OnnxRuntimeState,
        image: NDArray[np.float32],
        base_index: NDArray[np.int64],
        task_index: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        """Compute one frame; see ``Engine.run``."""
        milliseconds: dict[str, float] = {}

        def call(graph: str, **inputs: NDArray[Any]) -> None:
            start = time.perf_counter()
            binding = state.bindings[graph]
            for name, array in inputs.items():
                binding.bind_cpu_input(name, array)
            try:
                self._sessions[graph].run_with_iobinding(binding)
            except Exception as error:  # ONNX Runtime raises bare classes of its own
                raise EngineError(f"onnxruntime: graph {graph}: {error}") from error
            milliseconds[graph] = (time.perf_counter() - start) * 1e3

        call("stem", image=image)
        call("base", index=base_index)
        for task, index in task_index.items():
            call(task, index=index)
        raw = {task: state.arrays[f"{task}.raw"][0] for task in task_index}
        return EngineOutput(raw, milliseconds)


def _open(path: Path, graph: GraphSpec, threads: int) -> ort.InferenceSession:
    """Open one graph and hold its inputs and outputs against the manifest."""
    try:
        session = open_session(path, threads)
    except Exception as error:  # ONNX Runtime raises bare classes of its own
        raise BundleError(f"{path}: ONNX Runtime can't load it: {error}") from error
    for kind, found, expected in (
        ("inputs", session.get_inputs(), graph.inputs),
        ("outputs", session.get_outputs(), graph.outputs),
    ):
        seen = [
            TensorSpec(
                t.name,
                _ORT.get(t.type, t.type),
                tuple(n if isinstance(n, int) else None for n in t.shape),
            )
            for t in found
        ]
        if seen != list(expected):
            raise BundleError(f"{path}: {kind} are {seen}, the manifest says {list(expected)}")
    return session
