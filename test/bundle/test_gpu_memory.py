"""What a bundle needs of a GPU's memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.gpu_memory import GpuMemory, gpu_memory
from mtshare_ros.bundle.manifest import GraphSpec, TensorSpec
from mtshare_ros.perception.engines import open_engine
from support.standins import pycuda_driver
from support.standins.device import Device


def test_weights_are_shared_and_caches_are_not() -> None:
    memory = GpuMemory(weights=100, caches=20, working=5)
    assert memory.per_camera == 25 and memory.total() == 125 and memory.total(3) == 175


def test_half_precision_halves_weights_and_caches(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path)
    half, full = gpu_memory(manifest, "fp16"), gpu_memory(manifest, "fp32")
    assert (2 * half.weights, 2 * half.caches) == (full.weights, full.caches)
    rows = manifest.input.rows
    cells = sum(
        rows * int(tensor.shape[1] or 0)
        for graph in manifest.graphs.values()
        for tensor in graph.inputs
        if tensor.name in graph.state and len(tensor.shape) == 2
    )
    assert full.caches >= 4 * cells > 0


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_memory_budget_is_what_a_camera_takes(
    device: Device, bundle_path: Path, tmp_path: Path, precision: str
) -> None:
    engine = open_engine(bundle_path, "tensorrt", precision=precision)
    before = sum(a.nbytes for a in device.allocations.values())
    state = engine.new_state()
    taken = sum(a.nbytes for a in device.allocations.values()) - before
    tables = 24 * sum(len(graph.state) for graph in engine.manifest.graphs.values())
    said = gpu_memory(engine.manifest, precision).per_camera
    if precision == "fp32":
        assert taken - tables == said
    else:
        assert 0.85 * taken < said < 1.15 * taken
    del state
    assert pycuda_driver.mem_alloc  # the stand-in did the counting


def test_the_weights_of_the_budget_are_those_of_the_graphs(bundle_path: Path) -> None:
    import onnx

    from mtshare_ros.perception.engines.derived_graphs import derive_graphs

    manifest = load_manifest(bundle_path)
    for precision in ("fp32", "fp16"):
        weights = 0
        for _, model in derive_graphs(bundle_path, manifest, precision):
            initializers = onnx.load_from_string(model).graph.initializer
            weights += sum(len(i.raw_data) for i in initializers)
        assert weights == pytest.approx(gpu_memory(manifest, precision).weights, rel=0.35)


def test_each_tensor_is_counted_as_worked_out_by_hand(bundle_path: Path) -> None:
    manifest = load_manifest(bundle_path, verify=False)
    graph = GraphSpec(
        file="a.onnx",
        size=1000,
        sha256="",
        inputs=(
            TensorSpec("index", "int64", (None,)),
            TensorSpec("cache", "float32", (None, 10)),
            TensorSpec("read", "float32", (None, 100)),
        ),
        outputs=(
            TensorSpec("cache_out", "float32", (None, 10)),
            TensorSpec("raw", "float32", (2, 7)),
        ),
        state={"cache": "cache_out"},
        reads={"read": "stem.fine"},
    )
    one = replace(manifest, graphs={"depth": graph})
    rows = manifest.input.rows
    # An index of 8 bytes a row, a raw map of 2 x 7 floats, and the computed rows of the cache.
    assert gpu_memory(one, "fp32") == GpuMemory(2000, 40 * rows, 8 * rows + 56 + 40 * rows)
    assert gpu_memory(one, "fp16") == GpuMemory(1000, 20 * rows, 8 * rows + 56 + 20 * rows)
