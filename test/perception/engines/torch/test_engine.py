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
