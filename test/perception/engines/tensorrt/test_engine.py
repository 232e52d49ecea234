"""The TensorRT engine on what stands in for TensorRT and CUDA: frames, failures, memory."""

from __future__ import annotations

import gc
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.onnxruntime_engine import OnnxRuntimeEngine
from mtshare_ros.perception.engines.selftest import relative_difference
from mtshare_ros.perception.engines.tensorrt.engine_files import EngineFiles
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from support.standins.device import Device
from support.standins.open_bundle import open_bundle

BOUND = 1e-4


TASKS = ("normals", "depth", "segmentation")


def _frame(engine: Any, state: Any, seed: int, rows: list[int], tasks: tuple = TASKS) -> dict:
    spec = engine.manifest.input
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(1, 3, spec.height, spec.width)).astype(np.float32)
    index = np.array(rows, np.int64)
    output = engine.run(state, image, index, {task: index for task in tasks})
    return {task: np.array(raw) for task, raw in output.raw.items()}


def _caches(engine: Any, state: Any) -> dict[str, bytes]:
    from support.standins.device import DEVICE

    engine._gpu.stream._queue.run()
    names = [f"{g}.{c}" for g, spec in engine.manifest.graphs.items() for c in spec.state]
    return {n: DEVICE.allocations[int(state.buffers[n].memory)].tobytes() for n in names}


def _open_state_and_run(engine: Any) -> None:
    _frame(engine, engine.new_state(), 0, [1])


