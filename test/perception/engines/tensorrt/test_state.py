"""A stream's memory on the GPU: its table of caches, its recordings, what is refused."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles
from support.standins.device import Device
from support.standins.open_bundle import open_bundle

SIZES = {3, 6, 12, 24, 48}


@pytest.fixture
def trt_engine(
    device: Device, bundle_path: Path, kept_files: EngineFiles, monkeypatch: pytest.MonkeyPatch
) -> Any:
    """An engine that is opened without its self-test, which takes most of the time."""
    from mtshare_ros.perception.engines.tensorrt import opening

    monkeypatch.setattr(opening, "run_selftest", lambda *_: 0.0)
    return open_bundle(bundle_path, kept_files).engine


def test_a_state_knows_where_its_caches_are_and_gives_its_recordings_back(
    device: Device, trt_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mtshare_ros.perception.engines.tensorrt.cuda_graph import RecordedLaunch

    state = trt_engine.new_state()
    base, caches = state.stages["base"], list(trt_engine.manifest.graphs["base"].state)
    table = device.bytes_at(int(base.table), 24 * len(caches)).view(np.uint64).reshape(-1, 3)
    for entry, cache in zip(table.tolist(), caches, strict=True):
        rows, kept = (state.buffers[f"base.{cache}{end}"] for end in ("_rows", ""))
        words = kept.shape[1] * kept.dtype.itemsize // 4
        assert entry == [int(rows.memory), int(kept.memory), words]
    assert set(base.recorded) == SIZES and set(state.stages["stem"].recorded) == {0}
    index = device.bytes_at(int(base.index), 8 * 48).view(np.int64)
    assert index.tolist() == list(range(48)) == base.index_host.tolist()
    recordings = [r for stage in state.stages.values() for r in stage.recorded.values()]
    closed: list[Any] = []
    monkeypatch.setattr(RecordedLaunch, "close", lambda self: closed.append(self))
    del state, base
    gc.collect()
    assert len(closed) == len(recordings) > 5 and set(closed) == set(recordings)


def test_what_a_state_can_not_be_made_of_is_an_error_that_names_the_graph(
    trt_engine: Any,
) -> None:
    from mtshare_ros.perception.engines.tensorrt import state
    from support.standins.fake_tensorrt import ICudaEngine, IExecutionContext

    for place, name, value, says in (
        (state, "_WORD", 7, "graph base: cache .*: odd row size"),
        (ICudaEngine, "create_execution_context", lambda *_: None, "stem: no execution context"),
        (IExecutionContext, "infer_shapes", lambda _: ["x"], r"graph stem: no shape for \['x'\]"),
        (IExecutionContext, "set_input_shape", lambda *_: False, "base: 3 rows are refused"),
        (IExecutionContext, "set_tensor_address", lambda *_: False, "stem: address of .* refused"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, name, value)
            with pytest.raises(EngineError, match=says) as caught:
                trt_engine.new_state()
        # What is still on the stream belongs to memory that goes with the error.
        trt_engine._gpu.stream._queue.run()
        del caught


@pytest.mark.parametrize(
    ("shape", "dtype", "holds"),
    [
        ((48, 4), np.float32, True),
        ((3, 4), np.float32, True),
        ((49, 4), np.float32, False),
        ((0, 4), np.float32, False),
        ((-1, 4), np.float32, False),
        ((48, 5), np.float32, False),
        ((48,), np.float32, False),
        ((48, 4), np.float16, False),
    ],
)
def test_a_buffer_holds_as_many_rows_of_its_type_as_it_has(
    device: Device, shape: tuple[int, ...], dtype: Any, holds: bool
) -> None:
    from mtshare_ros.perception.engines.tensorrt.stage import Buffer
    from mtshare_ros.perception.engines.tensorrt.state import _holds

    buffer = Buffer(None, (48, 4), np.dtype(np.float32))
    assert _holds(buffer, shape, np.dtype(dtype)) == holds
