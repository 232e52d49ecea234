"""The caches of one stream in torch."""

from pathlib import Path

import onnx
import torch

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines.derived_graphs import derive_graphs
from mtshare_ros.perception.engines.torch.graph_runner import TorchGraph
from mtshare_ros.perception.engines.torch.state import TorchBundleState


def test_every_cache_of_the_manifest_has_a_row_for_each_token(bundle_path: Path) -> None:
    manifest, cpu = load_manifest(bundle_path), torch.device("cpu")
    graphs = {
        name: TorchGraph(onnx.load_from_string(model), cpu)
        for name, model in derive_graphs(bundle_path, manifest, "fp32")
    }
    state = TorchBundleState(manifest, graphs, cpu)
    for name, graph in manifest.graphs.items():
        for cache in graph.state:
            tensor = state.tensors[f"{name}.{cache}"]
            assert len(tensor) == manifest.input.rows and not tensor.any()
    assert set(state.stages) == set(manifest.graphs)