def test_a_frame_that_fails_leaves_no_trace(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    reference = OnnxRuntimeEngine(bundle_path, engine.manifest, threads=1)
    state, expected_state = engine.new_state(), reference.new_state()
    everything = list(range(engine.manifest.input.rows))
    for each, its_state in ((engine, state), (reference, expected_state)):
        _frame(each, its_state, 0, everything)
    before = _caches(engine, state)
    device.faults.refuse_graph = "segmentation"
    state.stages["segmentation"].recorded.clear()  # a recorded launch would not ask
    with pytest.raises(EngineError, match="segmentation"):
        _frame(engine, state, 1, [3, 4, 5, 9])
    assert _caches(engine, state) == before
    device.faults.refuse_graph = None
    found = _frame(engine, state, 2, [7])
    expected = _frame(reference, expected_state, 2, [7])
    for task in TASKS:
        assert relative_difference(found[task], expected[task]) < BOUND


def test_only_dirty_rows_are_written(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    state = engine.new_state()
    rows = engine.manifest.input.rows
    _frame(engine, state, 0, list(range(rows)))
    before = _caches(engine, state)
    _frame(engine, state, 1, [2, 11, 12, 40])
    for name, content in _caches(engine, state).items():
        old, new = (np.frombuffer(c, np.uint8).reshape(rows, -1) for c in (before[name], content))
        changed = set(np.flatnonzero((old != new).any(axis=1)).tolist())
        assert changed == {2, 11, 12, 40}, name


def test_a_sub_task_catches_up_on_rows_of_its_own(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    reference = OnnxRuntimeEngine(bundle_path, engine.manifest, threads=1)
    results = []
    for each in (engine, reference):
        state = each.new_state()
        _frame(each, state, 0, list(range(engine.manifest.input.rows)))
        _frame(each, state, 1, [1, 2, 3], ("normals",))
        spec = engine.manifest.input
        image = np.ones((1, 3, spec.height, spec.width), np.float32)
        base, own = np.array([5, 6]), np.array([1, 2, 3, 5, 6])
        output = each.run(state, image, base, {"depth": own})
        assert set(output.milliseconds) == {"stem", "base", "depth"}
        results.append(np.array(output.raw["depth"]))
    assert relative_difference(*results) < BOUND


def test_a_stream_gives_the_same_as_in_onnx_runtime(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    """Both are told to compute at the same sizes, so that they compute the same tokens."""
    engine = open_bundle(bundle_path, kept_files).engine
    reference = OnnxRuntimeEngine(bundle_path, engine.manifest, threads=1)
    reference.sizes = engine.sizes
    settings = StreamSettings(max_age=7)
    streams = [PerceptionStream(e, settings) for e in (engine, reference)]
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)
    for frame in range(6):
        image = image.copy()
        row, column = 16 * rng.integers(6), 16 * rng.integers(8)
        image[row : row + 20, column : column + 20] ^= 64
        wanted = TASKS if frame % 3 else ("depth",)
        found, expected = (s.step(image, frame * 33_000_000, wanted) for s in streams)
        assert np.array_equal(found.dirty, expected.dirty)
        assert np.nanmax(np.abs(found.maps["depth"] - expected.maps["depth"])) < 1e-2
        assert frame == 0 or not found.dirty.all()


def test_two_streams_share_an_engine_from_threads_of_their_own(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    alone = {}
    for seed in (1, 2):
        state = engine.new_state()
        alone[seed] = [_frame(engine, state, seed + n, list(range(48))) for n in range(3)]
    together: dict[int, Any] = {}

    def work(seed: int) -> None:
        state = engine.new_state()
        together[seed] = [_frame(engine, state, seed + n, list(range(48))) for n in range(3)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (1, 2):
        for found, expected in zip(together[seed], alone[seed], strict=True):
            for task in TASKS:
                assert np.array_equal(found[task], expected[task])
    assert not device.stack()  # whoever pushes a context pops it


def test_all_memory_is_given_back(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    state = engine.new_state()
    done = threading.Thread(target=_open_state_and_run, args=(engine,))
    done.start()
    done.join()
    del state, engine, done
    gc.collect()
    assert not device.allocations and device.leaks == 0


def test_launches_are_recorded_once_and_replayed(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    state = engine.new_state()
    recordings = len(device.graphs)
    device.log.clear()
    _frame(engine, state, 0, list(range(48)))
    _frame(engine, state, 1, [4])
    assert device.log.count("replay") == 10 and len(device.graphs) == recordings


def test_where_launches_cannot_be_recorded_they_are_made_call_by_call(
    device: Device, bundle_path: Path, kept_files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    device.faults.refuse_capture = True
    engine = open_bundle(bundle_path, kept_files).engine  # the self-test is part of it
    _frame(engine, engine.new_state(), 0, [0, 1])
    assert device.log.count("replay") == 0
    assert "call by call" in caplog.text


def test_too_little_memory_is_said_with_numbers(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    device.faults.memory = sum(a.nbytes for a in device.allocations.values()) + 100_000
    with pytest.raises(EngineError, match=r"GPU memory: .* MB wanted, .* MB free"):
        engine.new_state()
    device.faults.memory = 1 << 32
    _frame(engine, engine.new_state(), 0, [0])


@pytest.mark.parametrize(
    ("index", "what"),
    [([-1, 2], "within 0"), ([0, 48], "within 0"), ([3, 3], "ascending"), ([], "1 to 48")],
)
def test_an_index_beyond_the_caches_is_refused_before_it_reaches_the_gpu(
    device: Device, bundle_path: Path, kept_files: EngineFiles, index: list[int], what: str
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    with pytest.raises(EngineError, match=what):
        _frame(engine, engine.new_state(), 0, index)


def test_an_image_of_another_size_or_type_is_refused(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    state, index = engine.new_state(), np.array([0])
    for image in (np.zeros((1, 3, 96, 120), np.float32), np.zeros((1, 3, 96, 128))):
        with pytest.raises(EngineError, match=r"image: found .* expected"):
            engine.run(state, image, index, {"normals": index})


def test_stage_times_are_the_stream_s(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    spec, index = engine.manifest.input, np.array([0, 1])
    image = np.zeros((1, 3, spec.height, spec.width), np.float32)
    output = engine.run(engine.new_state(), image, index, {"depth": index})
    assert list(output.milliseconds) == ["stem", "base", "depth"]
    assert all(value > 0 for value in output.milliseconds.values())


def test_fp16_that_fails_the_self_test_is_replaced_by_fp32(
    device: Device, bundle_path: Path, kept_files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    assert open_bundle(bundle_path, kept_files, "fp16").engine.precision == "fp16"
    device.faults.wrong_half = True
    opened = open_bundle(bundle_path, kept_files, "fp16")
    assert opened.engine.precision == "fp32" and opened.difference < 1
    assert "fp16 is not used" in caplog.text


@pytest.mark.parametrize("size", [3, 6, 12, 24, 48])
def test_wrong_values_at_any_one_size_fail_the_self_test(
    device: Device, bundle_path: Path, kept_files: EngineFiles, size: int
) -> None:
    device.faults.wrong_single, device.faults.wrong_size = True, size
    with pytest.raises(EngineError, match="self-test"):
        open_bundle(bundle_path, kept_files)


def test_fp32_is_not_computed_as_tf32(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    assert not any(g.engine._header["tf32"] for g in engine._graphs.values())


def test_messages_of_tensorrt_reach_the_log(
    device: Device, bundle_path: Path, files: EngineFiles, caplog: pytest.LogCaptureFixture
) -> None:
    device.faults.out_of_memory_while_building = True
    with caplog.at_level(logging.ERROR), pytest.raises(EngineError):
        open_bundle(bundle_path, files)
    assert "OutOfMemory" in caplog.text


@pytest.mark.parametrize("place", ["upload", "download", "exchange_rows", "wait"])
def test_an_error_of_cuda_on_the_way_is_one_of_the_engine_and_leaves_no_trace(
    device: Device, bundle_path: Path, kept_files: EngineFiles, monkeypatch: Any, place: str
) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import CudaError, Gpu

    engine = open_bundle(bundle_path, kept_files).engine
    state = engine.new_state()
    _frame(engine, state, 0, list(range(engine.manifest.input.rows)))
    before = _caches(engine, state)
    for stage in state.stages.values():
        stage.recorded.clear()  # a recorded launch makes no calls

    def refuse(*_: Any) -> None:
        patch.undo()  # once: what comes after is the way back
        raise CudaError("unspecified launch failure")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gpu, place, refuse)
        with pytest.raises(EngineError, match="^tensorrt: unspecified launch failure"):
            _frame(engine, state, 1, [3, 4, 5, 9])
    if place != "exchange_rows":
        assert _caches(engine, state) == before


def test_a_recorded_launch_that_the_driver_refuses_is_an_error_of_the_engine(
    device: Device, bundle_path: Path, kept_files: EngineFiles, monkeypatch: Any
) -> None:
    from mtshare_ros.perception.engines.tensorrt.cuda_graph import CaptureError

    engine = open_bundle(bundle_path, kept_files).engine
    state = engine.new_state()
    _frame(engine, state, 0, list(range(engine.manifest.input.rows)))
    before = _caches(engine, state)

    def refuse() -> None:
        raise CaptureError("cuGraphLaunch: error 719 of the CUDA driver")

    monkeypatch.setattr(state.stages["depth"].recorded[6], "launch", refuse)
    with pytest.raises(EngineError, match="^tensorrt: cuGraphLaunch: error 719"):
        _frame(engine, state, 1, [3, 4, 5, 9])
    assert _caches(engine, state) == before


def test_an_error_of_cuda_while_a_state_is_made_is_one_of_the_engine(
    device: Device, bundle_path: Path, kept_files: EngineFiles, monkeypatch: Any
) -> None:
    from mtshare_ros.perception.engines.tensorrt.gpu import CudaError, Gpu

    engine = open_bundle(bundle_path, kept_files).engine

    def refuse(*_: Any) -> None:
        raise CudaError("invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(Gpu, "upload", refuse)
        with pytest.raises(EngineError, match="^tensorrt: invalid argument"):
            engine.new_state()


def test_an_engine_from_a_size_on_computes_no_fewer_rows(
    device: Device, bundle_path: Path, kept_files: EngineFiles
) -> None:
    engine = open_bundle(bundle_path, kept_files).engine
    larger = engine.from_size(12)
    assert engine.sizes == (3, 6, 12, 24, 48) and larger.sizes == (12, 24, 48)
    states = [engine.new_state() for _ in range(2)]
    for rows in (list(range(48)), [7], [1, 2, 3, 4]):
        found, expected = (
            _frame(each, state, 1, rows)
            for each, state in zip((larger, engine), states, strict=True)
        )
        for task in TASKS:
            assert relative_difference(found[task], expected[task]) < BOUND
