"""Mistakes that a TensorRT backend can make are seen by what stands in for TensorRT.

Each test breaks the backend in one way that the real libraries answer with wrong values, a crash
or nothing at all, and holds the stand-ins to noticing it: else the tests of the backend would
prove nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles
from support.standins.device import Device, Fault
from support.standins.open_bundle import open_bundle

ANY = (Fault, EngineError, AssertionError, Exception)


def _alias(patch: pytest.MonkeyPatch) -> None:
    """Rows go straight into the cache that they are computed from."""
    from mtshare_ros.perception.engines.tensorrt.stage import CompiledGraph

    origin = CompiledGraph.origin
    patch.setattr(CompiledGraph, "origin", lambda g, t: origin(g, t.removesuffix("_rows")))


def _no_address(patch: pytest.MonkeyPatch) -> None:
    from support.standins.fake_tensorrt import IExecutionContext

    kept = IExecutionContext.set_tensor_address
    patch.setattr(
        IExecutionContext,
        "set_tensor_address",
        lambda c, name, memory: name == "tokens" or kept(c, name, memory),
    )


def _wrong_profile(patch: pytest.MonkeyPatch) -> None:
    from mtshare_ros.perception.engines.tensorrt.state import TensorRTState

    kept = TensorRTState._context
    patch.setattr(TensorRTState, "_context", lambda s, g, n, size, m: kept(s, g, 0, size, m))


def _believe_half(patch: pytest.MonkeyPatch, graph: str, tensor: str) -> None:
    """Take an fp32 tensor of a graph for fp16."""
    from mtshare_ros.perception.engines.tensorrt.engine import TensorRTEngine

    kept = TensorRTEngine._load

    def load(self: Any, name: str, engine: Any) -> Any:
        compiled = kept(self, name, engine)
        if name == graph:
            compiled.dtypes[tensor] = np.dtype(np.float16)
        return compiled

    patch.setattr(TensorRTEngine, "_load", load)


def _wrong_dtype_between_graphs(patch: pytest.MonkeyPatch) -> None:
    _believe_half(patch, "stem", "tokens")


def _wrong_dtype_of_an_output(patch: pytest.MonkeyPatch) -> None:
    _believe_half(patch, "depth", "raw")


def _no_context(patch: pytest.MonkeyPatch) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    patch.setattr(Gpu, "current", lambda self: nullcontext())


def _no_waiting(patch: pytest.MonkeyPatch) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    patch.setattr(Gpu, "wait", lambda self: None)


def _no_commit(patch: pytest.MonkeyPatch) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    patch.setattr(Gpu, "exchange_rows", lambda *a: None)


def _pageable(patch: pytest.MonkeyPatch) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    patch.setattr(Gpu, "staging", lambda self, shape, dtype: np.empty(shape, dtype))


def _no_scratch(patch: pytest.MonkeyPatch) -> None:
    from support.standins.fake_tensorrt import IExecutionContext

    patch.setattr(IExecutionContext, "set_device_memory", lambda *a: None)


def _hints_for_types(patch: pytest.MonkeyPatch) -> None:
    from support.standins.fake_tensorrt import Builder

    kept = Builder.create_network
    patch.setattr(Builder, "create_network", lambda self, flags=0: kept(self, 0))


@pytest.mark.parametrize(
    ("mistake", "noticed"),
    [
        (_alias, "share memory"),
        (_no_address, "no address for tokens"),
        (_wrong_profile, "rows are refused"),
        (_wrong_dtype_between_graphs, "tensor tokens is .* float32, the bundle's memory"),
        (_wrong_dtype_of_an_output, "beyond the end"),
        (_no_context, "invalid device context"),
        (_no_waiting, "device not ready|self-test"),
        (_no_commit, "self-test"),
        (_pageable, "not page-locked"),
        (_no_scratch, "no device memory"),
    ],
)
def test_a_mistake_in_running_is_noticed(
    device: Device,
    bundle_path: Path,
    kept_files: EngineFiles,
    monkeypatch: pytest.MonkeyPatch,
    mistake: Callable[[pytest.MonkeyPatch], None],
    noticed: str,
) -> None:
    mistake(monkeypatch)
    with pytest.raises(ANY, match=noticed):
        open_bundle(bundle_path, kept_files)


def test_types_as_mere_hints_are_noticed_while_building(
    device: Device, bundle_path: Path, files: EngineFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    _hints_for_types(monkeypatch)
    with pytest.raises(EngineError, match="strongly typed"):
        open_bundle(bundle_path, files)


def test_a_context_is_of_the_thread_that_pushed_it(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    gpu, errors = Gpu(), []

    def work() -> None:
        try:
            gpu.allocate(16)
        except Exception as error:
            errors.append(str(error))

    with gpu.current():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        gpu.allocate(16)
    assert len(errors) == 1 and "invalid device context" in errors[0]


def test_host_memory_holds_nothing_before_the_stream_was_waited_for(device: Device) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import Gpu

    gpu = Gpu()
    with gpu.current():
        source, target = gpu.staging((4,), np.float32), gpu.staging((4,), np.float32)
        source[:] = 7
        memory = gpu.allocate(16)
        gpu.upload(memory, source)
        gpu.download(target, memory)
        assert (target != 7).all()
        gpu.wait()
        assert (target == 7).all()
