"""What a bundle needs on a GPU."""

from pathlib import Path

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.gpu_memory import GpuMemory, gpu_memory


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
