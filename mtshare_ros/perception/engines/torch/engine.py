"""The torch engine for bundles, on a GPU or the CPU. Importing this needs torch and onnx.

It runs the same derived graphs as TensorRT does: on a machine with a GPU and no TensorRT it is
what serves, and wherever there is a GPU it shows that the graphs are right there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.perception.engines.derived_graphs import derive_graphs
from mtshare_ros.perception.engines.interface import EngineError, EngineOutput
from mtshare_ros.perception.engines.selftest import load_selftest, open_with_fallback, run_selftest
from mtshare_ros.perception.engines.sizes import check_index, fill_rows, next_size, static_sizes
from mtshare_ros.perception.engines.torch.graph_runner import TorchGraph
from mtshare_ros.perception.engines.torch.state import TorchBundleState


def open_torch(
    folder: Path, manifest: Manifest, threads: int, precision: str
) -> TorchBundleEngine:
    """Open a bundle on the first GPU that torch can use, else on the CPU, and try it.

    Raises:
        BundleError: The bundle can't be used.
        EngineError: The self-test is not reproduced, in fp32 if fp16 failed it.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        torch.set_num_threads(threads)
        precision = "fp32"

    def open_in(precision: str) -> TorchBundleEngine:
        engine = TorchBundleEngine(folder, manifest, device, precision)
        run_selftest(engine, load_selftest(folder, manifest))
        return engine

    return open_with_fallback(precision, open_in)


class TorchBundleEngine:
    """A bundle opened in torch.

    Attributes:
        sizes: Numbers of rows that are recorded on a GPU; on the CPU any number is computed.
        precision: ``fp32`` or ``fp16``; on the CPU always fp32.
    """

    name = "torch"

    def __init__(
        self, folder: Path, manifest: Manifest, device: torch.device, precision: str
    ) -> None:
        """Load every graph of ``folder`` onto ``device``.

        Raises:
            BundleError: Graphs can't be derived from the bundle's.
        """
        self.manifest, self._device = manifest, device
        on_gpu = device.type == "cuda"
        self.precision = precision if on_gpu else "fp32"
        self.sizes = static_sizes(manifest.input) if on_gpu else ()
        self._lock = threading.Lock()
        self._graphs = {
            name: TorchGraph(onnx.load_from_string(model), device)
            for name, model in derive_graphs(folder, manifest, self.precision)
        }

    @torch.no_grad()
    def new_state(self) -> TorchBundleState:
        """Return empty caches for one stream; on a GPU its launches are recorded."""
        with self._lock, _exact():
            state = TorchBundleState(self.manifest, self._graphs, self._device)
            if self._device.type == "cuda":
                state.record(self.sizes, lambda name: "index" in self._graphs[name].inputs)
            return state

    @torch.no_grad()
    def run(
        self,
        state: TorchBundleState,
        image: NDArray[np.float32],
        base_index: NDArray[np.int64],
        task_index: Mapping[str, NDArray[np.int64]],
    ) -> EngineOutput:
        """Compute one frame; see ``Engine.run``. If it fails, the caches are as before it."""
        indices = {"base": base_index, **task_index}
        marks, done = [self._mark()], []
        with self._lock, _exact():
            try:
                for name, index in indices.items():
                    check_index(name, index, self.manifest.input.rows)
                self._upload(state, "stem.image", image)
                for name in ("stem", *indices):
                    size = self._send_index(state, name, indices[name]) if name in indices else 0
                    state.stages[name].run(size)
                    done.append((name, size))
                    marks.append(self._mark())
                for task in task_index:
                    raw = f"{task}.raw"
                    state.hosts[raw].copy_(state.tensors[raw], non_blocking=True)
                if self._device.type == "cuda":
                    torch.cuda.current_stream().synchronize()
            except (RuntimeError, ValueError) as error:
                for name, size in reversed(done):
                    state.stages[name].undo(size)
                raise EngineError(f"torch: {error}") from error
        raw_maps = {task: state.hosts[f"{task}.raw"][0].numpy() for task in task_index}
        return EngineOutput(raw_maps, _times([name for name, _ in done], marks))

    def _send_index(self, state: TorchBundleState, name: str, index: NDArray[np.int64]) -> int:
        """Upload the rows of a graph and return how many are computed."""
        size = next_size(len(index), self.sizes) if self.sizes else len(index)
        full = np.zeros(self.manifest.input.rows, np.int64)
        full[:size] = fill_rows(index, size)
        self._upload(state, f"{name}.index", full)
        return size

    def _upload(self, state: TorchBundleState, key: str, array: NDArray[Any]) -> None:
        host = state.hosts[key]
        if array.shape != tuple(host.shape):
            raise ValueError(f"{key}: found {array.shape}, expected {tuple(host.shape)}")
        host.copy_(torch.from_numpy(array))
        state.tensors[key].copy_(host, non_blocking=True)

    def _mark(self) -> Any:
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event


def _times(names: list[str], marks: list[Any]) -> dict[str, float]:
    """Return the milliseconds between the marks before and after each stage."""
    times = {}
    for name, before, after in zip(names, marks, marks[1:], strict=False):
        if isinstance(before, float):
            times[name] = 1e3 * (after - before)
        else:
            times[name] = float(before.elapsed_time(after))
    return times


@contextmanager
def _exact() -> Iterator[None]:
    """Compute fp32 as fp32: by default torch's convolutions on a GPU use TF32."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
