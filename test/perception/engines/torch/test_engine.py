"""The torch engine for bundles: its operators, its commits, and a GPU where there is one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.engines.interface import EngineError
from mtshare_ros.perception.engines.selftest import (
    half_difference,
    load_selftest,
    relative_difference,
)
from mtshare_ros.perception.engines.torch.engine import TorchBundleEngine
from mtshare_ros.perception.frame import normalise

CPU = torch.device("cpu")


def test_a_bundle_opens_in_torch(bundle_path: Path) -> None:
    engine = open_engine(bundle_path, "torch", threads=1)
    assert engine.name == "torch" and (torch.cuda.is_available() or engine.sizes == ())


def test_a_frame_that_fails_leaves_no_trace(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TorchBundleEngine(bundle_path, load_manifest(bundle_path), CPU, "fp32")
    state, spec = engine.new_state(), engine.manifest.input
    image = np.ones((1, 3, spec.height, spec.width), np.float32)
    everything, few = np.arange(spec.rows), np.array([1, 5])
    tasks = [task.name for task in engine.manifest.tasks]
    engine.run(state, image, everything, dict.fromkeys(tasks, everything))
    caches = [f"{g}.{c}" for g, graph in engine.manifest.graphs.items() for c in graph.state]
    before = {name: state.tensors[name].clone() for name in caches}

    def broken(size: int) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(state.stages["segmentation"], "run", broken)
    with pytest.raises(EngineError, match="out of memory"):
        engine.run(state, 2 * image, few, dict.fromkeys(tasks, few))
    assert all(torch.equal(state.tensors[name], old) for name, old in before.items())


def test_a_wrong_image_or_index_is_refused(bundle_path: Path) -> None:
    engine = TorchBundleEngine(bundle_path, load_manifest(bundle_path), CPU, "fp32")
    state, index = engine.new_state(), np.array([0])
    with pytest.raises(EngineError, match="expected"):
        engine.run(state, np.zeros((1, 3, 8, 8), np.float32), index, {})
    image = np.zeros((1, 3, 96, 128), np.float32)
    with pytest.raises(EngineError, match="within 0"):
        engine.run(state, image, np.array([48]), {})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_recorded_launches_on_a_gpu_reproduce_the_self_test(
    bundle_path: Path, precision: str
) -> None:
    manifest = load_manifest(bundle_path)
    engine = TorchBundleEngine(bundle_path, manifest, torch.device("cuda"), precision)
    state = engine.new_state()
    assert all(set(s._recorded) for s in state.stages.values())
    for frame in load_selftest(bundle_path, manifest):
        image = normalise(frame.image, manifest.input)
        tasks = {task.name: frame.dirty for task in manifest.tasks}
        raw = engine.run(state, image, frame.dirty, tasks).raw
        for task, expected in frame.raw.items():
            if precision == "fp32":
                assert relative_difference(raw[task], expected) < 1e-4
            else:
                assert half_difference(manifest.task(task), raw[task], expected)[0] <= 1.0


def test_a_few_sizes_give_what_any_number_of_rows_gives(bundle_path: Path) -> None:
    """On a GPU indices are filled up with their last row; so they may be on the CPU."""
    manifest = load_manifest(bundle_path)
    free, sized = (TorchBundleEngine(bundle_path, manifest, CPU, "fp32") for _ in range(2))
    sized.sizes = (3, 12, 48)
    states = [(engine, engine.new_state()) for engine in (free, sized)]
    rng = np.random.default_rng(0)
    computed: list[int] = []
    run = type(states[1][1].stages["base"]).run
    base = states[1][1].stages["base"]
    base.run = lambda size: (computed.append(size), run(base, size))[1]  # type: ignore[method-assign]
    for rows in (range(48), [5], [1, 2, 40], [0, 9, 10, 47]):
        image = rng.normal(size=(1, 3, 96, 128)).astype(np.float32)
        index = np.array(rows, np.int64)
        found = [
            engine.run(state, image, index, {"depth": index}).raw["depth"].copy()
            for engine, state in states
        ]
        assert relative_difference(found[1], found[0]) < 1e-5
    assert computed == [48, 3, 3, 12]


@pytest.mark.parametrize("error", [RuntimeError("CUDA error"), ValueError("odd"), MemoryError()])
def test_only_what_is_no_bug_is_an_error_of_the_engine(
    bundle_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    engine = TorchBundleEngine(bundle_path, load_manifest(bundle_path), CPU, "fp32")
    state = engine.new_state()

    def broken(size: int) -> None:
        raise error

    monkeypatch.setattr(state.stages["stem"], "run", broken)
    everything = np.arange(48)
    expected = MemoryError if isinstance(error, MemoryError) else EngineError
    with pytest.raises(expected):
        engine.run(state, np.zeros((1, 3, 96, 128), np.float32), everything, {})
